import ModelFiles
import TestSupport
import Testing

@testable import Models

@Suite struct CheckpointReadAheadTests {
    @Test("a layer's name covers all its tensors and no other layer's", arguments: ReferenceModel.all)
    func ranges(_ model: ReferenceModel) throws {
        let checkpoint = try Checkpoint(path: model.folder)
        let specification = try ModelSpecification(config: checkpoint.config)
        let readAhead = CheckpointReadAhead(checkpoint)
        for (index, layer) in specification.layers.enumerated() {
            let ranges = readAhead.ranges(ofTensorsNamed: layer.namePrefix)
            // The vision towers of some have layers too.
            let tensors = checkpoint.tensors.filter {
                $0.name.contains("layers.\(index).") && !$0.name.contains("vision")
            }
            #expect(!tensors.isEmpty)
            #expect(tensors.allSatisfy { $0.name.hasPrefix(layer.namePrefix) })
            #expect(checkpoint.tensors.filter { $0.name.hasPrefix(layer.namePrefix) }.count == tensors.count)
            for tensor in tensors {
                let isCovered = ranges.contains { file, bytes in
                    file === tensor.file && bytes.lowerBound <= tensor.byteRange.lowerBound
                        && bytes.upperBound >= tensor.byteRange.upperBound
                }
                #expect(isCovered, "\(tensor.name)")
            }
            #expect(ranges.allSatisfy { $0.bytes.upperBound <= $0.file.bytes.count })
        }
    }

    @Test("of tensors that do not exist, nothing is read")
    func missing() throws {
        let checkpoint = try Checkpoint(path: ReferenceModel.all[0].folder)
        #expect(CheckpointReadAhead(checkpoint).ranges(ofTensorsNamed: "no.such.").isEmpty)
    }
}

import TestSupport
import Testing

@testable import ModelFiles

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite struct SafeTensorsWriterTests {
    typealias Declaration = SafeTensorsWriter.Declaration

    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func bytes(_ count: Int, seed: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 * 31 + seed) }
    }

    private func failure(_ tensors: [Declaration], path: String? = nil) -> ModelFileError? {
        #expect(throws: ModelFileError.self) {
            let writer = try SafeTensorsWriter(path: path ?? folder.path("refused"), tensors: tensors)
            try writer.finish()
        }
    }

    @Test("writes what the reader reads")
    func roundTrip() throws {
        let tensors = [
            Declaration(name: "empty", elementType: .i64, shape: [0, 7]),
            Declaration(name: "scalar \"ä\"\n", elementType: .f32, shape: []),
            Declaration(name: "w", elementType: .u8, shape: [3, 5, 7]),
            Declaration(name: "fp4", elementType: .f4, shape: [2, 3]),
            Declaration(name: "last empty", elementType: .u8, shape: [0]),
        ]
        let path = folder.path("out.safetensors")
        var writer = try SafeTensorsWriter(path: path, tensors: tensors, metadata: ["format": "pt", "a\\b": "\u{1}"])
        let contents = [bytes(4, seed: 1), bytes(105, seed: 2), bytes(3, seed: 3)]
        for content in contents {
            // In pieces, some of them empty.
            for piece in [Array(content.prefix(2)), [], Array(content.dropFirst(2))] {
                try piece.withUnsafeBytes { try writer.append($0) }
            }
        }
        try writer.finish()

        let file = try SafeTensors(path: path)
        #expect(file.tensors.filter { $0.elementCount > 0 }.map { $0.withBytes { Array($0) } } == contents)
        #expect(file.metadata == ["format": "pt", "a\\b": "\u{1}"])
        #expect(Set(file.tensors.map(\.name)) == Set(tensors.map(\.name)))
        for tensor in tensors {
            let read = try #require(file.tensors.first { $0.name == tensor.name })
            #expect(read.elementType == tensor.elementType)
            #expect(read.shape == tensor.shape)
        }
        #expect(try #require(file.tensors.first).byteRange.lowerBound % 8 == 0)
    }

    @Test("writes a file without tensors")
    func noTensors() throws {
        let path = folder.path("none.safetensors")
        try SafeTensorsWriter(path: path, tensors: []).finish()
        #expect(try SafeTensors(path: path).tensors.isEmpty)
    }

    @Test("never overwrites")
    func neverOverwrites() throws {
        let path = try folder.write([1, 2, 3], to: "existing")
        try folder.link("dangling", to: folder.path("nowhere"))
        for name in ["existing", "dangling"] {
            let error = failure([], path: folder.path(name))
            #expect(error?.code == .inaccessible)
            #expect(error?.message.contains("File exists") == true)
        }
        #expect(try MappedFile(path: path).withBytes { Array($0) } == [1, 2, 3])
        #expect(FileSystem.kind(of: folder.path("nowhere")) == .missing)
        #expect(failure([], path: folder.path("no/such/folder"))?.message.contains("No such file") == true)
    }

    @Test("deletes a file that is not finished")
    func deletesUnfinished() throws {
        let path = folder.path("unfinished")
        let tensor = Declaration(name: "w", elementType: .u8, shape: [4])
        let error = #expect(throws: ModelFileError.self) {
            var writer = try SafeTensorsWriter(path: path, tensors: [tensor])
            try bytes(2, seed: 0).withUnsafeBytes { try writer.append($0) }
            #expect(FileSystem.kind(of: path) == .file)
            try writer.finish()
        }
        #expect(error?.code == .missing)
        #expect(error?.description.contains("w: expected 4 bytes, found 2") == true)
        #expect(FileSystem.kind(of: path) == .missing)
    }

    @Test("refuses more bytes than a tensor has")
    func refusesExcess() throws {
        let tensors = ["a", "b"].map { Declaration(name: $0, elementType: .u8, shape: [2]) }
        var writer = try SafeTensorsWriter(path: folder.path("excess"), tensors: tensors)
        let error = [UInt8](repeating: 0, count: 3).withUnsafeBytes { bytes in
            #expect(throws: ModelFileError.self) { try writer.append(bytes) }
        }
        #expect(error?.item == "a")
        for _ in 0..<2 { try [UInt8](repeating: 0, count: 2).withUnsafeBytes { try writer.append($0) } }
        let late = [UInt8](repeating: 0, count: 1).withUnsafeBytes { bytes in
            #expect(throws: ModelFileError.self) { try writer.append(bytes) }
        }
        #expect(late?.message.contains("1 bytes follow the last tensor") == true)
    }

    @Test(
        "refuses tensors that no reader would accept",
        arguments: [
            ([Declaration(name: "", elementType: .u8, shape: [])], "name"),
            ([Declaration(name: "__metadata__", elementType: .u8, shape: [])], "name"),
            ([Declaration(name: String(repeating: "n", count: 1025), elementType: .u8, shape: [])], "name"),
            ([Declaration(name: "t", elementType: .u8, shape: [-1])], "no size"),
            ([Declaration(name: "t", elementType: .u8, shape: [.max, 2])], "no size"),
            ([Declaration(name: "t", elementType: .f4, shape: [3])], "no size in whole bytes"),
            ([Declaration(name: "t", elementType: .u8, shape: [Int](repeating: 1, count: 17))], "dimensions"),
            ([Declaration](repeating: Declaration(name: "t", elementType: .u8, shape: [1]), count: 2), "two tensors"),
            (
                [
                    Declaration(name: "a", elementType: .u8, shape: [1]),
                    Declaration(name: "b", elementType: .f32, shape: [1]),
                ], "not at a multiple of 4"
            ),
            (
                ["a", "b", "c"].map { Declaration(name: $0, elementType: .u8, shape: [.max / 8]) }
                    + (0..<8).map { Declaration(name: "\($0)", elementType: .u8, shape: [.max / 8]) }, "too many bytes"
            ),
        ] as [([Declaration], String)])
    func refuses(tensors: [Declaration], message: String) {
        let error = failure(tensors)
        #expect(error?.code == .mismatched)
        #expect(error?.message.contains(message) == true, "\(String(describing: error))")
        #expect(FileSystem.kind(of: folder.path("refused")) == .missing)
    }

    #if os(Linux)
        @Test("says so when the disk is full")
        func diskFull() throws {
            var file = OutputFile(descriptor: open("/dev/full", O_WRONLY), path: folder.path("full"))
            let error = [UInt8](repeating: 0, count: 100).withUnsafeBytes { bytes in
                #expect(throws: ModelFileError.self) { try file.write(bytes) }
            }
            #expect(error?.code == .inaccessible)
            #expect(error?.message.contains("No space left") == true)
        }
    #endif
}

import ChatTemplates
import Foundation
import Kernels
import ModelFiles
import TestSupport
import Testing
import Tokenization

@testable import Engine

/// Whatever a damaged checkpoint holds, it runs or is refused with a message; a trap would end the test process.
@Suite struct MutatedCheckpointTests {
    private static let names = [
        "llama4_maverick-modelopt-nvfp4-default", "llama4_scout-ct-nvfp4-mlp", "gpt_oss-mxfp4",
        "qwen3_moe-modelopt-nvfp4-default-kvfp8", "llama_dense-ct-nvfp4a16",
    ]
    private static let mutantCount = 24

    @Test("a mutated checkpoint runs or is refused", arguments: names)
    func mutants(_ name: String) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededRandom(seed: seed)
        let source = Golden.path("models/" + name)
        var refusedCount = 0
        for mutant in 0..<Self.mutantCount {
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
                "nibble-mutant-\(UUID().uuidString)")
            try FileManager.default.copyItem(atPath: source, toPath: folder.path)
            defer { try? FileManager.default.removeItem(at: folder) }
            let change = try Mutation.apply(to: folder, using: &random)
            do {
                try run(folder.path)
            } catch {
                refusedCount += 1
                let message = "\(error)"
                #expect(
                    (10...2000).contains(message.utf8.count) && !message.contains("\n"),
                    "seed \(seed), mutant \(mutant), \(change): \(message)")
            }
        }
        #expect(refusedCount > 0, "seed \(seed)")
    }

    private func run(_ folder: String) throws {
        let model = try TextModel(Checkpoint(path: folder), backend: CPUBackend(threadCount: 1))
        let prompt = model.tokenizer?.encode("To be, or not to be") ?? [1, 2, 3]
        var request = GenerationRequest(prompt: prompt, maximumTokenCount: 3)
        request.sampling.temperature = 0.7
        _ = try Generator(model).generate(request)
        if let template = model.chatTemplate { _ = try template.render(messages: [.init(role: "user", content: "Hi")]) }
    }
}

/// A random change of one file of a folder.
private enum Mutation {
    /// Applies one and says what it was.
    static func apply(to folder: URL, using random: inout SeededRandom) throws -> String {
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        let name = names[Int.random(in: 0..<names.count, using: &random)]
        let file = folder.appendingPathComponent(name)
        var bytes = [UInt8](try Data(contentsOf: file))
        // Most of a safetensors file is weights; its header is where damage is interesting.
        let reach = name.hasSuffix(".safetensors") && Bool.random(using: &random) ? min(bytes.count, 8192) : bytes.count
        let kind: String
        switch Int.random(in: 0..<6, using: &random) {
        case 0:
            kind = "flipped bits"
            for _ in 0..<Int.random(in: 1...8, using: &random) {
                bytes[Int.random(in: 0..<reach, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
        case 1:
            kind = "cut off"
            bytes.removeLast(Int.random(in: 1...bytes.count, using: &random))
        case 2:
            kind = "bytes removed"
            let start = Int.random(in: 0..<reach, using: &random)
            bytes.removeSubrange(start..<min(start + Int.random(in: 1...64, using: &random), bytes.count))
        case 3:
            kind = "digits replaced"
            let digits = bytes[..<reach].indices.filter { (0x30...0x39).contains(bytes[$0]) }
            for _ in 0..<min(3, digits.count) {
                bytes[digits[Int.random(in: 0..<digits.count, using: &random)]] =
                    UInt8.random(in: 0x30...0x39, using: &random)
            }
        case 4:
            kind = "bytes repeated"
            let start = Int.random(in: 0..<reach, using: &random)
            bytes.insert(contentsOf: bytes[start..<min(start + 256, bytes.count)], at: start)
        default:
            kind = "deleted"
            try FileManager.default.removeItem(at: file)
            return "\(name) \(kind)"
        }
        try Data(bytes).write(to: file)
        return "\(name) \(kind)"
    }
}

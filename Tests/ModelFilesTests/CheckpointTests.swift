import ModelFiles
import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

@Suite struct CheckpointTests {
    private typealias Fixture = SafeTensorsFixture

    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try folder.write(#"{"model_type":"llama"}"#, to: "config.json")
    }

    private func writeShard(_ name: String, tensors: [String]) throws {
        let entries = tensors.enumerated().map {
            Fixture.entry($0.element, "U8", [2], 2 * $0.offset, 2 * $0.offset + 2)
        }
        let file = Fixture.file(header: "{\(entries.joined(separator: ","))}", dataByteCount: 2 * tensors.count)
        try folder.write(file, to: name)
    }

    private func writeIndex(_ weightMap: String) throws {
        try folder.write("{\"metadata\":{\"total_size\":1},\"weight_map\":\(weightMap)}", to: ShardIndex.fileName)
    }

    private func failure() -> ModelFileError? {
        #expect(throws: ModelFileError.self) { try Checkpoint(path: folder.path) }
    }

    @Test("opens a single file")
    func single() throws {
        try folder.write(Fixture.small, to: "model.safetensors")
        let checkpoint = try Checkpoint(path: folder.path + "/")
        #expect(checkpoint.tensorNames.first == "model.norm.weight")
        #expect(checkpoint.tensorNames.count == 5)
        #expect(checkpoint.byteCount == 3564)
        #expect(try checkpoint.config.string("model_type") == "llama")
        #expect(try checkpoint.tensor(named: "model.embed_tokens.weight").shape == [10, 50])
        #expect(checkpoint.hasTensor(named: "model.norm.weight"))
        let error = #expect(throws: ModelFileError.self) { try checkpoint.tensor(named: "lm_head.weight") }
        #expect(error?.code == .missing)
        #expect(error?.item == "lm_head.weight")
        #expect(try checkpoint.tensor(ifPresent: "lm_head.weight") == nil)
        #expect(checkpoint.folder.pathOfFile("config.json") != nil)
        #expect(checkpoint.folder.pathOfFile("tokenizer.json") == nil)
    }

    @Test("opens shards in the order of their names")
    func sharded() throws {
        try writeShard("model-00002-of-00002.safetensors", tensors: ["c", "a"])
        try writeShard("model-00001-of-00002.safetensors", tensors: ["b"])
        try writeIndex(
            #"{"a":"model-00002-of-00002.safetensors","b":"model-00001-of-00002.safetensors","c":"model-00002-of-00002.safetensors"}"#
        )
        let checkpoint = try Checkpoint(path: folder.path)
        #expect(checkpoint.tensorNames == ["b", "c", "a"])
        #expect(checkpoint.byteCount == 6)
        #expect(try checkpoint.tensor(named: "a").withBytes { Array($0) } == [2, 3])
        #expect(try checkpoint.tensor(named: "a").file.path.hasSuffix("model-00002-of-00002.safetensors"))
    }

    @Test("prefers model.safetensors to an index, as Hugging Face's loaders do")
    func prefersSingle() throws {
        try writeShard("model.safetensors", tensors: ["a"])
        try writeIndex("{}")
        #expect(try Checkpoint(path: folder.path).tensorNames == ["a"])
    }

    @Test("notices before a tensor is used that its file was shortened")
    func noticesTruncation() throws {
        let path = try folder.write(Fixture.small, to: "model.safetensors")
        let checkpoint = try Checkpoint(path: folder.path)
        #expect(truncate(path, 1000) == 0)
        let error = #expect(throws: ModelFileError.self) { try checkpoint.tensor(named: "model.embed_tokens.weight") }
        #expect(error?.code == .inaccessible)
        #expect(throws: ModelFileError.self) { try checkpoint.tensor(ifPresent: "model.embed_tokens.weight") }
        #expect(failure()?.message.contains("the file is truncated") == true)
    }

    static let indices: [(weightMap: String, code: ModelFileError.Code, message: String)] = [
        ("{}", .malformed, "weight_map: names no tensor"), ("[]", .mismatched, "weight_map: expected an object"),
        ("null", .missing, "weight_map: missing"), (#"{"a":1}"#, .mismatched, "weight_map.a: expected a string"),
        (#"{"a":null}"#, .malformed, "names no tensor"),
        (#"{"a":"x.safetensors","a":"x.safetensors"}"#, .malformed, "duplicate key 'a'"),
        (#"{"a":"../x.safetensors"}"#, .malformed, "in the same folder, found '../x.safetensors'"),
        (#"{"a":"/etc/x.safetensors"}"#, .malformed, "in the same folder"),
        (#"{"a":"sub/x.safetensors"}"#, .malformed, "in the same folder"),
        (#"{"a":"sub\\x.safetensors"}"#, .malformed, "in the same folder"),
        (#"{"a":".."}"#, .malformed, "in the same folder"), (#"{"a":""}"#, .malformed, "in the same folder"),
        (#"{"a":".safetensors"}"#, .malformed, "in the same folder"),
        (#"{"a":"x.safetensors\u0000"}"#, .malformed, "in the same folder"),
        (#"{"a":"x\u0000.safetensors"}"#, .malformed, "in the same folder"),
        (#"{"a":"x.bin"}"#, .malformed, "expected the name of a .safetensors file"),
        (
            #"{"a":"gone-2.safetensors","b":"x.safetensors","c":"gone-1.safetensors"}"#, .missing,
            "2 of its 3 files are not in the folder: gone-1.safetensors, gone-2.safetensors"
        ),
        (
            #"{"a":"x.safetensors","b":"y.safetensors","d":"x.safetensors"}"#, .missing,
            "d: expected in x.safetensors, but it is in no file"
        ),
        (
            #"{"a":"y.safetensors","b":"x.safetensors"}"#, .missing,
            "a: expected in y.safetensors, but it is in x.safetensors; so are 1 other"
        ),
        (#"{"a":"x.safetensors","z":"twin.safetensors"}"#, .malformed, "holds a tensor of the same name"),
        (#"{"a":"broken.safetensors"}"#, .malformed, "at least 8 bytes"),
        (#"{"a":"folder.safetensors"}"#, .missing, "folder.safetensors"),
    ]

    @Test("refuses malformed indices and says why", arguments: indices)
    func refusesIndex(weightMap: String, code: ModelFileError.Code, message: String) throws {
        try writeShard("x.safetensors", tensors: ["a"])
        try writeShard("y.safetensors", tensors: ["b"])
        try writeShard("twin.safetensors", tensors: ["z", "a"])
        try folder.write([1, 2, 3], to: "broken.safetensors")
        try folder.makeFolder("folder.safetensors")
        try writeIndex(weightMap)
        let error = failure()
        #expect(error?.code == code)
        #expect(error?.description.contains(message) == true, "\(String(describing: error))")
    }

    @Test("says what is there when there are no tensors")
    func noTensors() throws {
        #expect(failure()?.message == "expected model.safetensors or model.safetensors.index.json in the folder")
        try folder.write([], to: "pytorch_model.bin")
        try folder.write([], to: "model.gguf")
        #expect(failure()?.message.contains("found model.gguf, pytorch_model.bin") == true)
        #expect(failure()?.code == .missing)
    }

    @Test("refuses folders that are no models")
    func refusesFolder() throws {
        let file = try folder.write([], to: "file")
        for (path, code, message) in [
            (folder.path("missing"), ModelFileError.Code.inaccessible, "no such folder"),
            (file, .inaccessible, "expected a folder"), ("", .inaccessible, "no such folder"),
            (try folder.makeFolder("empty"), .missing, "no config.json"),
        ] {
            let error = #expect(throws: ModelFileError.self) { try Checkpoint(path: path) }
            #expect(error?.code == code)
            #expect(error?.message.contains(message) == true)
        }
        // A configuration that is a folder or a pipe is an error, not an absent configuration.
        try folder.makeFolder("odd/generation_config.json")
        try folder.write("{}", to: "odd/config.json")
        #expect(throws: ModelFileError.self) { try ModelFolder(path: folder.path("odd")) }
    }
}

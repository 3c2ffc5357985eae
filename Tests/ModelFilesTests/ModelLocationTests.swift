import ModelFiles
import TestSupport
import Testing

@Suite struct ModelLocationTests {
    static let commit = "0123456789abcdef0123456789abcdef01234567"

    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        for cache in ["hub", "home/hub", "xdg/huggingface/hub", "user/.cache/huggingface/hub"] {
            let repository = "\(cache)/models--org--Some.Model-1_b"
            try folder.makeFolder("\(repository)/snapshots/\(Self.commit)")
            try folder.makeFolder("\(repository)/snapshots/feed")
            try folder.makeFolder("\(repository)/refs/pr")
            try folder.write(Self.commit, to: "\(repository)/refs/main")
            try folder.write("feed\n", to: "\(repository)/refs/pr/1")
        }
    }

    private func resolve(_ argument: String, _ environment: [String: String]) throws -> String {
        try ModelLocation.resolve(argument, environment: environment)
    }

    private func failure(_ argument: String, _ environment: [String: String]) -> ModelFileError? {
        #expect(throws: ModelFileError.self) { try resolve(argument, environment) }
    }

    @Test("takes a folder as it is")
    func existingFolder() throws {
        #expect(try resolve(folder.path, [:]) == folder.path)
    }

    @Test("looks where Hugging Face's tools do, in their order")
    func cacheOrder() throws {
        var environment = ["HOME": folder.path("user")]
        func expect(_ cache: String) throws {
            let expected = folder.path("\(cache)/models--org--Some.Model-1_b/snapshots/\(Self.commit)")
            #expect(try resolve("org/Some.Model-1_b", environment) == expected)
        }
        try expect("user/.cache/huggingface/hub")
        environment["XDG_CACHE_HOME"] = folder.path("xdg")
        try expect("xdg/huggingface/hub")
        environment["HF_HOME"] = folder.path("home")
        try expect("home/hub")
        environment["HF_HUB_CACHE"] = folder.path("hub")
        try expect("hub")
        environment["HF_HUB_CACHE"] = ""
        try expect("home/hub")
        environment["HF_HUB_CACHE"] = "~/.cache/huggingface/hub"
        try expect("user/.cache/huggingface/hub")
    }

    @Test("finds a revision by name or commit")
    func revisions() throws {
        let environment = ["HF_HUB_CACHE": folder.path("hub")]
        let snapshots = folder.path("hub/models--org--Some.Model-1_b/snapshots/")
        #expect(try resolve("org/Some.Model-1_b@main", environment) == snapshots + Self.commit)
        #expect(try resolve("org/Some.Model-1_b@pr/1", environment) == snapshots + "feed")
        #expect(try resolve("org/Some.Model-1_b@\(Self.commit)", environment) == snapshots + Self.commit)
    }

    @Test("says where it looked and how to download a model")
    func missing() {
        let environment = ["HF_HUB_CACHE": folder.path("hub")]
        let model = failure("org/other", environment)
        #expect(model?.code == .inaccessible)
        #expect(model?.message.contains(folder.path("hub/models--org--other")) == true)
        #expect(model?.message.hasSuffix("hf download org/other") == true)
        let revision = failure("org/Some.Model-1_b@v2", environment)
        #expect(revision?.message.hasSuffix("hf download org/Some.Model-1_b --revision v2") == true)
        #expect(failure("org/model", [:])?.message.contains("no Hugging Face cache") == true)
    }

    @Test(
        "refuses what is neither a folder nor the name of a model",
        arguments: [
            "", "model", "./missing", "/missing/folder", "a/b/c", "org/", "/model", "org/..", "../model", "org/a b",
            "org/m;ls", "org/m\0", "-o/m", "org/m@", "org/m@../../x", "org/m@a//b", "org/m@-x", "örg/m",
        ])
    func refuses(argument: String) {
        let error = failure(argument, ["HF_HUB_CACHE": folder.path("hub")])
        #expect(error?.code == .inaccessible)
        #expect(error?.message.contains("hf download") == false)
    }

    @Test("refuses a file, and a reference that is no commit")
    func refusesFile() throws {
        let file = try folder.write([], to: "model.safetensors")
        #expect(failure(file, [:])?.message.contains("found a file") == true)
        for text in ["", "../../..", "main", "\u{FF}"] {
            try folder.write(text, to: "hub/models--org--Some.Model-1_b/refs/main")
            let error = failure("org/Some.Model-1_b", ["HF_HUB_CACHE": folder.path("hub")])
            #expect(error?.code == .malformed)
        }
    }
}

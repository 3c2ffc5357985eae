import ModelFiles
import TestSupport
import Testing

@Suite struct ConfigObjectTests {
    private static func config(_ text: String) throws -> ConfigObject {
        try ConfigObject(JSON(parsing: text), file: "config.json")
    }

    private let config = try? config(
        #"""
        {"int": 7, "exact": 1e6, "decimal": 10000.0, "half": 0.5, "yes": true, "text": "a", "nothing": null,
         "ids": [1, 2.0], "names": ["x", "y"], "outer": {"inner": {"factor": 2}}, "huge": 1e300}
        """#)

    @Test("reads every kind of value")
    func values() throws {
        let config = try #require(config)
        #expect(try config.integer("int") == 7)
        #expect(try config.integer("exact") == 1_000_000)
        #expect(try config.integer("decimal", in: 1...10_000) == 10_000)
        #expect(try config.number("int") == 7)
        #expect(try config.number("half", in: 0...1) == 0.5)
        #expect(try config.bool("yes"))
        #expect(try config.string("text") == "a")
        #expect(try config.integers("ids") == [1, 2])
        #expect(try config.integers("int") == [7])
        #expect(try config.strings("names") == ["x", "y"])
        #expect(try config.object("outer").object("inner").integer("factor") == 2)
        #expect(config["half"] == .number(0.5))
        #expect(config.has("half"))
    }

    @Test("takes null for absent", arguments: ["nothing", "absent"])
    func absent(key: String) throws {
        let config = try #require(config)
        #expect(!config.has(key))
        #expect(config[key] == nil)
        #expect(!config.keys.contains(key))
        #expect(try config.integer(key, default: 3) == 3)
        #expect(try config.number(key, default: 0.25) == 0.25)
        #expect(try config.bool(key, default: true))
        #expect(try config.string(key, default: "d") == "d")
        #expect(try config.optionalInteger(key) == nil)
        #expect(try config.optionalNumber(key) == nil)
        #expect(try config.optionalBool(key) == nil)
        #expect(try config.optionalString(key) == nil)
        #expect(try config.optionalObject(key) == nil)
        #expect(try config.integers(key).isEmpty)
        #expect(try config.strings(key).isEmpty)
        for read: (ConfigObject) throws -> Void in [
            { _ = try $0.integer(key) }, { _ = try $0.number(key) }, { _ = try $0.bool(key) },
            { _ = try $0.string(key) }, { _ = try $0.object(key) },
        ] {
            let error = #expect(throws: ModelFileError.self) { try read(config) }
            #expect(error?.code == .missing)
            #expect(error?.description.hasPrefix("config.json: \(key): missing, expected ") == true)
        }
    }

    struct Refusal: Sendable, CustomTestStringConvertible {
        let message: String
        let read: @Sendable (ConfigObject) throws -> Void

        init(_ message: String, _ read: @escaping @Sendable (ConfigObject) throws -> Void) {
            self.message = message
            self.read = read
        }

        var testDescription: String { message }
    }

    static let refusals = [
        Refusal("int: expected a string, found an integer") { _ = try $0.string("int") },
        Refusal("int: expected a boolean, found an integer") { _ = try $0.bool("int") },
        Refusal("int: expected an object, found an integer") { _ = try $0.object("int") },
        Refusal("int: expected an array of strings, found an integer") { _ = try $0.strings("int") },
        Refusal("text: expected an integer, found a string") { _ = try $0.integer("text") },
        Refusal("text: expected a number, found a string") { _ = try $0.number("text") },
        Refusal("text: expected an integer, found a string") { _ = try $0.integers("text") },
        Refusal("yes: expected an integer, found a boolean") { _ = try $0.integer("yes", default: 1) },
        Refusal("yes: expected a number, found a boolean") { _ = try $0.optionalNumber("yes") },
        Refusal("half: expected an integer, found 0.5") { _ = try $0.integer("half") },
        Refusal("huge: expected an integer, found 1e+300") { _ = try $0.optionalInteger("huge") },
        Refusal("int: expected 1 to 6, found 7") { _ = try $0.integer("int", in: 1...6) },
        Refusal("half: expected 1.0 to 2.0, found 0.5") { _ = try $0.number("half", in: 1...2) },
        Refusal("ids[1]: expected 0 to 1, found 2") { _ = try $0.integers("ids", in: 0...1) },
        Refusal("names[0]: expected an integer, found a string") { _ = try $0.integers("names") },
        Refusal("ids[0]: expected a string, found an integer") { _ = try $0.strings("ids") },
        Refusal("outer.inner: expected a number, found an object") { _ = try $0.object("outer").number("inner") },
        Refusal("outer.inner.factor: expected a string, found an integer") {
            _ = try $0.object("outer").object("inner").string("factor")
        },
    ]

    @Test("refuses another type or range and says where", arguments: refusals)
    func refuses(refusal: Refusal) throws {
        let config = try #require(config)
        let error = #expect(throws: ModelFileError.self) { try refusal.read(config) }
        #expect(error?.code == .mismatched)
        #expect(error?.description == "config.json: " + refusal.message)
    }

    static let files: [(text: String, code: ModelFileError.Code, message: String)] = [
        ("", .malformed, "not valid JSON: unexpected end"), ("{", .malformed, "at byte 1"),
        ("[]", .mismatched, "expected an object, found an array"), ("null", .mismatched, "found null"),
        ("{\"a\":1,\"a\":1}", .malformed, "duplicate key 'a'"), ("{\"a\":NaN}", .malformed, "expected a value"),
        ("{\"a\":\"\u{0}\"}", .malformed, "control character"),
        (String(repeating: "{\"a\":", count: 100), .malformed, "nested deeper than 64"),
    ]

    @Test("refuses files that are not JSON objects", arguments: files)
    func refusesFile(text: String, code: ModelFileError.Code, message: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(text, to: "config.json")
        let error = #expect(throws: ModelFileError.self) { try ConfigObject(contentsOf: path) }
        #expect(error?.code == code)
        #expect(error?.file == path)
        #expect(error?.message.contains(message) == true, "\(String(describing: error))")
    }

    @Test("shortens what a file can make long or strange in a message")
    func shortens() throws {
        let key = String(repeating: "k", count: 10_000) + "\n"
        let error = try Self.config("{}").error(.missing, key, "message")
        #expect(error.description.utf8.count < 200)
        #expect("a\nb\u{1B}[2J".shortenedForMessage == "a\u{FFFD}b\u{FFFD}[2J")
        #expect("x".quotedForMessage == "'x'")
    }
}

import ModelFiles
import TestSupport
import Testing

@testable import ChatTemplates

@Suite("Loading chat templates")
struct ChatTemplateLoadingTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func load() throws -> ChatTemplate? { try ChatTemplate.load(folder: folder.path) }

    @Test("finds no template in a folder without one")
    func none() throws {
        #expect(try load() == nil)
        try folder.write("{\"bos_token\": \"<s>\"}", to: "tokenizer_config.json")
        #expect(try load() == nil)
    }

    @Test("prefers chat_template.jinja to tokenizer_config.json")
    func jinjaFile() throws {
        try folder.write(
            "{\"chat_template\": \"config {{ eos_token }}\", \"eos_token\": {\"content\": \"</s>\"}}",
            to: "tokenizer_config.json")
        #expect(try load()?.render([:]) == "config </s>")
        #expect(try load()?.name == "tokenizer_config.json")
        try folder.write("file {{ eos_token }}", to: "chat_template.jinja")
        #expect(try load()?.render([:]) == "file </s>")
        #expect(try load()?.name == "chat_template.jinja")
    }

    @Test("takes the template named default from a list")
    func namedTemplates() throws {
        let list = "[{\"name\": \"tool_use\", \"template\": \"t\"}, {\"name\": \"default\", \"template\": \"d\"}]"
        try folder.write("{\"chat_template\": \(list)}", to: "tokenizer_config.json")
        #expect(try load()?.render([:]) == "d")
    }

    @Test("reads special tokens from the configuration before special_tokens_map.json")
    func specialTokens() throws {
        let map = "{\"bos_token\": \"map\", \"eos_token\": {\"content\": \"end\"}, \"additional_special_tokens\": []}"
        try folder.write(map, to: "special_tokens_map.json")
        try folder.write(
            "{\"bos_token\": \"config\", \"unk_token\": null, \"add_bos_token\": true}", to: "tokenizer_config.json")
        try folder.write("", to: "chat_template.jinja")
        #expect(try load()?.specialTokens == ["bos_token": .string("config"), "eos_token": .string("end")])
    }

    @Test(
        "refuses files of another form",
        arguments: [
            ("tokenizer_config.json", "[]", "expected an object, found an array"),
            ("tokenizer_config.json", "{", "not valid JSON: expected a string as key at byte 1"),
            (
                "tokenizer_config.json", "{\"chat_template\": 1}",
                "chat_template: expected a string or an array of templates, found an integer"
            ),
            (
                "tokenizer_config.json", "{\"chat_template\": []}",
                "chat_template: expected a template named 'default', found none"
            ),
            (
                "tokenizer_config.json", "{\"chat_template\": [{\"name\": \"rag\"}]}",
                "chat_template: expected a template named 'default', found 'rag'"
            ),
            (
                "tokenizer_config.json", "{\"chat_template\": [{\"name\": \"default\"}]}",
                "chat_template[0].template: missing, expected a string"
            ),
            (
                "tokenizer_config.json", "{\"chat_template\": [1]}",
                "chat_template[0]: expected an object, found an integer"
            ),
            (
                "tokenizer_config.json", "{\"chat_template\": \"\\n{{\"}",
                "chat_template: line 2: the tag '{{' is never closed by '}}'"
            ),
            (
                "tokenizer_config.json", "{\"chat_template\": \"\", \"bos_token\": 1}",
                "bos_token: expected a string, found an integer"
            ),
            (
                "tokenizer_config.json", "{\"chat_template\": \"\", \"bos_token\": {}}",
                "bos_token.content: missing, expected a string"
            ),
            ("chat_template.jinja", "{% if", "line 1: the tag '{%' is never closed by '%}'"),
        ])
    func malformed(file: String, text: String, message: String) throws {
        try folder.write(text, to: file)
        do {
            _ = try load()
            Issue.record("loaded \(text)")
        } catch let error as ModelFileError {
            #expect(error.description.hasSuffix(file + ": " + message), "\(error)")
        }
    }

    @Test("refuses a template that is not UTF-8 or a folder")
    func unreadable() throws {
        try folder.write([0x61, 0xFF], to: "chat_template.jinja")
        #expect(throws: ModelFileError.self) { try load() }
        let other = try TemporaryFolder()
        try other.makeFolder("chat_template.jinja")
        #expect(throws: ModelFileError.self) { try ChatTemplate.load(folder: other.path) }
    }
}

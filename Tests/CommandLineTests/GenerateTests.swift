import Foundation
import ModelFiles
import TestSupport
import Testing

@Suite struct GenerateTests {
    private func firstTokens() throws -> [JSON] {
        try String(contentsOfFile: Golden.path("storyteller-first-tokens.txt"), encoding: .utf8)
            .split(separator: ",").map {
                .integer(try #require(Int($0.trimmingCharacters(in: .whitespacesAndNewlines))))
            }
    }

    @Test("tells the reference's story, streamed as text")
    func story() throws {
        let result = try CommandRunner.run([
            "generate", "Once upon a time", "--temperature", "0", "--max-new-tokens", "16",
        ])
        #expect(result.status == 0)
        #expect(result.output.hasPrefix(", there was a little girl named"))
        #expect(result.errors.contains("tokens/s"))
        #expect(result.output.hasSuffix("\n"))
    }

    @Test("prints one JSON object with the documented fields")
    func jsonOutput() throws {
        let result = try CommandRunner.run([
            "generate", "Once upon a time", "--temperature", "0", "--max-new-tokens", "16", "--output-format", "json",
            "--seed", "7",
        ])
        #expect(result.status == 0)
        let json = try JSON(parsing: result.output)
        #expect(json["tokens"] == .array(try firstTokens()))
        #expect(json["prompt_tokens"] == .integer(5))
        #expect(json["finish_reason"] == .string("length"))
        #expect(json["seed"] == .integer(7))
        #expect(json["model"] == .string("storyteller-nvfp4"))
        for key in ["text", "ttft_ms", "tpot_ms"] { #expect(json[key] != nil) }
    }

    @Test("a seed is printed as it was given")
    func largestSeed() throws {
        let result = try CommandRunner.run([
            "generate", "--tokens", "1", "--max-new-tokens", "1", "--output-format", "json", "--seed", "\(UInt64.max)",
        ])
        #expect(try JSON(parsing: result.output)["seed"] == .string("18446744073709551615"))
    }

    @Test("tells the same story with activations of 8 bits, asked for by name")
    func int8() throws {
        for (arguments, name) in [([], "full"), (["--activations", "int8"], "int8")] {
            let result = try CommandRunner.run(
                ["generate", "Once upon a time", "--temperature", "0", "--max-new-tokens", "16"] + arguments)
            #expect(result.status == 0)
            #expect(result.output.hasPrefix(", there was a little girl named"))
            #expect(result.errors.contains(" \(name) activations"))
        }
    }

    @Test("token ids in place of a text give the same continuation")
    func tokensAsPrompt() throws {
        let text = try CommandRunner.run([
            "generate", "--tokens", "0,79,80", "--temperature", "0", "--max-new-tokens", "4", "--output-format", "json",
            "--threads", "1",
        ])
        let json = try JSON(parsing: text.output)
        #expect(json["prompt_tokens"] == .integer(3))
        guard case .array(let tokens) = json["tokens"] else {
            Issue.record("no tokens")
            return
        }
        #expect(tokens.count == 4)
    }

    @Test("the same seed tells the same story; a stop string ends it and is not part of it")
    func seedAndStop() throws {
        let arguments = [
            "generate", "Once upon a time", "--seed", "3", "--max-new-tokens", "24", "--output-format", "json",
        ]
        let first = try JSON(parsing: try CommandRunner.run(arguments).output)
        let second = try JSON(parsing: try CommandRunner.run(arguments).output)
        #expect(first["text"] == second["text"])

        let stopped = try JSON(
            parsing: try CommandRunner.run([
                "generate", "Once upon a time", "--temperature", "0", "--max-new-tokens", "16", "--stop", " little",
                "--output-format", "json",
            ]).output)
        #expect(stopped["text"] == .string(", there was a"))
        #expect(stopped["finish_reason"] == .string("stop"))
    }

    @Test("a chat uses the model's template; a prompt can come from standard input")
    func chatFromStandardInput() throws {
        let result = try CommandRunner.run(
            ["generate", "-", "--chat", "--temperature", "0", "--max-new-tokens", "8", "--output-format", "json"],
            input: "Tell me a story about a dog.")
        #expect(result.status == 0)
        guard case .integer(let count) = try JSON(parsing: result.output)["prompt_tokens"] else {
            Issue.record("no prompt_tokens")
            return
        }
        // More than the words: the template's header tokens.
        #expect(count > 12)
    }

    @Test("a chat ends with its story: the model goes on with the begin token of another one")
    func endOfStory() throws {
        let result = try CommandRunner.run([
            "generate", "Tell me a story about a dog.", "--chat", "--seed", "3", "--output-format", "json",
        ])
        let json = try JSON(parsing: result.output)
        #expect(json["finish_reason"] == .string("stop"))
        guard case .array(let tokens) = json["tokens"] else {
            Issue.record("no tokens")
            return
        }
        #expect(!tokens.isEmpty && !tokens.contains(.integer(0)))
    }

    @Test(
        "wrong use ends with status 64 and says what is wrong",
        arguments: [
            (["generate"], "prompt"),
            (["generate", "x", "--tokens", "1"], "not both"),
            (["generate", "x", "--temperature", "-1"], "--temperature: expected 0 to 100, found -1"),
            (["generate", "x", "--temperature", "nan"], "temperature"),
            (["generate", "x", "--top-k", "-5"], "--top-k: expected 0 (all) or a positive count, found -5"),
            (["generate", "x", "--top-p", "0"], "top-p"),
            (["generate", "x", "--min-p", "1.5"], "min-p"),
            (["generate", "x", "--repetition-penalty", "0"], "repetition-penalty"),
            (["generate", "x", "--repetition-penalty", "1e-40"], "--repetition-penalty: expected 0.01 to 100"),
            (["generate", "x", "--max-new-tokens", "0"], "max-new-tokens"),
            (["generate", "x", "--max-new-tokens", "-1"], "--max-new-tokens: expected a positive count, found -1"),
            (["generate", "x", "--threads", "0"], "threads"),
            (["generate", "x", "--threads", "1000000"], "threads"),
            (["generate", "x", "--seed", "-1"], "'-1' is invalid for '--seed"),
            (["generate", "x", "--device", "tpu"], "device"),
            (["generate", "x", "--activations", "int3"], "activations"),
            (["generate", "x", "--stop", ""], "stop"),
            (["generate", "--tokens", "1,,2"], "tokens"),
            (["generate", "--tokens", "-1"], "'-1' is invalid for '--tokens"),
            (["generate", "--tokens", "1", "--chat"], "chat"),
            (["generate", "x", "--no-such-flag"], "no-such-flag"),
            (["nonsense"], "nonsense"),
            (["logits", "--tokens", "1"], "output"),
            (["perplexity"], "text"),
            (["bench", "latency", "--num-iters", "-1"], "--num-iters: expected 1 to 10000, found -1"),
            (["bench", "latency", "--output-len", "1"], "--output-len: expected 2"),
            (["bench", "latency", "--config", "x"], "--load-format dummy"),
        ])
    func wrongUse(_ arguments: [String], _ expected: String) throws {
        let result = try CommandRunner.run(arguments)
        #expect(result.status == 64)
        #expect(result.errors.contains(expected))
        #expect(result.output.isEmpty)
    }

    @Test(
        "a run that fails ends with status 1 and one line that says why",
        arguments: [
            (["generate", "x", "--model", "/nonexistent"], "/nonexistent"),
            (["generate", "x", "--model", "nobody/nothing"], "hf download nobody/nothing"),
            (["generate", "--tokens", "4096"], "4096"),
            (["generate", "--tokens", "99999999999"], "vocabulary"),
            (["generate", "x", "--model", "/dev/null"], "/dev/null"),
            (["generate", "x", "--model", ""], "'': no such folder"),
            (["bench", "latency", "--input-len", "1000", "--output-len", "64"], "exceed the context of 1024"),
            (["perplexity", "--text", "/nonexistent"], "/nonexistent"),
            (["perplexity", "--text", "/dev/null"], "/dev/null"),
            (["inspect", "/nonexistent"], "/nonexistent"),
            (["logits", "--tokens", "1", "--output", "/nonexistent/x"], "/nonexistent/x"),
            (["logits", "--tokens", "1", "--output", "/etc/hostname"], "exists"),
            (["logits", "--tokens", "1", "--output", String(repeating: "x", count: 300)], "too long"),
            (["quantize", Golden.path("models/qwen3_dense-bf16"), ""], "'': expected the path of a folder"),
        ])
    func failedRun(_ arguments: [String], _ expected: String) throws {
        let result = try CommandRunner.run(arguments)
        #expect(result.status == 1)
        #expect(result.errors.contains(expected))
        #expect(result.output.isEmpty)
    }

    @Test("a prompt longer than the context is refused")
    func longPrompt() throws {
        let result = try CommandRunner.run(["generate", "-"], input: String(repeating: "story ", count: 4000))
        #expect(result.status == 1)
        #expect(result.errors.contains("1024"))
    }

    @Test("environment variables that Nibble cannot use are refused by name")
    func environment() throws {
        #if arch(x86_64)
            let otherProcessors = "neon"
        #else
            let otherProcessors = "avx2"
        #endif
        for (name, value) in [
            ("NIBBLE_THREADS", "many"), ("NIBBLE_CPU", "z80"), ("NIBBLE_CPU", otherProcessors),
        ] {
            let result = try CommandRunner.run(["env"], environment: [name: value])
            #expect(result.status == 1)
            #expect(result.errors.contains(name) && result.errors.contains("found '\(value)'"))
        }
        let result = try CommandRunner.run(["env"], environment: ["NIBBLE_THREADS": "1", "NIBBLE_CPU": "plain"])
        #expect(result.status == 0)
        #expect(result.output.contains("NIBBLE_THREADS") && result.output.contains("plain"))
    }
}

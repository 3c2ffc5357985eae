import ModelFiles
import Testing

@Suite struct ModulePatternTests {
    @Test(
        "matches globs as Python's fnmatch does",
        arguments: [
            ("lm_head", "lm_head", true), ("lm_head", "model.lm_head", false), ("lm_head", "lm_head.weight", false),
            ("*", "", true), ("*", "a.b", true), ("vision_model*", "vision_model.layers.0.fc1", true),
            ("vision_model*", "model.vision_model", false),
            ("*.mlp.shared_expert.*", "m.l.0.mlp.shared_expert.up", true),
            ("*.mlp.shared_expert.*", "m.l.0.mlp.shared_expert", false),
            ("model.layers.0.*", "model.layers.10.x", false),
            ("model.layers.?.mlp", "model.layers.7.mlp", true), ("model.layers.?.mlp", "model.layers.17.mlp", false),
            ("*a*b", "xaybzb", true), ("*a*b", "xaybz", false), ("a*a", "a", false), ("**", "x", true), ("", "", true),
            ("", "x", false), ("[kv]_proj", "k_proj", true), ("[kv]_proj", "q_proj", false),
            ("[!kv]_proj", "q_proj", true),
            ("l[0-3]", "l2", true), ("l[0-3]", "l4", false), ("[]a]", "]", true), ("[]a]", "b", false),
            ("[", "[", true),
            ("[a", "[a", true), ("[!", "[!", true), ("[a-]", "-", true), ("a.b", "axb", false), ("[z-a]", "m", false),
        ])
    func globs(pattern: String, name: String, isMatch: Bool) {
        #expect(ModulePattern(kind: .glob, text: pattern).matches(name) == isMatch)
    }

    @Test(
        "matches what a module is in",
        arguments: [
            ("model.layers.*.self_attn", "model.layers.3.self_attn.q_proj", true),
            ("model.layers.*.self_attn", "model.layers.3.self_attn", true),
            ("model.layers.*.self_attn", "model.layers.3.mlp.router", false),
            ("model.layers.*.mlp.router", "model.layers.3.mlp.experts", false), ("lm_head", "lm_head", true),
            ("lm_head", "lm_head2", false),
        ])
    func containers(pattern: String, name: String, isMatch: Bool) {
        #expect(ModulePattern(kind: .globOfContainer, text: pattern).matches(name) == isMatch)
    }

    @Test("takes names literally and leaves regular expressions alone")
    func others() {
        #expect(ModulePattern(kind: .name, text: "a*").matches("a*"))
        #expect(!ModulePattern(kind: .name, text: "a*").matches("ab"))
        let expression = ModulePattern(kind: .regularExpression, text: ".*mlp.gate$")
        #expect(!expression.matches("model.mlp.gate"))
        #expect(expression.description == "re:.*mlp.gate$")
    }

    @Test("does not take forever")
    func boundedTime() {
        let pattern = String(repeating: "*a", count: 200) + "b"
        #expect(!ModulePattern(kind: .glob, text: pattern).matches(String(repeating: "a", count: 2000)))
    }
}

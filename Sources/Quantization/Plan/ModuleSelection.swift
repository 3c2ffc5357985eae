import ModelFiles

/// Which modules keep their precision.
struct ModuleSelection {
    /// Modules that lose too much by four bits for what they weigh, or that engines expect in full precision.
    ///
    /// They are the ones that ModelOpt's recipes (`default_disabled_quantizers`) leave alone, as globs on names.
    static let defaultExclusions = [
        "*lm_head*", "*output_layer*", "*proj_out*",
        "*embed*",
        "*router*", "*.gate", "*shared_expert_gate*",
        "*vision*", "*visual*", "*audio*", "*multi_modal_projector*",
        "*conv1d*", "*linear_attn.in_proj_a*", "*linear_attn.in_proj_b*",
        "mtp.*", "*.mtp.*",
    ]

    private let patterns: [ModulePattern]
    /// Those of the patterns that do not come by default.
    private let added: ArraySlice<ModulePattern>

    /// Keeps the default exclusions and what these globs match.
    init(excluding globs: [String]) {
        patterns = (Self.defaultExclusions + globs).map { ModulePattern(kind: .glob, text: $0) }
        added = patterns.dropFirst(Self.defaultExclusions.count)
    }

    /// The added globs that match none of these weights.
    func unmatched(by weights: [WeightKind]) -> [String] {
        let names = weights.flatMap(\.names)
        return added.filter { pattern in !names.contains(where: pattern.matches) }.map(\.text)
    }

    /// Whether the weight keeps its precision.
    func excludes(_ weight: WeightKind) -> Bool {
        weight.names.contains { name in patterns.contains { $0.matches(name) } }
    }
}

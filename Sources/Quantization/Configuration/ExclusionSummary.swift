/// ModelOpt's form of the list of modules that are not quantized.
///
/// A module is named by its shortest containing module that holds nothing quantized, as a glob: `vision_model*`. Where
/// that prefix also begins the name of something quantized, the glob gets a dot (`model.layers.1.*` beside
/// `model.layers.10`). Same result as `_prefix_wildcard_summarize_exclude_modules` of ModelOpt 0.47.
struct ExclusionSummary {
    /// In ascending order, without duplicates.
    let patterns: [String]

    init(keptModules: [String], quantizedModules: [String]) {
        let sorted = quantizedModules.sorted()
        patterns = Set(keptModules.map { Self.pattern(for: $0, beside: sorted) }).sorted()
    }

    private static func pattern(for module: String, beside quantizedModules: [String]) -> String {
        for dot in module.indices where module[dot] == "." {
            let container = String(module[..<dot])
            if !contains(quantizedModules, prefix: container) { return container + "*" }
            if !contains(quantizedModules, prefix: container + ".") { return container + ".*" }
        }
        return module
    }

    /// Whether a sorted list has a name that begins so.
    private static func contains(_ names: [String], prefix: String) -> Bool {
        var (low, high) = (0, names.count)
        while low < high {
            let middle = (low + high) / 2
            if names[middle] < prefix { low = middle + 1 } else { high = middle }
        }
        return low < names.count && names[low].hasPrefix(prefix)
    }
}

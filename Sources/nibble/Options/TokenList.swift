import ArgumentParser

/// Token ids separated by commas: `1,2,3`.
struct TokenList: ExpressibleByArgument {
    let ids: [Int]

    init?(argument: String) {
        let ids = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard ids.allSatisfy({ ($0 ?? -1) >= 0 }) else { return nil }
        self.ids = ids.compactMap { $0 }
    }
}

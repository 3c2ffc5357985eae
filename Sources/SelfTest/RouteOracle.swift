#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

internal import CUDAKernels

/// Routing in float64, written for clarity.
enum RouteOracle {
    /// The experts of one token in the order in which they are chosen, and their weights.
    ///
    /// - Parameter gap: becomes smaller if the choice hangs on a smaller difference of rounded numbers.
    static func choices(
        _ method: Route.Method, topK: Int, logits: ArraySlice<Float>, biases: [Float], gap: inout Double
    ) -> [(expert: Int, weight: Double)] {
        let logits = logits.map { Double($0) }
        func exponentials(_ experts: [Int]) -> [Double] { experts.map { exp(logits[$0]) } }
        func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
        switch method {
        case .softmax:
            let sum = exponentials(Array(logits.indices)).reduce(0, +)
            return largest(logits, topK).map { ($0, exp(logits[$0]) / sum) }
        case .softmaxOfSelected:
            let chosen = largest(logits, topK)
            let sum = exponentials(chosen).reduce(0, +)
            return chosen.map { ($0, exp(logits[$0]) / sum) }
        case .sigmoid:
            return largest(logits, topK).map { ($0, sigmoid(logits[$0])) }
        case .biasedSigmoid(let groupCount, let chosenGroupCount, let renormalized):
            let scores = logits.map(sigmoid)
            var biased = zip(scores, biases).map { $0 + Double($1) }
            let size = logits.count / groupCount
            let groups = (0..<groupCount).map { group in
                largest(Array(biased[group * size..<(group + 1) * size]), 2)
                    .reduce(0) { $0 + biased[group * size + $1] }
            }
            let kept = Set(largest(groups, chosenGroupCount))
            gap = min(gap, smallestGap(groups, chosenGroupCount))
            for expert in biased.indices where !kept.contains(expert / size) { biased[expert] = -.infinity }
            let chosen = largest(biased, topK)
            gap = min(gap, smallestGap(biased, topK))
            let sum = renormalized ? chosen.reduce(0) { $0 + scores[$1] } : 1
            return chosen.map { ($0, scores[$0] / sum) }
        }
    }

    /// The smallest difference between neighbours in order, among the largest values and the next one.
    private static func smallestGap(_ values: [Double], _ count: Int) -> Double {
        let sorted = values.sorted(by: >).prefix(count + 1)
        return zip(sorted, sorted.dropFirst()).map { $0 - $1 }.min() ?? .infinity
    }

    /// The indices of the largest values, by falling value; equal ones by index.
    private static func largest(_ values: [Double], _ count: Int) -> [Int] {
        Array(values.indices.sorted { (-values[$0], $0) < (-values[$1], $1) }.prefix(count))
    }

    /// Rows sorted by expert, then by token.
    struct Rows {
        private(set) var tokens: [UInt32] = []
        private(set) var weights: [Double] = []
        private(set) var slotRows: [UInt32]
        let blockLists: [[UInt32]]

        init(_ choices: [[(expert: Int, weight: Double)]], blockRowCounts: [Int]) {
            let topK = choices.first?.count ?? 0
            var slotsOfExperts: [Int: [Int]] = [:]
            for (token, choices) in choices.enumerated() {
                for (slot, choice) in choices.enumerated() {
                    slotsOfExperts[choice.expert, default: []].append(token * topK + slot)
                }
            }
            slotRows = [UInt32](repeating: 0, count: choices.count * topK)
            var lists = blockRowCounts.map { _ in [UInt32](repeating: 0, count: 4) }
            for (expert, slots) in slotsOfExperts.sorted(by: { $0.key < $1.key }) {
                for (index, limit) in blockRowCounts.enumerated() {
                    let (blocks, rest) = slots.count.quotientAndRemainder(dividingBy: limit)
                    let equal = Double(slots.count) / Double(max(1, blocks + rest.signum()))
                    let most = min(limit, Int((equal / 8).rounded(.up)) * 8)
                    for first in stride(from: 0, to: slots.count, by: most) {
                        let count = min(most, slots.count - first)
                        lists[index] += [UInt32(expert), UInt32(tokens.count + first), UInt32(count), 0]
                        lists[index][0] += 1
                    }
                }
                for slot in slots {
                    slotRows[slot] = UInt32(tokens.count)
                    tokens.append(UInt32(slot / topK))
                    weights.append(choices[slot / topK][slot % topK].weight)
                }
            }
            blockLists = lists
        }
    }
}

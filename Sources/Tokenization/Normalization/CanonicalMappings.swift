/// Canonical decomposition and composition of scalars (Unicode Standard, sections 3.7, 3.11 and 3.12).
struct CanonicalMappings: Sendable {
    static let shared = CanonicalMappings()

    /// One step of decomposition; the second scalar is 0 if there is only one.
    private var decompositions: [UInt32: (first: UInt32, second: UInt32)] = [:]
    /// The composite by its two parts.
    private var compositions: [UInt64: UInt32] = [:]
    /// The scalars that composition may change, join to what comes before, or move.
    private var unstableScalars = ScalarSetTable()

    /// Where the algorithm of section 3.12 places the Hangul syllables and their parts.
    private enum Hangul {
        static let syllables: ClosedRange<UInt32> = 0xAC00...0xD7A3
        static let leading: ClosedRange<UInt32> = 0x1100...0x1112
        static let vowels: ClosedRange<UInt32> = 0x1161...0x1175
        static let trailing: ClosedRange<UInt32> = 0x11A8...0x11C2
        static let vowelCount: UInt32 = 21
        static let trailingCount: UInt32 = 28
    }

    private init() {
        var unstable = [Hangul.vowels, Hangul.trailing]
        for mapping in CanonicalMappingText.text.split(whereSeparator: \.isWhitespace) {
            let isComposable = !mapping.contains("!")
            let numbers = mapping.split { "=!+".contains($0) }.compactMap { UInt32($0, radix: 16) }
            let second = numbers.count > 2 ? numbers[2] : 0
            decompositions[numbers[0]] = (numbers[1], second)
            if second != 0, isComposable {
                compositions[Self.pair(numbers[1], second)] = numbers[0]
                unstable.append(second...second)
            } else {
                unstable.append(numbers[0]...numbers[0])
            }
        }
        let joining = ScalarSet(unstable)
        unstable += decompositions.keys.filter { joining.contains(firstScalar(of: $0)) }.map { $0...$0 }
        let marks = ScalarSet { $0.properties.canonicalCombiningClass != .notReordered }
        _ = unstableScalars.insert(marks.union(ScalarSet(unstable)))
    }

    private static func pair(_ first: UInt32, _ second: UInt32) -> UInt64 { UInt64(first) << 32 | UInt64(second) }

    private func firstScalar(of scalar: UInt32) -> UInt32 {
        var first = scalar
        while let mapping = decompositions[first] { first = mapping.first }
        return first
    }

    /// Whether composition never changes this scalar nor anything across the border before it.
    func isStable(_ scalar: UInt32) -> Bool { !unstableScalars.contains(scalar, inSet: 0) }

    /// Appends the full decomposition of a scalar.
    func decompose(_ scalar: UInt32, into result: inout [UInt32]) {
        if Hangul.syllables.contains(scalar) {
            let index = scalar - Hangul.syllables.lowerBound
            let (block, trailing) = index.quotientAndRemainder(dividingBy: Hangul.trailingCount)
            result.append(Hangul.leading.lowerBound + block / Hangul.vowelCount)
            result.append(Hangul.vowels.lowerBound + block % Hangul.vowelCount)
            if trailing != 0 { result.append(Hangul.trailing.lowerBound - 1 + trailing) }
        } else if let mapping = decompositions[scalar] {
            decompose(mapping.first, into: &result)
            if mapping.second != 0 { decompose(mapping.second, into: &result) }
        } else {
            result.append(scalar)
        }
    }

    /// The composite of two scalars, if there is one.
    func compose(_ first: UInt32, _ second: UInt32) -> UInt32? {
        if Hangul.leading.contains(first), Hangul.vowels.contains(second) {
            let block = (first - Hangul.leading.lowerBound) * Hangul.vowelCount + second - Hangul.vowels.lowerBound
            return Hangul.syllables.lowerBound + block * Hangul.trailingCount
        }
        if Hangul.syllables.contains(first), Hangul.trailing.contains(second),
            (first - Hangul.syllables.lowerBound) % Hangul.trailingCount == 0
        {
            return first + second - (Hangul.trailing.lowerBound - 1)
        }
        return compositions[Self.pair(first, second)]
    }
}

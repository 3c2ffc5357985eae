/// A canonical Unicode normalization form (Unicode Standard Annex 15), in time that grows like n log n at worst.
///
/// The standard library's own conversion is not public and takes quadratic time on a long run of combining marks.
enum NormalizationForm: String, Sendable {
    case composed = "NFC"
    case decomposed = "NFD"

    /// Normalizes valid UTF-8.
    ///
    /// Only stretches around scalars that the form can change are converted; the rest is copied.
    func normalize(_ bytes: [UInt8]) -> [UInt8] {
        // Below U+0300 (bytes CC 80) composition changes nothing, and below U+0080 decomposition.
        let firstAffectedByte: UInt8 = self == .composed ? 0xCC : 0x80
        guard bytes.contains(where: { $0 >= firstAffectedByte }) else { return bytes }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        bytes.withUnsafeBufferPointer { text in
            var copied = 0
            var lastStable = 0
            var position = 0
            while position < text.count {
                let (scalar, byteCount) = text.scalar(at: position)
                if isStable(scalar) {
                    lastStable = position
                    position += byteCount
                    continue
                }
                let end = stretchEnd(in: text, from: position + byteCount)
                result.append(contentsOf: text[copied..<lastStable])
                append(text[lastStable..<end], to: &result)
                (copied, lastStable, position) = (end, end, end)
            }
            result.append(contentsOf: text[copied...])
        }
        return result
    }

    private func isStable(_ scalar: UInt32) -> Bool {
        // Decomposition is rare and need not be fast; it only needs every border to be one that marks do not cross.
        self == .composed ? CanonicalMappings.shared.isStable(scalar) : scalar < 0x80
    }

    private func stretchEnd(in text: UnsafeBufferPointer<UInt8>, from start: Int) -> Int {
        var end = start
        while end < text.count {
            let (scalar, byteCount) = text.scalar(at: end)
            if isStable(scalar) { break }
            end += byteCount
        }
        return end
    }

    /// Appends the normalization of a stretch whose borders no mark crosses.
    private func append(_ stretch: Slice<UnsafeBufferPointer<UInt8>>, to result: inout [UInt8]) {
        var scalars: [UInt32] = []
        var position = stretch.startIndex
        while position < stretch.endIndex {
            let (scalar, byteCount) = stretch.base.scalar(at: position)
            CanonicalMappings.shared.decompose(scalar, into: &scalars)
            position += byteCount
        }
        let classes = Self.sortMarks(in: &scalars)
        if self == .composed { Self.compose(&scalars, classes) }
        for scalar in scalars {
            result.append(
                contentsOf: UTF8.encode(Unicode.Scalar(scalar) ?? "\u{FFFD}") ?? UTF8.encodedReplacementCharacter)
        }
    }

    /// Sorts each run of marks by combining class, keeping equal ones in order, and returns the classes.
    private static func sortMarks(in scalars: inout [UInt32]) -> [UInt8] {
        var classes = scalars.map { Unicode.Scalar($0)?.properties.canonicalCombiningClass.rawValue ?? 0 }
        var start = 0
        while start < scalars.count {
            guard classes[start] != 0 else {
                start += 1
                continue
            }
            let end = classes[start...].firstIndex(of: 0) ?? scalars.count
            let run = zip(classes[start..<end], scalars[start..<end]).enumerated()
                .sorted { ($0.element.0, $0.offset) < ($1.element.0, $1.offset) }
            for (index, mark) in zip(start..<end, run) { (classes[index], scalars[index]) = mark.element }
            start = end
        }
        return classes
    }

    /// Joins each scalar to the last starter before it unless something in between blocks it.
    private static func compose(_ scalars: inout [UInt32], _ classes: [UInt8]) {
        var count = 0
        var starter: Int?
        var lastClass: UInt8 = 0
        for (scalar, combiningClass) in zip(scalars, classes) {
            if let starter, starter + 1 == count || lastClass != 0 && lastClass < combiningClass,
                let composite = CanonicalMappings.shared.compose(scalars[starter], scalar)
            {
                scalars[starter] = composite
                continue
            }
            if combiningClass == 0 { starter = count }
            lastClass = combiningClass
            scalars[count] = scalar
            count += 1
        }
        scalars.removeLast(scalars.count - count)
    }
}

extension PythonString {
    /// Where `part` first begins at or after `start`, in linear time (Knuth, Morris and Pratt).
    func firstIndex(of part: [Unicode.Scalar], from start: Int = 0) -> Int? {
        guard start <= count else { return nil }
        guard let first = part.first else { return start }
        guard part.count > 1 else { return scalars[start...].firstIndex(of: first) }
        let borders = Self.borders(of: part)
        var matched = 0
        for index in start..<count {
            while matched > 0, part[matched] != scalars[index] { matched = borders[matched - 1] }
            if part[matched] == scalars[index] { matched += 1 }
            if matched == part.count { return index + 1 - matched }
        }
        return nil
    }

    /// Where `part` last begins.
    func lastIndex(of part: [Unicode.Scalar]) -> Int? {
        let reversed = PythonString(scalars.reversed())
        return reversed.firstIndex(of: part.reversed()).map { count - part.count - $0 }
    }

    /// Where `part` occurs without overlap, at most `limit` times.
    func indices(of part: [Unicode.Scalar], limit: Int) -> [Int] {
        var found: [Int] = []
        let borders = Self.borders(of: part)
        var matched = 0
        for (index, scalar) in scalars.enumerated() where found.count < limit {
            while matched > 0, part[matched] != scalar { matched = borders[matched - 1] }
            if part[matched] == scalar { matched += 1 }
            if matched == part.count {
                found.append(index + 1 - matched)
                matched = 0
            }
        }
        return found
    }

    /// For each prefix of `part`, the length of its longest proper prefix that is also its suffix.
    private static func borders(of part: [Unicode.Scalar]) -> [Int] {
        var borders = Array(repeating: 0, count: part.count)
        var length = 0
        for index in part.indices.dropFirst() {
            while length > 0, part[index] != part[length] { length = borders[length - 1] }
            if part[index] == part[length] { length += 1 }
            borders[index] = length
        }
        return borders
    }

    /// The string without the scalars at its ends for which `isStripped` holds.
    func stripped(
        leading: Bool = true, trailing: Bool = true, _ isStripped: (Unicode.Scalar) -> Bool
    ) -> PythonString {
        var rest = scalars[...]
        if leading { rest = rest.drop(while: isStripped) }
        if trailing { while let last = rest.last, isStripped(last) { rest.removeLast() } }
        return with(rest)
    }

    /// The lines, with or without their breaks; `\r\n` is one break.
    func lines(keepsBreaks: Bool = false) -> [PythonString] {
        var lines: [PythonString] = []
        var start = 0
        var index = 0
        while index < count {
            let scalar = scalars[index]
            index += 1
            guard scalar.isPythonLineBreak else { continue }
            let end = index - 1
            if scalar == "\r", index < count, scalars[index] == "\n" { index += 1 }
            lines.append(with(scalars[start..<(keepsBreaks ? index : end)]))
            start = index
        }
        if start < count { lines.append(with(scalars[start...])) }
        return lines
    }
}

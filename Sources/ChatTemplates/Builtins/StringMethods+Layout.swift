extension StringMethods {
    static let layouts: [String: StringMethod] = [
        "center": center,
        "ljust": { (string, arguments, evaluator) throws(Failure) in
            try pad("ljust", string, arguments, evaluator) { (missing, _) in (0, missing) }
        },
        "rjust": { (string, arguments, evaluator) throws(Failure) in
            try pad("rjust", string, arguments, evaluator) { (missing, _) in (missing, 0) }
        },
        "zfill": fillWithZeros,
        "expandtabs": expandTabs,
    ]

    @Sendable static func center(
        _ string: PythonString, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        // Where the two sides cannot be equal, Python makes the left one longer if the width is odd.
        try pad("center", string, arguments, evaluator) { (missing, width) in
            let left = missing / 2 + (missing & width & 1)
            return (left, missing - left)
        }
    }

    private static func pad(
        _ method: String, _ string: PythonString, _ arguments: Arguments, _ evaluator: Evaluator,
        _ sides: (_ missing: Int, _ width: Int) -> (left: Int, right: Int)
    ) throws(Failure) -> Value {
        let values = try arguments.bind("width", "fillchar", to: method, required: 1)
        let width = try values[0].integer(of: method, default: 0)
        let filling = try values[1].string(of: method) ?? " "
        guard filling.count == 1 else { throw Failure("The fill character must be exactly one character long") }
        guard width > string.count else { return .string(string) }
        try evaluator.fuel.charge(width)
        let (left, right) = sides(width - string.count, width)
        let padding = { (count: Int) in Array(repeating: filling.scalars[0], count: count) }
        return .string(string.with(padding(left) + string.scalars + padding(right)))
    }

    @Sendable private static func fillWithZeros(
        _ string: PythonString, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let width = try arguments.bind("width", to: "zfill", required: 1)[0].integer(of: "zfill", default: 0)
        guard width > string.count else { return .string(string) }
        try evaluator.fuel.charge(width)
        let sign = string.scalars.prefix { $0 == "-" || $0 == "+" }.prefix(1)
        let zeros = Array(repeating: "0" as Unicode.Scalar, count: width - string.count)
        return .string(string.with(sign + zeros + string.scalars.dropFirst(sign.count)))
    }

    @Sendable private static func expandTabs(
        _ string: PythonString, _ arguments: Arguments, _ evaluator: Evaluator
    ) throws(Failure) -> Value {
        let size = try arguments.bind("tabsize", to: "expandtabs")[0].integer(of: "expandtabs", default: 8)
        try evaluator.fuel.charge(string.count)
        var result: [Unicode.Scalar] = []
        var column = 0
        for scalar in string.scalars {
            if scalar == "\t" {
                let count = size > 0 ? size - column % size : 0
                try evaluator.fuel.charge(count)
                result += Array(repeating: " ", count: count)
                column += count
            } else {
                result.append(scalar)
                column = scalar == "\n" || scalar == "\r" ? 0 : column + 1
            }
        }
        return .string(string.with(result))
    }
}

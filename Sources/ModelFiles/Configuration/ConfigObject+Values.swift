// Each kind of value has two forms: `optionalX` answers nil for an absent key, `x` the default or an error.
extension ConfigObject {
    /// An integer, also one that is written `1e6` or `10000.0`, or nil if the key is absent.
    ///
    /// - Throws: ``ModelFileError`` with code `mismatched` for another type or a value outside `range`.
    public func optionalInteger(
        _ key: String, in range: ClosedRange<Int> = .min ... .max
    ) throws(ModelFileError) -> Int? {
        guard let member = self[key] else { return nil }
        return try integer(member, key, in: range)
    }

    /// An integer, also one that is written `1e6` or `10000.0`.
    ///
    /// - Throws: ``ModelFileError`` with code `mismatched` for another type or a value outside `range`, `missing` if the
    ///   key is absent and there is no default.
    public func integer(
        _ key: String, in range: ClosedRange<Int> = .min ... .max, default fallback: Int? = nil
    ) throws(ModelFileError) -> Int {
        guard let value = try optionalInteger(key, in: range) ?? fallback else {
            throw missing(key, expected: "an integer")
        }
        return value
    }

    /// A number, or nil if the key is absent.
    ///
    /// - Throws: ``ModelFileError`` with code `mismatched` for another type or a value outside `range`.
    public func optionalNumber(
        _ key: String, in range: ClosedRange<Double> = finiteNumbers
    ) throws(ModelFileError) -> Double? {
        guard let member = self[key] else { return nil }
        let number: Double
        switch member {
        case .integer(let value): number = Double(value)
        case .number(let value): number = value
        default: throw mismatch(key, member, expected: "a number")
        }
        guard range.contains(number) else { throw outOfRange(key, "\(number)", range) }
        return number
    }

    /// A number.
    ///
    /// - Throws: ``ModelFileError`` with code `mismatched` for another type or a value outside `range`, `missing` if the
    ///   key is absent and there is no default.
    public func number(
        _ key: String, in range: ClosedRange<Double> = finiteNumbers, default fallback: Double? = nil
    ) throws(ModelFileError) -> Double {
        guard let value = try optionalNumber(key, in: range) ?? fallback else {
            throw missing(key, expected: "a number")
        }
        return value
    }

    /// A boolean, or nil if the key is absent.
    ///
    /// - Throws: ``ModelFileError`` with code `mismatched` for another type.
    public func optionalBool(_ key: String) throws(ModelFileError) -> Bool? {
        guard let member = self[key] else { return nil }
        guard case .bool(let value) = member else { throw mismatch(key, member, expected: "a boolean") }
        return value
    }

    /// A boolean.
    ///
    /// - Throws: ``ModelFileError`` with code `mismatched` for another type, `missing` if the key is absent and there is
    ///   no default.
    public func bool(_ key: String, default fallback: Bool? = nil) throws(ModelFileError) -> Bool {
        guard let value = try optionalBool(key) ?? fallback else { throw missing(key, expected: "a boolean") }
        return value
    }

    /// A string, or nil if the key is absent.
    ///
    /// - Throws: ``ModelFileError`` with code `mismatched` for another type.
    public func optionalString(_ key: String) throws(ModelFileError) -> String? {
        guard let member = self[key] else { return nil }
        guard case .string(let value) = member else { throw mismatch(key, member, expected: "a string") }
        return value
    }

    /// A string.
    ///
    /// - Throws: ``ModelFileError`` with code `mismatched` for another type, `missing` if the key is absent and there is
    ///   no default.
    public func string(_ key: String, default fallback: String? = nil) throws(ModelFileError) -> String {
        guard let value = try optionalString(key) ?? fallback else { throw missing(key, expected: "a string") }
        return value
    }

    /// One integer or an array of them, as `eos_token_id` is written; empty if the key is absent.
    ///
    /// - Throws: ``ModelFileError`` with code `mismatched` for another type or a value outside `range`.
    public func integers(
        _ key: String, in range: ClosedRange<Int> = .min ... .max
    ) throws(ModelFileError) -> [Int] {
        guard let member = self[key] else { return [] }
        guard case .array(let elements) = member else { return [try integer(member, key, in: range)] }
        var integers: [Int] = []
        for (index, element) in elements.enumerated() {
            integers.append(try integer(element, "\(key)[\(index)]", in: range))
        }
        return integers
    }

    /// An array of strings; empty if the key is absent.
    ///
    /// - Throws: ``ModelFileError`` with code `mismatched` for another type.
    public func strings(_ key: String) throws(ModelFileError) -> [String] {
        guard let member = self[key] else { return [] }
        guard case .array(let elements) = member else { throw mismatch(key, member, expected: "an array of strings") }
        var strings: [String] = []
        for (index, element) in elements.enumerated() {
            guard case .string(let value) = element else {
                throw mismatch("\(key)[\(index)]", element, expected: "a string")
            }
            strings.append(value)
        }
        return strings
    }

    /// Every number that a file can hold.
    public static var finiteNumbers: ClosedRange<Double> { -.greatestFiniteMagnitude ... .greatestFiniteMagnitude }

    private func integer(_ member: JSON, _ key: String, in range: ClosedRange<Int>) throws(ModelFileError) -> Int {
        let integer: Int
        switch member {
        case .integer(let value): integer = value
        case .number(let number):
            guard let value = Int(exactly: number) else {
                throw error(.mismatched, key, "expected an integer, found \(number)")
            }
            integer = value
        default: throw mismatch(key, member, expected: "an integer")
        }
        guard range.contains(integer) else { throw outOfRange(key, "\(integer)", range) }
        return integer
    }

    private func outOfRange<Bound>(_ key: String, _ found: String, _ range: ClosedRange<Bound>) -> ModelFileError {
        error(.mismatched, key, "expected \(range.lowerBound) to \(range.upperBound), found \(found)")
    }
}

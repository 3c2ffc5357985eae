#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A date and a time of day in some time zone, for `strftime_now`.
public struct CalendarTime: Sendable, Equatable {
    /// The year, of the common era.
    public var year: Int
    /// The month, 1 to 12.
    public var month: Int
    /// The day of the month, 1 to 31.
    public var day: Int
    /// The hour, 0 to 23.
    public var hour: Int
    /// The minute, 0 to 59.
    public var minute: Int
    /// The second, 0 to 59.
    public var second: Int

    /// A date and time.
    public init(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0) {
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
    }

    /// The time now, in the local time zone.
    public static func current() -> CalendarTime {
        var seconds = time(nil)
        var fields = tm()
        localtime_r(&seconds, &fields)
        return CalendarTime(
            year: Int(fields.tm_year) + 1900, month: Int(fields.tm_mon) + 1, day: Int(fields.tm_mday),
            hour: Int(fields.tm_hour), minute: Int(fields.tm_min), second: Int(fields.tm_sec))
    }

    /// The time in the format of C's and Python's `strftime`.
    func formatted(_ format: String) throws(Failure) -> String {
        guard !format.isEmpty else { return "" }
        let hasZero = format.utf8.contains(0)
        guard !hasZero, format.utf8.count <= 256 else {
            throw Failure("the format of strftime_now has more than 256 bytes or holds a zero")
        }
        // As in Python, a time without a zone prints nothing for its zone, and microseconds are Python's own; a
        // leading mark tells an empty result from a failure.
        let prepared = "." + Self.replaceDirectives(format)
        var fields = fields
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = strftime(&buffer, buffer.count, prepared, &fields)
        guard count > 0 else { throw Failure("the result of strftime_now is too long") }
        return String(decoding: buffer[1..<count].map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    private static func replaceDirectives(_ format: String) -> String {
        var result = String.UnicodeScalarView()
        var isAfterPercent = false
        for scalar in format.unicodeScalars {
            guard isAfterPercent else {
                isAfterPercent = scalar == "%"
                if !isAfterPercent { result.append(scalar) }
                continue
            }
            isAfterPercent = false
            switch scalar {
            case "z", "Z": break
            case "f": result.append(contentsOf: "000000".unicodeScalars)
            default: result.append(contentsOf: ["%", scalar])
            }
        }
        if isAfterPercent { result.append("%") }
        return String(result)
    }

    /// The fields with the day of the week and of the year, which the C library works out.
    private var fields: tm {
        var fields = tm()
        fields.tm_year = Int32(clamping: year - 1900)
        fields.tm_mon = Int32(clamping: month - 1)
        fields.tm_mday = Int32(clamping: day)
        fields.tm_hour = Int32(clamping: hour)
        fields.tm_min = Int32(clamping: minute)
        fields.tm_sec = Int32(clamping: second)
        var normalized = fields
        timegm(&normalized)
        fields.tm_wday = normalized.tm_wday
        fields.tm_yday = normalized.tm_yday
        return fields
    }
}

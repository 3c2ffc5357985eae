import FP4

/// The formats written down a second time, in the plainest form: tables of values and a search for the nearest one.
enum BruteForce {
    /// The magnitudes of the E2M1 codes 0...7.
    static let e2m1: [Double] = [0, 0.5, 1, 1.5, 2, 3, 4, 6]

    /// The magnitudes of the E4M3 codes 0...126.
    static let e4m3: [Double] = (0..<127).map { code in
        let (exponent, significand) = (code / 8, Double(code % 8) / 8)
        return exponent == 0 ? significand * power(-6) : (1 + significand) * power(exponent - 7)
    }

    /// 2 to an exponent.
    static func power(_ exponent: Int) -> Double { Double(sign: .plus, exponent: exponent, significand: 1) }

    /// The index of the table's nearest value, the even one of two equally near, the last one beyond it and for NaN.
    static func nearest(_ magnitude: Float, in table: [Double]) -> Int {
        let value = Double(magnitude)
        guard value < table[table.count - 1] else { return table.count - 1 }
        var best = 0
        for index in 1..<table.count {
            let (old, new) = (abs(table[best] - value), abs(table[index] - value))
            if new < old || (new == old && index % 2 == 0) { best = index }
        }
        return best
    }

    /// The E2M1 code of a value: its sign, unless it is NaN, and the nearest magnitude.
    static func e2m1Code(_ value: Float) -> UInt8 {
        let sign: UInt8 = value.sign == .minus && !value.isNaN ? 8 : 0
        return sign | UInt8(nearest(value.magnitude, in: e2m1))
    }

    /// The code of a value whose zero has lost its sign.
    static func e2m1CodeUnsignedZero(_ value: Float) -> UInt8 { value == 0 ? 0 : e2m1Code(value) }

    /// The E4M3 code of a scale that is not negative.
    static func e4m3Code(_ value: Float) -> UInt8 { value.isNaN ? 0x7F : UInt8(nearest(value, in: e4m3)) }

    /// The value of an E4M3 code without sign.
    static func e4m3Value(_ code: UInt8) -> Float { code == 0x7F ? .nan : Float(e4m3[Int(code)]) }

    /// ModelOpt's weights: codes, one an element, and scales.
    static func weights(_ values: [Float], globalScale: Float) -> (codes: [UInt8], scales: [UInt8]) {
        blocks(of: values, size: 16) { block in
            let quotient = maximum(block) / (6 * globalScale)
            let scale = quotient == 0 ? 0x38 : quotient < 0x1p-9 ? 1 : e4m3Code(quotient)
            let step = e4m3Value(scale) * globalScale
            return (block.map { e2m1CodeUnsignedZero($0 / step) }, scale)
        }
    }

    /// vLLM's activations: codes, one an element, and scales.
    static func activations(_ values: [Float], encodeScale: Float) -> (codes: [UInt8], scales: [UInt8]) {
        let inverse = 1 / encodeScale
        return blocks(of: values, size: 16) { block in
            let scale = e4m3Code(encodeScale * (maximum(block) * Float(1.0 / 6.0)))
            guard scale != 0 else { return (block.map { $0 < 0 ? 8 : 0 }, scale) }
            let reciprocal = 1 / (e4m3Value(scale) * inverse)
            let factor = min(reciprocal, .greatestFiniteMagnitude)
            return (block.map { e2m1Code(($0 == 0 ? 0 : $0) * factor) }, scale)
        }
    }

    /// MXFP4 weights under the rule EVEN: codes, one an element, and scales.
    static func evenMXFP4(_ values: [Float]) -> (codes: [UInt8], scales: [UInt8]) {
        blocks(of: values, size: 32) { block in
            let maximum = Double(maximum(block))
            guard !maximum.isNaN else { return (block.map { _ in 7 }, 0xFF) }
            // The largest exponent whose 1.75 the maximum reaches is the one below the rounded maximum's.
            var exponent = 126
            while exponent > -127, maximum < 1.75 * power(exponent + 1) { exponent -= 1 }
            let step = Float(power(exponent))
            return (block.map { e2m1CodeUnsignedZero($0 / step) }, UInt8(exponent + 127))
        }
    }

    private static func maximum(_ block: ArraySlice<Float>) -> Float {
        block.contains { $0.isNaN } ? .nan : block.reduce(0) { max($0, abs($1)) }
    }

    private static func blocks(
        of values: [Float], size: Int, quantize: (ArraySlice<Float>) -> (codes: [UInt8], scale: UInt8)
    ) -> (codes: [UInt8], scales: [UInt8]) {
        var result: (codes: [UInt8], scales: [UInt8]) = ([], [])
        for start in stride(from: 0, to: values.count, by: size) {
            let (codes, scale) = quantize(values[start..<start + size])
            result.codes += codes
            result.scales.append(scale)
        }
        return result
    }
}

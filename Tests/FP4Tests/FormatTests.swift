import FP4
import TestSupport
import Testing

@Suite("Number formats")
struct FormatTests {
    /// Every BF16 number as a Float.
    static let allBFloat16 = (0...UInt16.max).map { Float(BFloat16(bits: $0)) }

    @Test("E2M1, E4M3 and E8M0 decode every code as the references do")
    func decodesEveryCode() throws {
        let golden = try GoldenTensors("quant/scalar_codes.safetensors")
        let e2m1 = (0..<16).map { Float(E2M1(bits: $0)) }
        #expect(bits(e2m1) == bits(try golden.tensor("e2m1_decode").floats()))
        for (code, expected) in try golden.tensor("e4m3_decode").floats().enumerated() {
            let value = Float(E4M3(bits: UInt8(code)))
            #expect(expected.isNaN ? value.isNaN : value.bitPattern == expected.bitPattern, "E4M3 code \(code)")
        }
        for (code, expected) in try golden.tensor("e8m0_decode").floats().enumerated() {
            let value = Float(E8M0(bits: UInt8(code)))
            #expect(expected.isNaN ? value.isNaN : value == expected, "E8M0 code \(code)")
        }
    }

    @Test("E2M1 and E4M3 encode as the references do")
    func encodesAsTheReferences() throws {
        let golden = try GoldenTensors("quant/scalar_codes.safetensors")
        let e2m1 = try golden.tensor("e2m1_encode_in").floats().map { E2M1($0).bits }
        #expect(e2m1 == (try golden.tensor("e2m1_encode_out").bytes))
        let e4m3 = try golden.tensor("e4m3_encode_in").floats().map { E4M3($0).bits }
        #expect(e4m3 == (try golden.tensor("e4m3_encode_out").bytes))
    }

    @Test("E2M1 and E4M3 encode every BF16 number to the nearest code")
    func encodesEveryBFloat16() {
        let wrong = Self.allBFloat16.filter { value in
            let sign: UInt8 = value.sign == .minus ? 0x80 : 0
            return E2M1(value).bits != BruteForce.e2m1Code(value)
                || E4M3(value).bits != sign | BruteForce.e4m3Code(value.magnitude)
        }
        #expect(wrong == [])
    }

    @Test("E2M1 and E4M3 round halves to the even code and their neighbours away")
    func roundsHalvesToEven() {
        func check(_ table: [Double], encode: (Float) -> UInt8) {
            for (code, pair) in zip(table, table.dropFirst()).enumerated() {
                let half = Float((pair.0 + pair.1) / 2)
                #expect(encode(half) == UInt8(code + code % 2))
                #expect(encode(half.nextDown) == UInt8(code))
                #expect(encode(half.nextUp) == UInt8(code + 1))
            }
        }
        check(BruteForce.e2m1) { E2M1($0).bits }
        check(BruteForce.e4m3) { E4M3($0).bits }
    }

    @Test("E2M1 and E4M3 saturate, keep the sign of zero, and give NaN a fixed code")
    func encodesSpecialNumbers() {
        let e2m1: [(Float, UInt8)] = [
            (6.5, 7), (1e38, 7), (.infinity, 7), (-.infinity, 15), (.nan, 7), (-.nan, 7),
            (0, 0), (-0.0, 8), (-.leastNonzeroMagnitude, 8),
        ]
        for (value, code) in e2m1 { #expect(E2M1(value).bits == code, "\(value)") }
        let e4m3: [(Float, UInt8)] = [
            (449, 0x7E), (480, 0x7E), (.infinity, 0x7E), (-.infinity, 0xFE), (.nan, 0x7F),
            (0, 0), (-0.0, 0x80), (.leastNonzeroMagnitude, 0),
        ]
        for (value, code) in e4m3 { #expect(E4M3(value).bits == code, "\(value)") }
        #expect(Float(E2M1.greatestFiniteMagnitude) == 6)
        #expect(Float(E4M3.greatestFiniteMagnitude) == 448)
        #expect(Float(E4M3.leastNonzeroMagnitude) == 0x1p-9)
        #expect(Float(E4M3.one) == 1)
        #expect(Float(E4M3.nan).isNaN && Float(E8M0.nan).isNaN)
        #expect(E2M1(bits: 0xF3) == E2M1(bits: 3))
    }

    @Test("BF16 keeps every number and rounds halves to even")
    func roundsBFloat16() {
        for pattern in 0...UInt16.max {
            let value = Float(BFloat16(bits: pattern))
            #expect(value.bitPattern == UInt32(pattern) << 16)
            guard !value.isNaN else {
                #expect(BFloat16(value).bits == pattern | 0x40)
                continue
            }
            #expect(BFloat16(value).bits == pattern)
            guard value.isFinite else { continue }
            let half = Float(bitPattern: UInt32(pattern) << 16 | 0x8000)
            #expect(BFloat16(half).bits == pattern + pattern % 2)
            #expect(BFloat16(Float(bitPattern: half.bitPattern - 1)).bits == pattern)
            #expect(BFloat16(Float(bitPattern: half.bitPattern + 1)).bits == pattern + 1)
        }
    }

    #if !(os(macOS) && arch(x86_64))
        @Test("FP16 agrees with the processor's half precision")
        func agreesWithFloat16() {
            for pattern in 0...UInt16.max {
                let expected = Float(Float16(bitPattern: pattern))
                let value = Float(FP16(bits: pattern))
                guard !expected.isNaN else {
                    #expect(value.isNaN && Float(FP16(value)).isNaN)
                    continue
                }
                #expect(value.bitPattern == expected.bitPattern)
                let half = (value + Float(Float16(bitPattern: pattern).nextUp)) / 2
                for neighbour in [value, half, half.nextUp, half.nextDown] {
                    #expect(FP16(neighbour).bits == Float16(neighbour).bitPattern, "\(neighbour)")
                }
            }
            for value: Float in [65504, 65519, 65520, 1e6, .infinity, 0x1p-24, 0x1p-25, 0x1.8p-25, 0x1p-149] {
                #expect(FP16(value).bits == Float16(value).bitPattern, "\(value)")
                #expect(FP16(-value).bits == Float16(-value).bitPattern, "\(value)")
            }
        }
    #endif

    @Test("the absolute maximum is finite exactly when every value is")
    func findsTheAbsoluteMaximum() {
        func maximum(_ values: [Float]) -> Float { values.withUnsafeBufferPointer { absoluteMaximum(of: $0) } }
        #expect(maximum([]) == 0)
        #expect(maximum([-0.0]).bitPattern == 0)
        #expect(maximum([1, -3, 2]) == 3)
        #expect(maximum([1, -.infinity, 2]) == .infinity)
        #expect(maximum([.infinity, -.nan, 2]).isNaN)
    }
}

import FP4
import Testing

@testable import SelfTest

@Suite("Deviation")
struct DeviationTests {
    private let expected = (0..<128).map { Float($0 % 7) - 3 }

    /// The deviation of two rows of 64 columns, with padding up to 80.
    private func deviation(_ change: (inout [UInt16]) -> Void) -> Double {
        var found = [UInt16](repeating: 0, count: 160)
        for index in expected.indices { found[index / 64 * 80 + index % 64] = BFloat16(expected[index]).bits }
        change(&found)
        return expected.withUnsafeBufferPointer { Deviation.relative(found, pitch: 80, to: $0, columnCount: 64) }
    }

    @Test("the same numbers deviate by nothing")
    func same() { #expect(deviation { _ in } == 0) }

    @Test("roundings count by their size")
    func roundings() {
        let error = deviation { $0[0] += 1 }
        #expect(error > 0 && error < SelfTest.productBound)
    }

    @Test("one wrong number, NaN or number in the padding is too much, whatever the others are")
    func wrong() {
        #expect(deviation { $0[3] = BFloat16(1).bits } == .infinity)
        #expect(deviation { $0[3] = 0x7FC0 } == .infinity)
        #expect(deviation { $0[159] = 1 } == .infinity)
        #expect(deviation { $0 = [UInt16](repeating: 0xFFFF, count: 160) } == .infinity)
    }
}

import Benchmarking
import Testing

@Suite struct StatisticsTests {
    @Test("percentiles lie linearly between neighbours, as numpy's")
    func percentiles() {
        let statistics = Statistics([4, 1, 3, 2])
        #expect(statistics.minimum == 1)
        #expect(statistics.mean == 2.5)
        #expect(statistics.median == 2.5)
        #expect((statistics.percentile(99) - 3.97).magnitude < 1e-12)
        #expect(statistics.percentile(0) == 1)
        #expect(statistics.percentile(100) == 4)
    }

    @Test("a single measurement is every figure")
    func single() {
        let statistics = Statistics([7])
        #expect([statistics.minimum, statistics.mean, statistics.median, statistics.percentile(99)] == [7, 7, 7, 7])
    }
}

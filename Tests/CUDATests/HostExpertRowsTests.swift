import Testing

@testable import CUDAKernels

@Suite("Rows made on the host")
struct HostExpertRowsTests {
    private func choices(_ experts: [[Int]]) -> [[HostExpertRows.Choice]] {
        experts.enumerated().map { token, experts in
            experts.map { HostExpertRows.Choice(expert: $0, weight: Float(token + 1)) }
        }
    }

    @Test("rows are sorted by expert and then by token")
    func sorted() {
        let rows = HostExpertRows(choices([[5, 0], [0, 2], [5, 2]]), blockRowCount: 8)
        #expect(rows.experts == [0, 2, 5])
        #expect(rows.tokens == [0, 1, 1, 2, 0, 2])
        #expect(rows.weights == [1, 2, 2, 3, 1, 3])
        #expect(rows.list == [3, 0, 0, 0] + [0, 0, 2, 0] + [2, 2, 2, 0] + [5, 4, 2, 0])
    }

    @Test("an expert that a token names twice gets one row with the sum of the weights")
    func duplicates() {
        let rows = HostExpertRows(choices([[1, 1], [1]]), blockRowCount: 8)
        #expect(rows.tokens == [0, 1])
        #expect(rows.weights == [2, 2])
    }

    @Test("an expert with more rows than a block holds gets several blocks")
    func blocks() {
        let rows = HostExpertRows(choices([[Int]](repeating: [3], count: 5)), blockRowCount: 2)
        #expect(rows.list == [3, 0, 0, 0] + [3, 0, 2, 0] + [3, 2, 2, 0] + [3, 4, 1, 0])
    }

    @Test("no tokens are no rows")
    func empty() {
        let rows = HostExpertRows([], blockRowCount: 2)
        #expect(rows.list == [0, 0, 0, 0] && rows.tokens.isEmpty && rows.experts.isEmpty)
    }
}

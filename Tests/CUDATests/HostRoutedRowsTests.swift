import CUDA
import Testing

@testable import CUDAKernels

@Suite("Rows made on the host")
struct HostRoutedRowsTests {
    private func rows(_ experts: [[Int]], limits: [Int] = [8]) throws -> HostRoutedRows {
        let choices = experts.enumerated().map { token, experts in
            experts.map { HostRoutedRows.Choice(expert: $0, weight: Float(token + 1)) }
        }
        return try HostRoutedRows(choices, topK: 2, blockRowCounts: limits)
    }

    @Test("rows are sorted by expert and then by token, and found again by token")
    func sorted() throws {
        let rows = try rows([[5, 0], [0, 2], [5, 2]])
        #expect(rows.experts == [0, 2, 5])
        #expect(rows.rowTokens == [0, 1, 1, 2, 0, 2])
        #expect(rows.rowWeights == [1, 2, 2, 3, 1, 3])
        #expect(rows.slotRows == [4, 0, 1, 2, 5, 3])
        #expect(rows.blockLists == [[3, 0, 0, 0] + [0, 0, 2, 0] + [2, 2, 2, 0] + [5, 4, 2, 0]])
    }

    @Test("an expert that a token names twice gets one row with the sum of the weights")
    func duplicates() throws {
        let rows = try rows([[1, 1], [1]])
        #expect(rows.rowTokens == [0, 1])
        #expect(rows.rowWeights == [2, 2])
        #expect(rows.slotRows == [0, .max, 1, .max])
    }

    @Test("an expert with more rows than a block holds gets several blocks")
    func blocks() throws {
        let rows = try rows([[Int]](repeating: [3], count: 5), limits: [2, 4])
        #expect(rows.blockLists[0] == [3, 0, 0, 0] + [3, 0, 2, 0] + [3, 2, 2, 0] + [3, 4, 1, 0])
        #expect(rows.blockLists[1] == [2, 0, 0, 0] + [3, 0, 4, 0] + [3, 4, 1, 0])
    }

    @Test("blocks of an expert have about equal rows, in groups of eight")
    func equalBlocks() throws {
        let rows = try rows([[Int]](repeating: [3], count: 42), limits: [24, 20, 40])
        #expect(rows.blockLists[0] == [2, 0, 0, 0] + [3, 0, 24, 0] + [3, 24, 18, 0])
        #expect(rows.blockLists[1] == [3, 0, 0, 0] + [3, 0, 16, 0] + [3, 16, 16, 0] + [3, 32, 10, 0])
        #expect(rows.blockLists[2] == [2, 0, 0, 0] + [3, 0, 24, 0] + [3, 24, 18, 0])
    }

    @Test("no tokens are no rows")
    func empty() throws {
        let rows = try rows([])
        #expect(rows.blockLists == [[0, 0, 0, 0]] && rows.rowTokens.isEmpty && rows.experts.isEmpty)
    }

    @Test("what no layer has is refused")
    func refusals() {
        func refused(_ words: String, _ experts: [Int], limits: [Int] = [8]) {
            let error = #expect(throws: CUDAError.self) { try rows([experts], limits: limits) }
            #expect(error?.code == .invalidArgument && error?.message.contains(words) == true, "\(words)")
        }
        refused("3 experts of token 0, expected at most 2", [0, 1, 2])
        refused("expert -1 of token 0", [0, -1])
        refused("expert 512 of token 0", [512])
        refused("row blocks of [8, 0] rows", [0], limits: [8, 0])
    }
}

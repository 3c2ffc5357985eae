import Testing

@testable import Kernels

@Suite("Division of work")
struct WorkDivisionTests {
    @Test(
        "covers all units in order, in equal shares of lanes whose tasks never grow",
        arguments: [(1, 1), (2, 8), (3, 4), (6, 16)], [0, 1, 7, 1000, 1 << 50])
    func covers(lanes: (laneCount: Int, tasksPerLane: Int), total: Int) {
        let division = WorkDivision(laneCount: lanes.laneCount, tasksPerLane: lanes.tasksPerLane)
        var end = 0
        var sizes: [Int] = []
        for task in 0..<division.taskCount {
            let range = division.range(ofTask: task, in: total)
            #expect(range.lowerBound == end)
            end = range.upperBound
            sizes.append(range.count)
        }
        #expect(end == total)
        for lane in 0..<division.laneCount {
            let own = sizes[lane * division.tasksPerLane..<(lane + 1) * division.tasksPerLane]
            #expect(abs(own.reduce(0, +) - total / division.laneCount) <= 1)
            // Rounding moves each border by less than one.
            #expect(zip(own, own.dropFirst()).allSatisfy { $1 <= $0 + 1 })
        }
    }

    @Test("gives every block of every expert to one task")
    func experts() throws {
        let routing = [3, 0, 1, 70]
        var assignments = ExpertAssignments()
        let experts = routing.enumerated().flatMap { expert, rowCount in
            [Int32](repeating: Int32(expert), count: rowCount)
        }
        let weights = [Float](repeating: 1, count: experts.count)
        experts.withUnsafeBufferPointer { experts in
            weights.withUnsafeBufferPointer { weights in
                assignments.group(experts: experts, weights: weights, topK: 1, expertCount: routing.count)
            }
        }
        let work = ExpertWork(ExpertStep(assignments), blockCount: 5)
        let division = WorkDivision(laneCount: 2, tasksPerLane: 8)
        var blocks = [[Int]](repeating: [], count: 3)
        for task in 0..<division.taskCount {
            work.forEachPiece(of: division.range(ofTask: task, in: work.total)) { blocks[$0.group] += $0.blocks }
        }
        #expect(blocks == [[Int]](repeating: Array(0..<5), count: 3))
    }
}

/// How the work of an operation is divided into tasks: evenly among lanes, and a lane's tasks get shorter and shorter.
///
/// Long tasks read memory in long runs, and only the last ones are waited for. Of `n` tasks of a lane the shares fall
/// from `(2n - 1) / n²` to `1 / n²`.
struct WorkDivision {
    /// The lanes that have the same share.
    let laneCount: Int
    /// The tasks of each.
    let tasksPerLane: Int

    /// The number of tasks, the first lane's first.
    var taskCount: Int { laneCount * tasksPerLane }

    /// Where a task begins in `total` units of work; `total` for the task after the last.
    func start(ofTask task: Int, in total: Int) -> Int {
        let (lane, index) = task.quotientAndRemainder(dividingBy: tasksPerLane)
        let (square, rest) = (tasksPerLane * tasksPerLane, tasksPerLane - index)
        let (part, parts) = ((lane + 1) * square - rest * rest, laneCount * square)
        // Without the overflow of total * part.
        return total / parts * part + total % parts * part / parts
    }

    /// The units of work that belong to a task.
    func range(ofTask task: Int, in total: Int) -> Range<Int> {
        start(ofTask: task, in: total)..<start(ofTask: task + 1, in: total)
    }
}

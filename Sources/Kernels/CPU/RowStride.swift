/// Where the rows of a buffer begin whose columns are visited row by row.
///
/// Products read and write the same columns of many rows in turn. An odd number of cache lines from a row to the next puts these
/// columns into different sets of the first-level cache, and at different places of their pages: a processor may take a load
/// for one of what was just stored at the same place of another page.
enum RowStride {
    private static let lineBytes = 64

    /// From a row of so many bytes to the next.
    static func bytes(_ byteCount: Int) -> Int { ((byteCount + lineBytes - 1) / lineBytes | 1) * lineBytes }

    /// From a row of so many float32 values to the next, in values.
    static func values(_ count: Int) -> Int { bytes(4 * count) / 4 }
}

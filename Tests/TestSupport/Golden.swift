/// The reference vectors and tiny checkpoints that the tests read; `Tests/Golden/README.md` describes them.
public enum Golden {
    /// The absolute path of a file or folder below `Tests/Golden`.
    public static func path(_ relative: String) -> String {
        let testsFolder = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2)
        return testsFolder.joined(separator: "/") + "/Golden/" + relative
    }
}

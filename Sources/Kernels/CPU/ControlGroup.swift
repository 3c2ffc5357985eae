/// A control group of Linux whose limits hold for this process: one that the process is in, or an ancestor of one.
struct ControlGroup {
    /// Which files say what the limits are.
    enum Version {
        /// A hierarchy for each controller.
        case one
        /// One hierarchy for all.
        case two
    }

    /// Which files say what the limits are.
    let version: Version
    /// The folder of the group's files.
    let folder: String

    /// The groups that may limit the process, from the innermost one of a hierarchy to its root.
    ///
    /// - Parameters:
    ///   - controller: what is limited: `cpu`, `memory`.
    ///   - contents: gives the contents of a file of `/proc` or `/sys`, or nil.
    static func limiting(_ controller: String, reading contents: (String) -> String?) -> [ControlGroup] {
        (contents("/proc/self/cgroup") ?? "").split(separator: "\n").flatMap { line in
            // "0::/path" is version 2, "4:cpu,cpuacct:/path" version 1.
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { return [ControlGroup]() }
            let controllers = fields[1].split(separator: ",")
            if controllers.isEmpty {
                return ancestors(of: fields[2]).map { ControlGroup(version: .two, folder: "/sys/fs/cgroup\($0)") }
            }
            guard controllers.contains(where: { $0 == controller }) else { return [] }
            return ancestors(of: fields[2]).map {
                ControlGroup(version: .one, folder: "/sys/fs/cgroup/\(controller)\($0)")
            }
        }
    }

    /// "/a/b" gives "/a/b", "/a" and "": a group's limit holds for the groups below it.
    private static func ancestors(of path: Substring) -> [String] {
        let names = path.split(separator: "/")
        return (0...names.count).reversed().map { names[..<$0].map { "/\($0)" }.joined() }
    }
}

import Testing

@testable import Kernels

struct AvailableMemoryTests {
    private static let system =
        "MemTotal:       24684092 kB\nMemFree:          100 kB\nMemAvailable:   2048 kB\nHugePages_Free:   7\n"

    private func kibibytes(_ files: [String: String]) -> Int? {
        AvailableMemory.byteCount { files[$0] }.map { $0 / 1024 }
    }

    @Test("available memory is what Linux counts so, and free swap space")
    func available() {
        #expect(kibibytes([:]) == nil)
        #expect(kibibytes(["/proc/meminfo": Self.system]) == 2048)
        #expect(kibibytes(["/proc/meminfo": Self.system + "SwapFree:   1 kB\n"]) == 2049)
        #expect(kibibytes(["/proc/meminfo": "MemFree: 1 kB\n"]) == nil)
        #expect(kibibytes(["/proc/meminfo": "MemAvailable: 9223372036854775807 kB\n"]) == nil)
    }

    @Test("a version 2 control group or its ancestors leave their limit but for what files can be taken back from")
    func version2() {
        func available(_ changes: [String: String]) -> Int? {
            let files = [
                "/proc/meminfo": Self.system + "SwapFree: 1024 kB\n", "/proc/self/cgroup": "0::/a/b\n",
                "/sys/fs/cgroup/a/b/memory.max": "1048576\n", "/sys/fs/cgroup/a/b/memory.current": "524288\n",
                "/sys/fs/cgroup/a/b/memory.stat": "anon 262144\nfile 262144\ninactive_file 65536\nactive_file 131072\n",
                "/sys/fs/cgroup/a/b/memory.swap.max": "0\n", "/sys/fs/cgroup/a/b/memory.swap.current": "0\n",
            ]
            return kibibytes(files.merging(changes) { $1 })
        }
        #expect(available([:]) == 512 + 64 + 128)
        #expect(available(["/sys/fs/cgroup/a/b/memory.stat": ""]) == 512)
        #expect(available(["/sys/fs/cgroup/a/b/memory.swap.max": "max\n"]) == 704 + 1024)
        #expect(available(["/sys/fs/cgroup/a/b/memory.swap.max": "4096\n"]) == 704 + 4)
        #expect(available(["/sys/fs/cgroup/a/b/memory.max": "max\n"]) == 2048)
        #expect(available(["/sys/fs/cgroup/a/b/memory.current": "1048577\n", "/proc/meminfo": ""]) == 191)
        // Usage may exceed a limit that was lowered.
        #expect(available(["/sys/fs/cgroup/a/b/memory.current": "9223372036854775807\n"]) == 0)
        let ancestor = ["/sys/fs/cgroup/a/memory.max": "8192\n", "/sys/fs/cgroup/a/memory.current": "4096\n"]
        #expect(available(ancestor) == 4)
        // What is no number limits nothing.
        #expect(available(["/sys/fs/cgroup/a/b/memory.max": "-1\n"]) == 2048)
        #expect(available(["/sys/fs/cgroup/a/b/memory.current": "\n"]) == 2048)
    }

    @Test("a version 1 control group limits memory, and memory together with swap space")
    func version1() {
        func available(_ changes: [String: String]) -> Int? {
            let files = [
                "/proc/meminfo": Self.system + "SwapFree: 1024 kB\n",
                "/proc/self/cgroup": "5:memory:/x\n4:cpu,cpuacct:/y\n0::/\n",
                "/sys/fs/cgroup/memory/x/memory.limit_in_bytes": "9223372036854771712\n",
                "/sys/fs/cgroup/memory/x/memory.usage_in_bytes": "524288\n",
                "/sys/fs/cgroup/memory/x/memory.stat":
                    "inactive_file 0\nactive_file 0\ntotal_inactive_file 65536\ntotal_active_file 131072\n",
            ]
            return kibibytes(files.merging(changes) { $1 })
        }
        #expect(available([:]) == 2048 + 1024)
        #expect(available(["/sys/fs/cgroup/memory/x/memory.limit_in_bytes": "1048576\n"]) == 704 + 1024)
        // Inside a container the path may be that of the host, and the files those of the root.
        let root = [
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": "1048576\n",
            "/sys/fs/cgroup/memory/memory.usage_in_bytes": "1046528\n",
        ]
        #expect(available(root) == 2 + 1024)
        let both = [
            "/sys/fs/cgroup/memory/x/memory.limit_in_bytes": "1048576\n",
            "/sys/fs/cgroup/memory/x/memory.memsw.limit_in_bytes": "1048576\n",
            "/sys/fs/cgroup/memory/x/memory.memsw.usage_in_bytes": "528384\n",
        ]
        #expect(available(both) == 704 - 4)
    }

    @Test("a layer that does not fit is refused by name, before it is written; without an answer nothing is")
    func require() throws {
        try AvailableMemory.require([60, 40], of: 100, for: "layer")
        try AvailableMemory.require([.max, .max], of: nil, for: "layer")
        for (byteCounts, needed) in [([60, 41], 101), ([.max, 1], Int.max)] {
            let error = #expect(throws: KernelError.self) {
                try AvailableMemory.require(byteCounts, of: 100, for: "layer")
            }
            #expect(error?.description.contains("layer: no memory for \(needed) bytes, 100 are") == true)
        }
    }
}

import Testing

@testable import Kernels

struct ProcessorCountTests {
    private static let fourCores = [
        "/proc/self/status": "Name:\tnibble\nCpus_allowed:\tff\nCpus_allowed_list:\t0-7\nMems_allowed:\t1\n",
        "/sys/devices/system/cpu/cpu0/topology/thread_siblings_list": "0,4\n",
        "/sys/devices/system/cpu/cpu1/topology/thread_siblings_list": "1,5\n",
        "/sys/devices/system/cpu/cpu2/topology/thread_siblings_list": "2,6\n",
        "/sys/devices/system/cpu/cpu3/topology/thread_siblings_list": "3,7\n",
        "/sys/devices/system/cpu/cpu4/topology/thread_siblings_list": "0,4\n",
        "/sys/devices/system/cpu/cpu5/topology/thread_siblings_list": "1,5\n",
        "/sys/devices/system/cpu/cpu6/topology/thread_siblings_list": "2,6\n",
        "/sys/devices/system/cpu/cpu7/topology/thread_siblings_list": "3,7\n",
    ]

    private func count(_ changes: [String: String] = [:]) -> [Int] {
        let files = Self.fourCores.merging(changes) { $1 }
        let count = ProcessorCount { files[$0] }
        return [count.logical, count.physical]
    }

    @Test("counts hyperthread siblings once")
    func siblings() { #expect(count() == [8, 4]) }

    @Test("counts only processors the process may run on")
    func affinity() {
        #expect(count(["/proc/self/status": "Cpus_allowed_list:\t0,4\n"]) == [2, 1])
        #expect(count(["/proc/self/status": "Cpus_allowed_list:\t0-2,6-7\n"]) == [5, 4])
    }

    @Test("rounds the quota of a version 2 control group or its ancestors up")
    func version2() {
        let group = ["/proc/self/cgroup": "0::/a/b\n"]
        #expect(count(group) == [8, 4])
        #expect(count(group.merging(["/sys/fs/cgroup/a/b/cpu.max": "max 100000\n"]) { $1 }) == [8, 4])
        #expect(count(group.merging(["/sys/fs/cgroup/a/b/cpu.max": "250000 100000\n"]) { $1 }) == [3, 3])
        #expect(count(group.merging(["/sys/fs/cgroup/a/cpu.max": "50000 100000\n"]) { $1 }) == [1, 1])
        #expect(count(group.merging(["/sys/fs/cgroup/cpu.max": "600000 100000\n"]) { $1 }) == [6, 4])
    }

    @Test("respects the quota of a version 1 control group")
    func version1() {
        let group = [
            "/proc/self/cgroup": "5:memory:/x\n4:cpu,cpuacct:/y\n",
            "/sys/fs/cgroup/cpu/y/cpu.cfs_period_us": "100000\n",
        ]
        #expect(count(group.merging(["/sys/fs/cgroup/cpu/y/cpu.cfs_quota_us": "-1\n"]) { $1 }) == [8, 4])
        #expect(count(group.merging(["/sys/fs/cgroup/cpu/y/cpu.cfs_quota_us": "200000\n"]) { $1 }) == [2, 2])
    }

    @Test("counts at least one processor whatever the system says")
    func unknown() {
        let count = ProcessorCount { _ in nil }
        #expect([count.logical, count.physical] == [1, 1])
        #expect(ProcessorCount.system.physical >= 1)
        #expect(ProcessorCount.system.logical >= ProcessorCount.system.physical)
    }
}

import Testing

@Suite("nibble env")
struct EnvironmentTests {
    @Test("a missing run-time compiler is shown with what to install")
    func missingCompiler() throws {
        let result = try CommandRunner.run(["env"], environment: ["NIBBLE_NVRTC": "/nonexistent/libnvrtc.so"])
        #expect(result.status == 0)
        #expect(result.output.contains("/nonexistent/libnvrtc.so. Install NVRTC"))
    }

    @Test("the cache of kernels is shown with its folder and where that comes from")
    func cache() throws {
        let result = try CommandRunner.run(["env"], environment: ["NIBBLE_KERNEL_CACHE": "/nonexistent/kernels"])
        #expect(result.output.contains("0 in /nonexistent/kernels  (NIBBLE_KERNEL_CACHE)"))
        let usual = try CommandRunner.run(["env"], environment: ["HOME": "/nonexistent"])
        #expect(usual.output.contains("0 in /nonexistent/.cache/nibble/kernels  (HOME)"))
    }
}

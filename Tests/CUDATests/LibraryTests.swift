import TestSupport
import Testing

@testable import CUDA

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

extension FakeDriverTests {
    @Suite("Opening the libraries")
    struct LibraryTests {
        let fake: FakeCUDA

        init() throws { fake = try FakeCUDA() }

        @Test("a missing driver is an error that says what to install")
        func missingDriver() {
            let error = #expect(throws: CUDAError.self) {
                try Driver.load(LibrarySearch(path: "/nonexistent/libcuda.so.1"))
            }
            #expect(error?.code == .libraryMissing)
            #expect(error?.message.contains("/nonexistent/libcuda.so.1") == true)
            #expect(error?.message.contains("Install the NVIDIA driver") == true)
        }

        @Test("a missing compiler is an error that says what to install")
        func missingCompiler() {
            let error = #expect(throws: CUDAError.self) {
                try Compiler(LibrarySearch(path: "/nonexistent/libnvrtc.so.13"), for: nil)
            }
            #expect(error?.code == .libraryMissing)
            #expect(error?.message.contains("pip install nvidia-cuda-nvrtc") == true)
        }

        @Test("a file that is not a library is refused with the linker's reason")
        func notALibrary() {
            let error = #expect(throws: CUDAError.self) { try Driver.load(LibrarySearch(path: #filePath)) }
            #expect(error?.code == .libraryUnsuitable)
            #expect(error?.message.contains(#filePath) == true)
        }

        @Test("a library without the entry points is refused with the first that it lacks")
        func wrongLibrary() throws {
            #if os(Linux)
                let error = #expect(throws: CUDAError.self) { try Driver.load(LibrarySearch(path: "libm.so.6")) }
                #expect(error?.code == .libraryUnsuitable)
                #expect(error?.message.contains("cuDriverGetVersion") == true)
            #endif
        }

        @Test("a driver that is too old is refused with its version and the one needed")
        func oldDriver() throws {
            try fake.setDriverVersion(12030)
            let error = #expect(throws: CUDAError.self) { try fake.driver() }
            #expect(error?.code == .libraryUnsuitable)
            #expect(error?.message.contains("12.3") == true)
            #expect(error?.message.contains("12.4") == true)
        }

        @Test("a compiler that is too old, or newer than the driver, is refused with its version")
        func wrongCompiler() throws {
            try fake.setCompilerVersion(12, 1)
            let old = #expect(throws: CUDAError.self) { try fake.compiler() }
            #expect(old?.code == .libraryUnsuitable)
            #expect(old?.message.contains("NVRTC 12.1") == true)
            try fake.setCompilerVersion(14, 0)
            let new = #expect(throws: CUDAError.self) { try fake.compiler() }
            #expect(new?.code == .libraryUnsuitable)
            #expect(new?.message.contains("13.x") == true)
        }

        @Test(
            "the compiler is found in Python environments and toolkits",
            arguments: [
                "lib/python3.12/site-packages/nvidia/cu13/lib/libnvrtc.so.13",
                "lib/python3.11/site-packages/nvidia/cuda_nvrtc/lib/libnvrtc.so.12", "lib64/libnvrtc.so.13",
                "targets/x86_64-linux/lib/libnvrtc.so.12", "libnvrtc.so.13",
            ])
        func places(_ place: String) throws {
            let folder = try TemporaryFolder()
            let path = "\(folder.path)/\(place)"
            try Files.makeFolder(String(path[..<(try #require(path.lastIndex(of: "/")))]))
            #expect(symlink(FakeCUDA.path, path) == 0)
            // Version 12 is looked for in the folders given only after version 13 everywhere.
            let driverVersion = place.hasSuffix("12") ? Version(12, 8) : Version(13, 0)
            try fake.setCompilerVersion(driverVersion.major, 9)
            let compiler = try Compiler(LibrarySearch(folders: ["/nonexistent", folder.path]), for: driverVersion)
            #expect(compiler.path == path)
        }

        @Test("a machine without a GPU is an error that says where to look")
        func noDevice() throws {
            try fake.setDevices(0)
            let error = #expect(throws: CUDAError.self) { try fake.driver() }
            #expect(error?.code == .deviceMissing)
            #expect(error?.call == "cuInit")
            #expect(error?.name == "CUDA_ERROR_NO_DEVICE")
            #expect(error?.message.contains("CUDA_VISIBLE_DEVICES") == true)
        }

        @Test("lists GPUs with what they are")
        func devices() throws {
            try fake.setDevices(2, 10, 0, memoryByteCount: 180 << 30)
            let driver = try fake.driver()
            #expect(driver.version == Version(13, 0))
            let devices = try driver.devices()
            #expect(devices.map(\.index) == [0, 1])
            #expect(devices[1].description == "Fake GPU (sm_100a, 4 SMs, 180.0 GiB)")
            #expect(devices[1].maximumSharedByteCountPerBlock == 232448)
        }
    }
}

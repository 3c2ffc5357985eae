import CUDAKernels
import Testing

@testable import CUDA

@Suite("Kernel cases")
struct KernelCaseTests {
    @Test("every device file is among the kernels that are compiled for tests")
    func completeness() throws {
        let compiled = Set(try KernelCase.all().map(\.program.name))
        let files = Set(KernelSources.embedded.files.keys.filter { $0.hasSuffix(".cu") })
        #expect(compiled == files)
    }

    @Test("no kernel is compiled twice")
    func distinct() throws {
        let cases = try KernelCase.all()
        #expect(Set(cases.map(\.testDescription)).count == cases.count)
    }
}

/// Compiles every kernel for every architecture, which needs NVRTC but no GPU.
///
/// `Scripts/check-kernels` installs what is needed, sets the variables and runs this.
@Suite(
    "Kernels",
    .enabled(if: Tools.compilerPath != nil, "NIBBLE_NVRTC is not set: Scripts/check-kernels compiles the kernels"))
struct KernelCompileTests {
    @Test("compiles without spills, to the instructions that are meant", arguments: try KernelCase.all())
    func compiles(_ kernel: KernelCase) throws {
        let compiler = try Compiler(LibrarySearch(path: Tools.compilerPath), for: nil)
        let compiled = try compiler.compile(kernel.program)
        #expect(!compiled.resources.isEmpty, "no report in the log:\n\(compiled.log)")
        #expect(!compiled.log.contains("warning"), "\(compiled.log)")
        // Products that wait for each other, for want of registers.
        #expect(!compiled.log.contains("Performance Loss"), "\(compiled.log)")
        for resources in compiled.resources {
            print(
                "\(kernel.testDescription): \(resources.name): \(resources.registerCount) registers, "
                    + "\(resources.sharedByteCount) bytes of shared memory")
            #expect(resources.registerCount > 0)
            #expect(resources.spillStoreByteCount == 0 && resources.spillLoadByteCount == 0)
            #expect(resources.stackByteCount == 0)
        }
        let disassembler = try #require(Tools.disassemblerPath, "NIBBLE_NVDISASM is not set")
        let found = try Tools.instructions(in: compiled.cubin, disassembler: disassembler)
        for name in kernel.instructions { #expect(found.contains(name), "no \(name) among \(found.sorted())") }
        #expect(found.isDisjoint(with: ["LDL", "STL"]), "uses local memory")
    }

    @Test("the disassembler reads a file of the kernel cache as it is")
    func cacheFile() throws {
        let disassembler = try #require(Tools.disassemblerPath, "NIBBLE_NVDISASM is not set")
        let compiler = try Compiler(LibrarySearch(path: Tools.compilerPath), for: nil)
        let program = try MemoryKernel.copy(loadCount: 4).program(from: .embedded, for: Architecture(9, 0))
        let entry = CacheEntry(try compiler.compile(program), key: "key")
        #expect(try Tools.instructions(in: entry.bytes, disassembler: disassembler).contains("STG"))
    }

    @Test("a mistake in a kernel is an error with the compiler's log")
    func mistake() throws {
        let compiler = try Compiler(LibrarySearch(path: Tools.compilerPath), for: nil)
        let sources = KernelSources(files: ["any/wrong.cu": "extern \"C\" __global__ void wrong() { undeclared(); }"])
        let program = try sources.program("any/wrong.cu", for: Architecture(9, 0))
        let error = #expect(throws: CUDAError.self) { try compiler.compile(program) }
        #expect(error?.code == .compilation)
        #expect(error?.message.contains("undeclared") == true)
    }

    @Test("the report of a kernel that spills is read")
    func spills() throws {
        let compiler = try Compiler(LibrarySearch(path: Tools.compilerPath), for: nil)
        let text = """
            extern "C" __global__ void spills(const float* in, float* out) {
                float values[160];
                for (int i = 0; i < 160; ++i) values[i] = in[i * 1024 + threadIdx.x];
                __syncthreads();
                for (int i = 0; i < 160; ++i) out[i * 1024 + threadIdx.x] = values[i] * values[159 - i];
            }
            """
        let program = try KernelSources(files: ["spills.cu": text])
            .program("spills.cu", for: Architecture(9, 0), options: ["--maxrregcount=32"])
        let resources = try #require(try compiler.compile(program).resources.first)
        #expect(resources.name == "spills")
        #expect(resources.registerCount == 32)
        #expect(resources.spillStoreByteCount > 0 && resources.spillLoadByteCount > 0)
    }

    @Test("an architecture that the compiler does not know is refused by name")
    func unknownArchitecture() throws {
        let compiler = try Compiler(LibrarySearch(path: Tools.compilerPath), for: nil)
        let program = try KernelSources.embedded.program("any/copy.cu", for: Architecture(7, 1))
        let error = #expect(throws: CUDAError.self) { try compiler.compile(program) }
        #expect(error?.code == .unsupported)
        #expect(error?.message.contains("sm_71") == true)
    }

    @Test("a compiler newer than the driver is refused")
    func tooNew() {
        let error = #expect(throws: CUDAError.self) {
            try Compiler(LibrarySearch(path: Tools.compilerPath), for: Version(11, 8))
        }
        #expect(error?.code == .libraryUnsuitable)
    }
}

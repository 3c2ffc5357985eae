import Testing

@testable import CUDA

extension FakeDriverTests {
    @Suite("Compiling")
    struct CompilerTests {
        let fake: FakeCUDA

        init() throws { fake = try FakeCUDA() }

        @Test("options and headers reach the compiler")
        func options() throws {
            let sources = KernelSources(files: [
                "any/a.cu": "#include \"common/b.cuh\"\nextern \"C\" __global__ void a(int n) {}",
                "common/b.cuh": "#pragma once\n#include \"common/c.cuh\"",
                "common/c.cuh": "#pragma once",
                "common/unused.cuh": "int unused;",
            ])
            let program = try sources.program(
                "any/a.cu", for: Architecture(9, 0), definitions: ["TILE_N": 64, "TILE_M": 16],
                options: ["--use_fast_math"])
            #expect(program.headers.map(\.name) == ["common/b.cuh", "common/c.cuh"])
            let compiled = try fake.compiler().compile(program)
            let image = String(decoding: compiled.cubin, as: UTF8.self)
            #expect(
                image.hasPrefix(
                    "FAKECUBIN --gpu-architecture=sm_90a --std=c++17 --device-as-default-execution-space "
                        + "--ptxas-options=-v --define-macro=TILE_M=16 --define-macro=TILE_N=64 --use_fast_math\n"))
            #expect(image.contains("\nkernel a 4 \n"))
            #expect(try fake.misuse() == nil)
        }

        @Test("the report on registers and spills is read from the log")
        func report() {
            let log = """
                ptxas info    : 0 bytes gmem
                ptxas info    : Compiling entry function 'fc1' for 'sm_90a'
                ptxas info    : Function properties for fc1
                    32 bytes stack frame, 24 bytes spill stores, 20 bytes spill loads
                ptxas info    : Used 168 registers, used 4 barriers, 1088 bytes smem, 400 bytes cmem[0]
                ptxas info    : Compile time = 11.5 ms
                ptxas info    : Compiling entry function 'fc2' for 'sm_90a'
                ptxas info    : Function properties for fc2
                    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
                ptxas info    : Used 40 registers, used 0 barriers
                """
            let resources = CompiledProgram(cubin: [], log: log).resources
            #expect(
                resources == [
                    CompiledProgram.Resources(
                        name: "fc1", registerCount: 168, sharedByteCount: 1088, stackByteCount: 32,
                        spillStoreByteCount: 24, spillLoadByteCount: 20),
                    CompiledProgram.Resources(name: "fc2", registerCount: 40),
                ])
        }

        @Test("a source that does not compile is an error with the log")
        func mistake() throws {
            let program = try KernelSources(files: ["a.cu": "#error no such tile"]).program(
                "a.cu", for: Architecture(9, 0))
            let error = #expect(throws: CUDAError.self) { try fake.compiler().compile(program) }
            #expect(error?.code == .compilation)
            #expect(error?.message.contains("#error no such tile") == true)
            #expect(try fake.liveCount() == 0)
        }

        @Test("a missing include is refused by name")
        func missingInclude() {
            let sources = KernelSources(files: ["a.cu": "  #include \"common/none.cuh\""])
            let error = #expect(throws: CUDAError.self) { try sources.program("a.cu", for: Architecture(9, 0)) }
            #expect(error?.message.contains("common/none.cuh, needed for a.cu, is missing") == true)
        }

        @Test("files that include each other are read once")
        func circular() throws {
            let sources = KernelSources(files: ["a.cu": "#include \"b.cuh\"", "b.cuh": "#include \"b.cuh\""])
            #expect(try sources.program("a.cu", for: Architecture(8, 0)).headers.map(\.name) == ["b.cuh"])
        }

        @Test("the content hash depends on everything that decides the code, and on nothing else")
        func contentHash() {
            func hash(
                name: String = "n", source: String = "s", header: (String, String) = ("h", "t"),
                options: [String] = ["o"],
                architecture: Architecture = Architecture(9, 0), compiler: Version = Version(13, 0)
            ) -> String {
                KernelProgram(
                    name: name, source: source, headers: [.init(name: header.0, text: header.1)],
                    architecture: architecture, options: options
                ).contentHash(compiler: compiler)
            }
            let hashes = [
                hash(), hash(name: "m"), hash(source: "t"), hash(header: ("i", "t")), hash(header: ("h", "u")),
                hash(header: ("ht", "")), hash(options: []), hash(options: ["o", ""]),
                hash(architecture: Architecture(10, 0)),
                hash(compiler: Version(12, 9)),
            ]
            #expect(Set(hashes).count == hashes.count)
            #expect(hash() == hash())
            #expect(hash().count == 64)
        }
    }
}

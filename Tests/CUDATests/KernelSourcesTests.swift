import CUDA
import CUDAKernels
import Testing

@Suite("Kernel sources")
struct KernelSourcesTests {
    private static let folder =
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        .joined(separator: "/") + "/Sources/CKernels/cuda"

    @Test("every file of the folder is embedded, as it is")
    func embedded() throws {
        let files = try KernelSources.folder(Self.folder).files
        #expect(files.count >= 4)
        #expect(KernelSources.embedded.files == files, "add the file to Sources/CKernels/embed.c")
    }

    @Test("every kernel finds what it includes")
    func includes() throws {
        for path in KernelSources.embedded.files.keys where path.hasSuffix(".cu") {
            #expect(throws: Never.self) { try KernelSources.embedded.program(path, for: Architecture(9, 0)) }
        }
    }

    @Test("a folder that is missing or holds no kernel is refused")
    func badFolders() {
        for folder in ["/nonexistent", Self.folder + "/common"] {
            let error = #expect(throws: CUDAError.self) { try KernelSources.folder(folder) }
            #expect(error?.code == .invalidArgument)
            #expect(error?.message.contains(folder) == true)
        }
    }
}

import TestSupport
import Testing

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The compiler and the disassembler that `Scripts/check-kernels` installs and names in variables.
enum Tools {
    static let compilerPath = getenv("NIBBLE_NVRTC").map { String(cString: $0) }
    static let disassemblerPath = getenv("NIBBLE_NVDISASM").map { String(cString: $0) }

    /// The machine instructions in compiled code, without their suffixes.
    static func instructions(in cubin: [UInt8], disassembler: String) throws -> Set<String> {
        let folder = try TemporaryFolder()
        let cubinPath = try folder.write(cubin, to: "kernel.cubin")
        let pipe = try #require(popen("'\(disassembler)' -c -ndf '\(cubinPath)'", "r"))
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = fread(&chunk, 1, chunk.count, pipe), count > 0 { text += chunk[..<count] }
        #expect(pclose(pipe) == 0, "\(disassembler) failed")
        withExtendedLifetime(folder) {}
        return Set(String(decoding: text, as: UTF8.self).split(separator: "\n").compactMap(instruction))
    }

    /// The instruction in a line like `        /*0050*/   @!P0 LDG.E.128 R4, desc[UR4][R2.64] ;`.
    private static func instruction(in line: Substring) -> String? {
        guard let end = line.firstRange(of: "*/")?.upperBound, line.contains(";") else { return nil }
        let words = line[end...].split(separator: " ").drop { $0.hasPrefix("@") || $0 == "{" }
        return words.first.map { String($0.prefix { $0 != "." && $0 != ";" }) }
    }
}

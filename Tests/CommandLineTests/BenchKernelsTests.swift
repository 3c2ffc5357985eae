import Foundation
import ModelFiles
import TestSupport
import Testing

@Suite struct BenchKernelsTests {
    private static let custom = [
        "--shape", "custom", "--hidden-size", "64", "--intermediate-size", "32", "--experts", "4", "--top-k", "2",
    ]

    @Test(
        "refuses wrong flags with exit code 64 and their name",
        arguments: [
            (["sort"], "sort"), (["moe", "moe"], "twice"), (["--device", "tpu"], "--device"),
            (["--shape", "llama"], "--shape"), (["--tokens", "0"], "--tokens"), (["--tokens", "1,,2"], "--tokens"),
            (["--tokens", "2,2"], "--tokens"), (["--tokens", "5000"], "--tokens"), (["--threads", "0"], "--threads"),
            (["--seed", "-1"], "'-1' is invalid for '--seed"), (["--json", "a", "--plot", "a"], "--plot"),
            (["--hidden-size", "64"], "--hidden-size"), (["--format", "mxfp4"], "--format"),
            (["--shape", "custom", "--hidden-size", "64"], "--experts"),
            (custom + ["--hidden-size", "72"], "--hidden-size"),
            (custom + ["--experts", "-4"], "--experts: expected 1 to 4096, found -4"),
            (custom + ["--top-k", "5"], "--top-k"),
            (custom + ["--format", "mxfp4", "--intermediate-size", "48"], "--intermediate-size"),
            (custom + ["--experts", "100000"], "--experts"), (custom + ["--format", "fp8"], "--format"),
            (["copy"], "--device cuda"), (["--moe-backend", "latency"], "--device cuda"),
            (["--device", "cuda", "--threads", "2"], "--threads"),
            (["--device", "cuda", "--activations", "int8"], "--activations int8 is for CPUs"),
            (["--activations", "int4"], "--activations"),
        ])
    func wrongFlags(arguments: [String], name: String) throws {
        let result = try CommandRunner.run(["bench", "kernels"] + arguments)
        #expect(result.status == 64)
        #expect(result.output.isEmpty)
        #expect(result.errors.contains(name))
    }

    @Test(
        "refuses files that it cannot create before it measures, and leaves none",
        arguments: ["plot.svg", "no/plot.svg"])
    func impossibleFile(name: String) throws {
        let folder = try TemporaryFolder()
        try Data().write(to: URL(fileURLWithPath: folder.path("plot.svg")))
        let result = try CommandRunner.run(
            ["bench", "kernels", "--json", folder.path("rows.json"), "--plot", folder.path(name)])
        #expect(result.status == 1)
        #expect(result.output.isEmpty)
        #expect(result.errors.contains(name))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path("")) == ["plot.svg"])
    }

    @Test(
        "measures a layer and a matrix with activations of 8 bits, and says so",
        arguments: [[], ["--format", "mxfp4"]])
    func int8(format: [String]) throws {
        let folder = try TemporaryFolder()
        let result = try CommandRunner.run(
            ["bench", "kernels", "moe", "linear", "--tokens", "1,20", "--threads", "1", "--activations", "int8"]
                + Self.custom + format + ["--json", folder.path("rows.json")])
        #expect(result.status == 0, "\(result.errors)")
        let json = try JSON(parsing: String(contentsOfFile: folder.path("rows.json"), encoding: .utf8))
        guard case .string(let device) = json["device"] else {
            Issue.record("no device")
            return
        }
        #expect(device.hasSuffix(", int8 activations"))
    }

    @Test("prints a table and writes the same rows as JSON, and a plot")
    func files() throws {
        let folder = try TemporaryFolder()
        let result = try CommandRunner.run(
            ["bench", "kernels", "route", "--tokens", "1,3", "--threads", "1"] + Self.custom
                + ["--json", folder.path("rows.json"), "--plot", folder.path("plot.svg")])
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output.split(separator: "\n").filter { $0.hasPrefix("route ") }.count == 2)
        let json = try JSON(parsing: String(contentsOfFile: folder.path("rows.json"), encoding: .utf8))
        guard case .array(let rows) = json["rows"] else {
            Issue.record("no rows")
            return
        }
        #expect(rows.map { $0["tokens"] } == [.integer(1), .integer(3)])
        #expect(rows.map { $0["bytes"] } == [.integer(16), .integer(48)])
        #expect(try String(contentsOfFile: folder.path("plot.svg"), encoding: .utf8).hasPrefix("<svg "))
    }
}

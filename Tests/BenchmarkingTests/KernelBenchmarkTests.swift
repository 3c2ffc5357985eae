import Benchmarking
import Kernels
import ModelFiles
import Testing

@Suite struct KernelBenchmarkTests {
    private static let limits = DeviceLimits(bytesPerSecond: 1e10, operationsPerSecond: 1e11)

    private static func report(_ operation: KernelOperation, format: LayerShape.Format) throws -> KernelReport {
        let shape = LayerShape(
            name: "small", hiddenSize: 96, intermediateSize: 64, expertCount: 6,
            routing: Routing(topK: 2, score: .softmax(renormalized: true), weightPlacement: .output), format: format)
        let device = try CPUBackend(threadCount: 2)
        let benchmark = KernelBenchmark(
            device, shape: shape, tokenCounts: [1, 5], limits: limits,
            repetition: Repetition(duration: .zero, minimumCount: 2, maximumCount: 2), weightByteCount: 200_000)
        var report = KernelReport(
            KernelReport.Setup(deviceName: "cpu", threadCount: 2, shape: shape, seed: 0, limits: limits))
        try benchmark.run(operation) { report.append($0) }
        return report
    }

    @Test(
        "every operation runs, passes its checks and fills a table, JSON and a plot",
        arguments: KernelOperation.allCases.filter { !$0.needsGPU })
    func operations(_ operation: KernelOperation) throws {
        let report = try Self.report(operation, format: operation == .moe ? .mxfp4 : .nvfp4)
        let layoutCount = operation == .quantize ? 3 : 1
        #expect(report.rows.map(\.tokenCount) == [1, 5].flatMap { [Int](repeating: $0, count: layoutCount) })
        #expect(report.rows.allSatisfy { $0.minimumSeconds <= $0.medianSeconds && $0.limitSeconds > 0 })
        let titles = report.header.split(separator: "\n").last
        for row in report.rows { #expect(KernelReport.line(row).count == (titles?.count ?? 0) + 1) }

        let json = try JSON(parsing: JSON.object(report.json).text(indented: true))
        guard case .array(let rows) = json["rows"] else {
            Issue.record("no rows")
            return
        }
        #expect(rows.map { $0["bytes"] } == report.rows.map { .integer($0.work.byteCount) })
        let names = operation == .quantize ? ["linear", "128x4", "8x4"] : ["median", "limit"]
        for name in names { #expect(report.svg.contains(">\(name)</text>")) }
    }

    @Test(
        "the header and JSON name the arithmetic limit of 8-bit activations beside that of float32",
        arguments: [nil, 4.5e11])
    func int8Limit(_ int8: Double?) {
        let limits = DeviceLimits(bytesPerSecond: 1e10, operationsPerSecond: 1e11, int8OperationsPerSecond: int8)
        let report = KernelReport(
            KernelReport.Setup(deviceName: "cpu", threadCount: 2, shape: .scout, seed: 0, limits: limits))
        let line = "cpu, 2 threads: 10.0 GB/s read, 100.0 GFLOP/s"
        #expect(report.header.contains(int8 == nil ? line + "\n" : line + ", 450.0 GOP/s of int8\n"))
        #expect(report.json["fma_peak_gflop_per_s"] == .number(100))
        #expect(report.json["int8_peak_gop_per_s"] == (int8 == nil ? .null : .number(450)))
    }

    @Test("a layer that exceeds the memory is refused before it is made")
    func tooLarge() throws {
        let shape = LayerShape(
            name: "large", hiddenSize: 65536, intermediateSize: 65536, expertCount: 1 << 40,
            routing: Routing(topK: 1, score: .sigmoid, weightPlacement: .output))
        #expect(shape.linearByteCount > 0)
        let benchmark = KernelBenchmark(
            try CPUBackend(threadCount: 1), shape: shape, tokenCounts: [1], limits: Self.limits)
        #expect(throws: KernelError.self) { try benchmark.run(.moe) { _ in } }
    }
}

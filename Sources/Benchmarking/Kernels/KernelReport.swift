import Kernels
public import ModelFiles

/// The rows of a kernel benchmark, as a table, as JSON and as plots.
public struct KernelReport {
    /// What the rows were measured on.
    public struct Setup: Sendable {
        /// The device and its instructions.
        public let deviceName: String
        /// The threads, where the device has some to choose.
        public let threadCount: Int?
        /// The layer.
        public let shape: LayerShape
        /// The seed of weights, activations and logits.
        public let seed: UInt64
        /// What the device does at best.
        public let limits: DeviceLimits

        /// Describes a device and a layer.
        public init(deviceName: String, threadCount: Int?, shape: LayerShape, seed: UInt64, limits: DeviceLimits) {
            self.deviceName = deviceName
            self.threadCount = threadCount
            self.shape = shape
            self.seed = seed
            self.limits = limits
        }
    }

    let setup: Setup
    /// What was measured so far.
    public private(set) var rows: [KernelRow] = []

    /// A report without rows.
    public init(_ setup: Setup) { self.setup = setup }

    /// Appends a row.
    public mutating func append(_ row: KernelRow) { rows.append(row) }

    // MARK: Table

    private static let columns: [(title: String, width: Int)] = [
        ("operation", -9), ("layout", -18), ("tokens", 6), ("experts", 7), ("median us", 12), ("min us", 12),
        ("MB", 10), ("GB/s", 8), ("GFLOP/s", 9), ("limit us", 11), ("% of limit", 10),
    ]

    /// What is measured, the device's limits, and the titles of the columns; lines that all end.
    public var header: String {
        let shape = setup.shape
        let threads = setup.threadCount.map { ", \($0) threads" } ?? ""
        let rate = { (perSecond: Double) in (perSecond / 1e9).formatted(decimals: 1) }
        let int8 = setup.limits.int8OperationsPerSecond.map { ", \(rate($0)) GOP/s of int8" } ?? ""
        return """
            \(shape.name): hidden \(shape.hiddenSize), intermediate \(shape.intermediateSize), \
            \(shape.expertCount) experts, top-\(shape.routing.topK), \(shape.format.rawValue)
            \(setup.deviceName)\(threads): \(rate(setup.limits.bytesPerSecond)) GB/s read, \
            \(rate(setup.limits.operationsPerSecond)) GFLOP/s\(int8)

            \(Self.line(Self.columns.map(\.title)))

            """
    }

    /// A line of the table, with its end.
    public static func line(_ row: KernelRow) -> String {
        line([
            row.operation.rawValue, row.layout.isEmpty ? "-" : row.layout, "\(row.tokenCount)",
            row.distinctExpertCount.map { "\($0)" } ?? "-", (1e6 * row.medianSeconds).formatted(decimals: 1),
            (1e6 * row.minimumSeconds).formatted(decimals: 1),
            (Double(row.work.byteCount) / 1e6).formatted(decimals: 3),
            (row.bytesPerSecond / 1e9).formatted(decimals: 2),
            row.operationsPerSecond.map { ($0 / 1e9).formatted(decimals: 2) } ?? "-",
            (1e6 * row.limitSeconds).formatted(decimals: 1), (100 * row.shareOfLimit).formatted(decimals: 1),
        ]) + "\n"
    }

    private static func line(_ cells: [String]) -> String {
        zip(cells, columns).map { cell, column in
            let padding = String(repeating: " ", count: max(0, abs(column.width) - cell.count))
            return column.width < 0 ? cell + padding : padding + cell
        }.joined(separator: "  ")
    }

    // MARK: JSON

    /// The report as an object; times in microseconds, rates per second.
    public var json: JSONObject {
        let shape = setup.shape
        return [
            "device": .string(setup.deviceName), "threads": setup.threadCount.map { .integer($0) } ?? .null,
            "shape": .object([
                "name": .string(shape.name), "hidden_size": .integer(shape.hiddenSize),
                "intermediate_size": .integer(shape.intermediateSize), "experts": .integer(shape.expertCount),
                "top_k": .integer(shape.routing.topK), "format": .string(shape.format.rawValue),
            ]),
            "seed": .string("\(setup.seed)"),
            "read_bandwidth_gb_per_s": .number(setup.limits.bytesPerSecond / 1e9),
            "fma_peak_gflop_per_s": .number(setup.limits.operationsPerSecond / 1e9),
            "int8_peak_gop_per_s": setup.limits.int8OperationsPerSecond.map { .number($0 / 1e9) } ?? .null,
            "rows": .array(rows.map { .object(Self.json($0)) }),
        ]
    }

    private static func json(_ row: KernelRow) -> JSONObject {
        [
            "operation": .string(row.operation.rawValue), "layout": row.layout.isEmpty ? .null : .string(row.layout),
            "tokens": .integer(row.tokenCount),
            "distinct_experts": row.distinctExpertCount.map { .integer($0) } ?? .null,
            "median_us": .number(1e6 * row.medianSeconds), "min_us": .number(1e6 * row.minimumSeconds),
            "bytes": .integer(row.work.byteCount), "flops": .integer(row.work.operationCount),
            "gb_per_s": .number(row.bytesPerSecond / 1e9),
            "gflop_per_s": row.operationsPerSecond.map { .number($0 / 1e9) } ?? .null,
            "limit_us": .number(1e6 * row.limitSeconds), "share_of_limit": .number(row.shareOfLimit),
        ]
    }
}

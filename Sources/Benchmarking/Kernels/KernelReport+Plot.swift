import Kernels

extension KernelReport {
    /// The medians over the tokens as an SVG document, one plot an operation; with the limit where there is one line.
    public var svg: String {
        let operations = KernelOperation.allCases.filter { operation in rows.contains { $0.operation == operation } }
        return LinePlot.document(operations.map { plot(of: $0) })
    }

    private func plot(of operation: KernelOperation) -> LinePlot {
        let rows = rows.filter { $0.operation == operation }
        var layouts: [String] = []
        for row in rows where !layouts.contains(row.layout) { layouts.append(row.layout) }
        var lines = layouts.map { layout in
            LinePlot.Line(
                name: layout.isEmpty ? "median" : layout,
                points: points(rows.filter { $0.layout == layout }, \.medianSeconds))
        }
        if layouts.count == 1 {
            lines.append(LinePlot.Line(name: "limit", points: points(rows, \.limitSeconds), isDashed: true))
        }
        return LinePlot(
            title: "\(title(of: operation)), \(setup.deviceName)", horizontalTitle: "tokens",
            verticalTitle: "microseconds", lines: lines)
    }

    private func points(_ rows: [KernelRow], _ seconds: KeyPath<KernelRow, Double>) -> [LinePlot.Point] {
        rows.map { LinePlot.Point(x: Double($0.tokenCount), y: 1e6 * $0[keyPath: seconds]) }.sorted { $0.x < $1.x }
    }

    private func title(of operation: KernelOperation) -> String {
        let shape = setup.shape
        return switch operation {
        case .copy: "copy: rows of \(shape.hiddenSize) bf16"
        case .quantize: "quantize: tokens x \(shape.hiddenSize) to nvfp4, by scale layout"
        case .route: "route: top-\(shape.routing.topK) of \(shape.expertCount) experts"
        case .linear: "linear: \(shape.hiddenSize) x \(shape.hiddenSize) \(shape.format.rawValue)"
        case .moe, .experts: "\(operation.rawValue): \(shape.name), \(shape.format.rawValue)"
        }
    }
}

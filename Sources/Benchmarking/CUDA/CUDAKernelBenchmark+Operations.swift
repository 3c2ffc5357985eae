internal import CUDA
internal import CUDAKernels
internal import FP4
internal import Kernels
internal import Models

extension CUDAKernelBenchmark {
    /// Quantizes BF16 activations that the cache holds as far as it can, as after the operation that made them.
    func quantize(_ tokenCount: Int, _ tiling: ScaleLayout.Tiling) throws -> KernelRow {
        let quantize = try Quantize(.nvfp4(.given, .exact), tiling: tiling, columnCount: shape.hiddenSize)
        let quantizer = try quantize.load(from: loader.sources, loader.cache, on: stream)
        guard let layout = quantize.scaleLayout(rowCount: tokenCount) else {
            throw KernelError("quantize of \(tokenCount) tokens: too many")
        }
        let input = try activations(rowCount: tokenCount, columnCount: shape.hiddenSize, pitch: shape.hiddenSize)
        let encodeScales = try DeviceBuffer<Float>(loader.context, count: 1)
        try stream.write([NVFP4.encodeScale(absoluteMaximum: 1)], to: encodeScales)
        let codes = try DeviceBuffer<UInt8>(loader.context, count: tokenCount * shape.hiddenSize / 2)
        let scales = try DeviceBuffer<UInt8>(loader.context, count: layout.byteCount)
        try stream.fill(scales, byte: 0xFF)
        let times = try GraphTimer(stream: stream, launchCount: 64).measure { _ in
            try quantizer.launch(
                on: stream, input: input, rowCount: tokenCount, encodeScales: encodeScales, codes: codes,
                scales: scales)
        }
        for (offset, scale) in try stream.read(scales).enumerated() {
            let isRight = layout.position(at: offset) == nil ? scale == 0 : (1...0x7E).contains(scale)
            guard isRight else {
                throw KernelError(
                    "quantize of \(tokenCount) tokens, \(tiling.name): byte \(offset) of the scales is wrong")
            }
        }
        let valueCount = tokenCount * shape.hiddenSize
        let work = KernelWork(byteCount: 2 * valueCount + valueCount / 2 + layout.byteCount, operationCount: 0)
        return KernelRow(
            .quantize, layout: tiling.name, tokenCount: tokenCount, work: work, times: times, limits: limits)
    }

    /// How a layer of the shape chooses experts.
    var routeMethod: Route.Method {
        guard shape.groups != .one else { return Route.Method(shape.routing.score) }
        return .biasedSigmoid(
            groupCount: shape.groups.count, chosenGroupCount: shape.groups.chosenCount, renormalized: true)
    }

    /// The biases that the choice adds, zeros, so that the largest logits are chosen; nil if it adds none.
    func makeRouterBiases() throws -> DeviceBuffer<Float>? {
        guard case .biasedSigmoid = routeMethod else { return nil }
        let biases = try DeviceBuffer<Float>(loader.context, count: shape.expertCount)
        try stream.fill(biases, byte: 0)
        return biases
    }

    func makeRouter(tokenCount: Int) throws -> Router {
        try Route(
            routeMethod, logits: .bfloat16, expertCount: shape.expertCount,
            topK: shape.routing.topK, blockRowCounts: MoELayer.blockRowCounts
        ).load(from: loader.sources, loader.cache, in: loader.context, tokenCount: tokenCount)
    }

    /// Chooses experts by logits that the cache holds, as after the router.
    func route(_ tokenCount: Int, _ router: Router) throws -> KernelRow {
        let logits = RouterLogits(shape, tokenCount: tokenCount, seed: seed)
        let values = logits.sets[0]
        let (buffer, biases) = (try bfloat16(values), try makeRouterBiases())
        let rows = try RoutedRows(loader.context, router.route, tokenCount: tokenCount)
        let workspace = try RouteWorkspace(for: router.route, on: stream)
        try stream.fill(rows.rowTokens, byte: 0xFF)
        let times = try GraphTimer(stream: stream, launchCount: 64).measure { _ in
            try router.launch(
                on: stream, logits: buffer, biases: biases, tokenCount: tokenCount, into: rows, workspace: workspace)
        }
        var tokens: [[UInt32]] = .init(repeating: [], count: shape.expertCount)
        for (token, choice) in RouterLogits.choices(values, shape).enumerated() {
            for expert in choice { tokens[expert].append(UInt32(token)) }
        }
        guard try stream.read(rows.rowTokens) == tokens.flatMap({ $0 }) else {
            throw KernelError("route of \(tokenCount) tokens: not the experts with the largest logits")
        }
        let work = KernelWork(
            byteCount: 2 * tokenCount * shape.expertCount + 12 * tokenCount * shape.routing.topK, operationCount: 0)
        return KernelRow(
            .route, tokenCount: tokenCount, distinctExpertCount: logits.distinctExpertCount, work: work, times: times,
            limits: limits)
    }

    /// Copies of a matrix.
    func makeLinearLayers(_ linear: LayerShape.Linear, tokenCount: Int) throws -> [LinearLayer] {
        let matrix = SyntheticWeights.matrix(
            "linear", rowCount: linear.rowCount, columnCount: linear.columnCount, format: linear.format, seed: seed)
        let first = try LinearWeights(matrix, loader: loader, on: stream)
        return try (0..<copyCount(ofByteCount: linear.byteCount)).map { index in
            try LinearLayer(
                index == 0 ? first : LinearWeights(copying: first, on: stream), maximumTokenCount: tokenCount,
                activationPrecision: linear.format == .nvfp4 ? activationPrecision : .full, loader: loader, on: stream)
        }
    }

    /// Multiplies tokens by a matrix.
    func linear(_ matrix: LayerShape.Linear, _ tokenCount: Int, _ layers: [LinearLayer]) throws -> KernelRow {
        let (inputPitch, outputPitch) = (layers[0].inputPitch, layers[0].outputPitch)
        let input = try activations(rowCount: tokenCount, columnCount: matrix.columnCount, pitch: inputPitch)
        let output = try poisoned(rowCount: tokenCount, pitch: outputPitch)
        let workspace = try LinearWorkspace(for: layers, on: stream)
        let times = try GraphTimer(stream: stream, launchCount: 64).measure { index in
            try layers[index % layers.count].enqueue(
                tokenCount: tokenCount, input: input, output: output, workspace: workspace, on: stream)
        }
        try check(output, rowCount: tokenCount, pitch: outputPitch, of: .linear)
        let work = KernelWork(
            byteCount: matrix.byteCount, operationCount: 2 * tokenCount * matrix.rowCount * matrix.columnCount)
        return KernelRow(
            .linear, layout: matrix.name(activationPrecision), tokenCount: tokenCount, work: work, times: times,
            limits: limits)
    }
}

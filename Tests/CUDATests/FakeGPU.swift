import CUDA
import Kernels
import Testing

@testable import CUDAKernels

/// The fake driver's first GPU, with a stream and what makes layers on it.
struct FakeGPU {
    /// The fake reads no more than the kernels' declarations, which the host appends.
    static let sources = KernelSources(files: [
        MoEStream.path: "", RepackWeights.path: "", MoEGemm.path: "", MoEPack.path: "", MoECombine.path: "",
        QuantizeRows.path: "", "any/route.cu": KernelSources.embedded.files["any/route.cu"] ?? "",
        "common/choice.cuh": "", "common/grouping.cuh": "", "common/moe.cuh": "", "common/ptx.cuh": "",
    ])

    let fake: FakeCUDA
    let loader: KernelLoader
    let stream: Stream

    init() throws {
        fake = try FakeCUDA()
        let cache = KernelCache(compiler: try fake.compiler(), folder: nil)
        loader = KernelLoader(try fake.context(), sources: Self.sources, cache: cache)
        stream = try Stream(loader.context)
    }
}

/// A suite of layers on the fake GPU.
protocol LayerTests {
    var gpu: FakeGPU { get }
}

extension LayerTests {
    var fake: FakeCUDA { gpu.fake }
    var loader: KernelLoader { gpu.loader }
    var stream: Stream { gpu.stream }

    func layer(
        _ configuration: MoEConfiguration, encodeScale: Float? = nil, encodeScaleOfUp: Float? = nil
    ) throws -> MoELayer {
        let experts = configuration.experts(encodeScale: encodeScale, encodeScaleOfUp: encodeScaleOfUp)
        let weights = try MoEWeights(configuration, experts: experts, loader: loader, on: stream)
        return try MoELayer(configuration, weights: weights, loader: loader, on: stream)
    }

    func activations(_ layer: MoELayer, _ context: Context? = nil) throws -> DeviceBuffer<UInt16> {
        let configuration = layer.configuration
        return try DeviceBuffer(
            context ?? loader.context, count: configuration.maximumTokenCount * configuration.rowPitch)
    }

    func rows(_ experts: [[Int]], _ layer: MoELayer) throws -> RoutedRows {
        let choices = experts.map { $0.map { HostRoutedRows.Choice(expert: $0, weight: 0.5) } }
        return try RoutedRows(
            HostRoutedRows(
                choices, topK: layer.configuration.topK,
                blockRowCounts: layer.blockRowCounts(tokenCount: experts.count)),
            on: stream)
    }

    /// What a kernel gets whose only parameter is a structure.
    func parameter<Parameter>(of launch: FakeCUDA.Launch, as type: Parameter.Type) -> Parameter {
        launch.parameters[0].withUnsafeBytes { $0.loadUnaligned(as: type) }
    }
}

/// Expects an error whose message contains the words.
func refused(_ words: String, code: CUDAError.Code? = nil, _ body: () throws -> Void) {
    let error = #expect(throws: CUDAError.self, performing: body)
    #expect(error?.message.contains(words) == true, "\(String(describing: error))")
    if let code { #expect(error?.code == code, "\(String(describing: error))") }
}

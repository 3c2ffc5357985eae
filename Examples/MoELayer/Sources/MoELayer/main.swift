// One mixture-of-experts layer with NVFP4 weights on an NVIDIA GPU (Hopper): swift run -c release
import CUDA
import CUDAKernels
import FP4
import Kernels

/// A random matrix, quantized to NVFP4.
func randomMatrix(_ name: String, _ rowCount: Int, _ columnCount: Int) -> WeightMatrix {
    let amplitude = (3 / Float(columnCount)).squareRoot()
    let values = (0..<rowCount * columnCount).map { _ in Float.random(in: -amplitude...amplitude) }
    let globalScale = NVFP4.globalScale(absoluteMaximum: amplitude)
    nonisolated(unsafe) let codes = UnsafeMutableRawPointer.allocate(byteCount: values.count / 2, alignment: 16)
    nonisolated(unsafe) let scales = UnsafeMutableRawPointer.allocate(byteCount: values.count / 16, alignment: 16)
    values.withUnsafeBufferPointer {
        NVFP4.quantize(
            weights: $0, globalScale: globalScale, codes: .init(start: codes, count: values.count / 2),
            scales: .init(start: scales, count: values.count / 16))
    }
    let blockScales = StridedBytes(base: scales, rowStride: columnCount / 16, columnStride: 1)
    return WeightMatrix(
        name: name, rowCount: rowCount, columnCount: columnCount,
        elements: StridedBytes(base: codes, rowStride: columnCount / 2, columnStride: 1),
        encoding: .nvfp4(blockScales: blockScales, globalScale: globalScale)
    ) { [codes, scales].forEach { $0.deallocate() } }
}

// The GPU, and the compiler of its kernels; compiled ones could be kept in a folder.
let driver = try Driver.load()
guard let gpu = try driver.devices().first else { throw CUDAError(.deviceMissing, "no NVIDIA GPU was found") }
let context = try Context(gpu)
let loader = KernelLoader(context, cache: KernelCache(compiler: try Compiler(for: driver.version), folder: nil))
let stream = try Stream(context)

// Eight experts, two a token, and a batch of up to 64 tokens.
let configuration = MoEConfiguration(
    hiddenSize: 1024, intermediateSize: 512, expertCount: 8,
    routing: Routing(topK: 2, score: .softmax(renormalized: true), weightPlacement: .output), activation: .swiglu,
    format: .nvfp4, maximumTokenCount: 64)
let experts = (0..<configuration.expertCount).map { _ in
    ExpertWeights(
        gate: randomMatrix("gate", 512, 1024), up: randomMatrix("up", 512, 1024), down: randomMatrix("down", 1024, 512))
}
let weights = try MoEWeights(configuration, experts: experts, loader: loader, on: stream)
let layer = try MoELayer(configuration, weights: weights, loader: loader, on: stream)
let workspace = try MoEWorkspace(configuration, on: stream)
print(layer.resolution)

// Three tokens: their BF16 rows, and their router logits.
func bits(_ count: Int) -> [UInt16] { (0..<count).map { _ in BFloat16(Float.random(in: -1...1)).bits } }
let input = try DeviceBuffer<UInt16>(context, count: 3 * 1024)
let logits = try DeviceBuffer<UInt16>(context, count: 3 * 8)
let output = try DeviceBuffer<UInt16>(context, count: 3 * 1024)
try stream.write(bits(input.count), to: input)
try stream.write(bits(logits.count), to: logits)
try layer.enqueue(tokenCount: 3, input: input, logits: logits, output: output, workspace: workspace, on: stream)
print(try stream.read(output).prefix(8).map { Float(BFloat16(bits: $0)) })

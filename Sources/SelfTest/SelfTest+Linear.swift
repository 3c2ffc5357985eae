internal import CUDA
internal import CUDAKernels
internal import Kernels
internal import Models

extension SelfTest {
    func testLinear(_ onResult: (Result) throws -> Void) throws {
        let shapes: [(SyntheticWeights.Format, Int, Int)] = [
            (.nvfp4, 512, 256), (.nvfp4, 208, 176), (.mxfp4, 320, 416), (.bfloat16, 1000, 200), (.nvfp4, 96, 4096),
        ]
        for (format, rowCount, columnCount) in shapes {
            let name = "\(format.rawValue) \(rowCount) x \(columnCount)"
            let matrix = SyntheticWeights.matrix(
                name, rowCount: rowCount, columnCount: columnCount, format: format, seed: seed)
            let layer = try LinearLayer(
                LinearWeights(matrix, loader: loader, on: stream), maximumTokenCount: 700, loader: loader, on: stream)
            let backend = try CPUBackend()
            let linear = try backend.makeLinear([matrix], bias: nil)
            let workspace = try LinearWorkspace(for: [layer], on: stream)
            for tokenCount in [0, 1, 2, 7, 8, 9, 16, 17, 32, 33, 64, 65, 128, 129, 257, 700] {
                var random = random("\(name) \(tokenCount)")
                let tokens = Activations(rowCount: tokenCount, columnCount: columnCount, using: &random)
                let residuals = Activations(rowCount: tokenCount, columnCount: rowCount, using: &random)
                let input = try DeviceBuffer<UInt16>(loader.context, count: tokenCount * layer.inputPitch)
                let output = try DeviceBuffer<UInt16>(loader.context, count: tokenCount * layer.outputPitch)
                try tokens.copy(to: input, pitch: layer.inputPitch, on: stream)
                try residuals.copy(to: output, pitch: layer.outputPitch, on: stream)
                try layer.enqueue(
                    tokenCount: tokenCount, input: input, residual: output, output: output, workspace: workspace,
                    on: stream)
                let found = try stream.read(output)
                let expected = try residuals.onCPU()
                try backend.apply(
                    linear, to: tokens.onCPU(), rowCount: tokenCount, accumulating: true, into: expected)
                let error = Deviation.relative(
                    found, pitch: layer.outputPitch,
                    to: UnsafeBufferPointer(start: expected.base, count: tokenCount * rowCount), columnCount: rowCount)
                try onResult(
                    Result(
                        operation: "linear", name: "\(name), \(tokenCount) tokens", error: error,
                        bound: Self.productBound))
            }
        }
    }
}

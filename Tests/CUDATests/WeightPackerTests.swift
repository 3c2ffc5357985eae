import CUDA
import CUDAKernels
import Testing

extension FakeDriverTests {
    @Suite("Packing weights")
    struct WeightPackerTests: LayerTests {
        let gpu: FakeGPU

        init() throws { gpu = try FakeGPU() }

        @Test("weights that the kernel refuses are an error that says which it refuses")
        func refusedByKernel() throws {
            try fake.setKernel { index in
                guard let launch = try? FakeCUDA(keepingState: true).launch(index), launch.kernel == "repack" else {
                    return
                }
                let address = launch.parameters[2].withUnsafeBytes { UInt($0.loadUnaligned(as: UInt64.self)) }
                UnsafeMutablePointer<UInt32>(bitPattern: address)?.pointee = 1
            }
            for configuration in [MoEConfiguration.llama4, .gptOSS] {
                refused("an NVFP4 block scale that is NaN, an MXFP4 one above 2^8 or NaN", code: .unsupported) {
                    _ = try MoEWeights(configuration, experts: configuration.experts(), loader: loader, on: stream)
                }
            }
            #expect(try fake.misuse() == nil)
        }
    }
}

internal import CUDA
internal import Kernels

extension QuantizedExperts {
    /// The memory that W4A4 takes besides that of the backends.
    struct Memory: Sendable {
        /// Rounded rows, BF16 `[rows, pitch]`, of the first product and then, for the throughput backend, of the second.
        let rows: DeviceBuffer<UInt16>
        /// What the sums of a row are multiplied by, `[rows]`.
        let factors: DeviceBuffer<Float>
        /// Sums over parts of the columns of the second product by itself.
        let partials: DeviceBuffer<Float>

        /// The bytes of all.
        static func byteCount(for configuration: MoEConfiguration, _ resolution: MoEResolution, on device: Device)
            -> Int
        {
            guard configuration.activationPrecision == .nvfp4 else { return 0 }
            return 2 * rowElementCount(configuration, resolution) + 4 * configuration.maximumRowCount
                + 4 * partialCount(configuration, resolution, on: device)
        }

        init(_ configuration: MoEConfiguration, _ resolution: MoEResolution, _ context: Context) throws(CUDAError) {
            rows = try DeviceBuffer(context, count: Self.rowElementCount(configuration, resolution))
            factors = try DeviceBuffer(context, count: configuration.maximumRowCount)
            partials = try DeviceBuffer(
                context, count: Self.partialCount(configuration, resolution, on: context.device))
        }

        private static func rowElementCount(_ configuration: MoEConfiguration, _ resolution: MoEResolution) -> Int {
            let shape = configuration.shape
            let streamed = resolution.lastTokenCount(of: .latency) * configuration.topK * shape.inputPitch
            let grouped = configuration.maximumRowCount * max(shape.inputPitch, shape.hiddenPitch)
            return resolution.uses(.throughput) ? max(streamed, grouped) : streamed
        }

        private static func partialCount(
            _ configuration: MoEConfiguration, _ resolution: MoEResolution, on device: Device
        ) -> Int {
            guard resolution.uses(.throughput) else { return 0 }
            return (configuration.groupedRowCounts + [MoEGemm.denseRowCount]).map { rowCount in
                MoEGemm(shape: configuration.shape.only(.down), hasOneRow: true, rowCount: rowCount)
                    .partialCount(on: device)
            }.max() ?? 0
        }
    }
}

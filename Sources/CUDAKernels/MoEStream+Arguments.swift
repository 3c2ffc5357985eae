internal import CUDA

extension MoEStream {
    /// `MoeStreamArguments` of the device file; addresses may be 0 where the file says null.
    struct Arguments: BitwiseCopyable, KernelArgument {
        /// Unless there are logits.
        var routing: RoutingArgument
        /// Of the router, `[T, E]`, and what it adds to them, `[E]`.
        var logits: UInt64 = 0
        var routerBiases: UInt64 = 0
        var up = Operands()
        var down: Operands
        /// BF16 `[rows, down.inputPitch]`, zero beyond the first product's columns; unless there are packets.
        var hidden: UInt64 = 0
        /// BF16 `[T, outputs]`.
        var output: UInt64
        /// The same as `hidden` from kernels that send packets, `[rows, down.inputPitch / 2]`, zero before the first launch.
        var packets: UInt64 = 0
        var residual: UInt64 = 0
        /// Global scales: of gate and up `[E, 2]`, of down `[E]`.
        var upScales: UInt64 = 0
        var downScales: UInt64 = 0
        /// Of every row of down, besides; `[outputs]`.
        var rowScales: UInt64 = 0
        /// BF16: of gate and up `[E, 2, down.inputPitch]`, of down `[E, outputs]`.
        var upBiases: UInt64 = 0
        var downBiases: UInt64 = 0
        /// Of the clamped activation.
        var limit: Float = 0
        var slope: Float = 0
        /// `[blocks][4][partialFloatCount]`, all bits 1 between launches.
        var partials: UInt64
        var state: UInt64
        var tokenCount: UInt32
        /// Whether routing was complete before the previous kernel began.
        var routingIsEarly: UInt32 = 0
        /// Multiplies all router weights.
        var routerFactor: Float = 1
        var weightsRowsOnInput: UInt32 = 0
        /// The slabs of `hidden` of the first of two phases.
        var cut: UInt32 = 0
        var unused: UInt32 = 0
    }

    /// `StreamOperands`: slabs, and BF16 rows.
    struct Operands: BitwiseCopyable {
        var weights: UInt64 = 0
        var inputs: UInt64 = 0
        var inputPitch: UInt32 = 0
        var unused: UInt32 = 0

        init() {}

        init(weights: UInt64, inputs: UInt64, pitch: Int) {
            self.weights = weights
            self.inputs = inputs
            inputPitch = UInt32(pitch)
        }

        init(_ weights: DeviceBuffer<UInt8>, _ inputs: DeviceBuffer<UInt16>, pitch: Int) {
            self.weights = weights.address
            self.inputs = inputs.address
            inputPitch = UInt32(pitch)
        }
    }

    /// The bytes of `StreamState`, zero before the first launch.
    static let stateByteCount = 4 * 128
}

import CCPUKernels
import FP4

/// In which precision rows enter a matrix.
enum InputPrecision: Equatable {
    /// As they are.
    case full
    /// Rounded to NVFP4 with the checkpoint's encode scale, or with each row's own.
    case nvfp4(encodeScale: Float?)
    /// As integers of 8 bits, which the kernels make of the rows as they are.
    case int8

    /// Whether other float32 rows take the place of those that are given.
    var changesRows: Bool { if case .nvfp4 = self { true } else { false } }

    /// Rounds a row of whole blocks to this precision, if that changes it; in place if the pointers are equal.
    func round(_ row: UnsafePointer<Float>, columnCount: Int, into output: UnsafeMutablePointer<Float>) {
        guard case .nvfp4(let encodeScale) = self else {
            if row != UnsafePointer(output) { output.update(from: row, count: columnCount) }
            return
        }
        let values = UnsafeBufferPointer(start: row, count: columnCount)
        NVFP4.fakeQuantize(
            activations: values,
            encodeScale: encodeScale ?? NVFP4.encodeScale(absoluteMaximum: values.reduce(0) { max($0, abs($1)) }),
            into: UnsafeMutableBufferPointer(start: output, count: columnCount))
    }
}

extension CPUBackend {
    /// In which precision rows enter a matrix: W4A4 is for NVFP4 weights only, integers are for all quantized ones.
    func inputPrecision(of matrix: MatrixBlocks) -> InputPrecision {
        switch activationPrecision {
        case .nvfp4 where matrix.shape.format == NIBBLE_NVFP4: .nvfp4(encodeScale: matrix.inputEncodeScale)
        case .int8 where matrix.shape.isQuantized: .int8
        case .full, .nvfp4, .int8: .full
        }
    }

    /// Checks that the inputs of a matrix can be quantized, if they are to be.
    func requireEncodeScale(of matrix: PackedMatrix) throws(KernelError) {
        guard case .nvfp4(let scale?) = inputPrecision(of: MatrixBlocks(matrix, bias: nil)),
            !(scale > 0 && scale.isFinite)
        else { return }
        throw KernelError("\(matrix.name): an input encode scale of \(scale), expected a finite one above zero")
    }
}

import FP4
import TestSupport

/// Packed codes and scales, as bytes.
struct Packed: Equatable {
    var codes: [UInt8]
    var scales: [UInt8]

    init(codes: [UInt8], scales: [UInt8]) {
        self.codes = codes
        self.scales = scales
    }

    /// What a function writes for as many values as given.
    private init(
        valueCount: Int, blockSize: Int,
        _ write: (UnsafeMutableRawBufferPointer, UnsafeMutableRawBufferPointer) -> Void
    ) {
        codes = [UInt8](repeating: 0xAA, count: valueCount / 2)
        scales = [UInt8](repeating: 0xAA, count: valueCount / blockSize)
        codes.withUnsafeMutableBytes { codes in scales.withUnsafeMutableBytes { scales in write(codes, scales) } }
    }

    /// Packs codes that are one a byte.
    init(_ unpacked: (codes: [UInt8], scales: [UInt8])) {
        codes = stride(from: 0, to: unpacked.codes.count, by: 2).map {
            unpacked.codes[$0] | unpacked.codes[$0 + 1] << 4
        }
        scales = unpacked.scales
    }

    static func nvfp4(weights: [Float], globalScale: Float) -> Packed {
        Packed(valueCount: weights.count, blockSize: 16) { codes, scales in
            weights.withUnsafeBufferPointer {
                NVFP4.quantize(weights: $0, globalScale: globalScale, codes: codes, scales: scales)
            }
        }
    }

    static func nvfp4(transposedWeights weights: [Float], columnCount: Int, globalScale: Float) -> Packed {
        Packed(valueCount: weights.count, blockSize: 16) { codes, scales in
            weights.withUnsafeBufferPointer {
                NVFP4.quantize(
                    transposedWeights: $0, columnCount: columnCount, globalScale: globalScale,
                    codes: codes, scales: scales)
            }
        }
    }

    static func nvfp4(activations: [Float], encodeScale: Float) -> Packed {
        Packed(valueCount: activations.count, blockSize: 16) { codes, scales in
            activations.withUnsafeBufferPointer {
                NVFP4.quantize(activations: $0, encodeScale: encodeScale, codes: codes, scales: scales)
            }
        }
    }

    static func mxfp4(weights: [Float], rule: MXFP4.Rule = .compressedTensors) -> Packed {
        Packed(valueCount: weights.count, blockSize: 32) { codes, scales in
            weights.withUnsafeBufferPointer { MXFP4.quantize(weights: $0, rule: rule, codes: codes, scales: scales) }
        }
    }

    func nvfp4Values(globalScale: Float) -> [Float] {
        values { NVFP4.dequantize(codes: $0, scales: $1, globalScale: globalScale, into: $2) }
    }

    func transposedNVFP4Values(columnCount: Int, globalScale: Float) -> [Float] {
        values {
            NVFP4.dequantize(
                transposedCodes: $0, scales: $1, columnCount: columnCount, globalScale: globalScale, into: $2)
        }
    }

    func mxfp4Values() -> [Float] { values { MXFP4.dequantize(codes: $0, scales: $1, into: $2) } }

    private func values(
        _ write: (UnsafeRawBufferPointer, UnsafeRawBufferPointer, UnsafeMutableBufferPointer<Float>) -> Void
    ) -> [Float] {
        var values = [Float](repeating: .infinity, count: 2 * codes.count)
        codes.withUnsafeBytes { codes in
            scales.withUnsafeBytes { scales in
                values.withUnsafeMutableBufferPointer { write(codes, scales, $0) }
            }
        }
        return values
    }
}

/// What a W4A4 product sees of some activations.
func fakeQuantized(_ activations: [Float], encodeScale: Float) -> [Float] {
    var values = [Float](repeating: .infinity, count: activations.count)
    activations.withUnsafeBufferPointer { activations in
        values.withUnsafeMutableBufferPointer {
            NVFP4.fakeQuantize(activations: activations, encodeScale: encodeScale, into: $0)
        }
    }
    return values
}

extension GoldenTensors.Tensor {
    /// The elements of a BF16, F16 or F32 tensor.
    func floats() -> [Float] {
        guard dtype != "F32" else { return elements(as: Float.self) }
        var values = [Float](repeating: .nan, count: bytes.count / 2)
        bytes.withUnsafeBytes { bytes in
            values.withUnsafeMutableBufferPointer { values in
                dtype == "BF16" ? BFloat16.decode(bytes, into: values) : FP16.decode(bytes, into: values)
            }
        }
        return values
    }
}

extension GoldenTensors {
    /// The codes and scales that a reference library wrote.
    func packed(by library: String) throws -> Packed {
        Packed(codes: try tensor("\(library).packed").bytes, scales: try tensor("\(library).scale").bytes)
    }

    /// The only element of an F32 tensor.
    func scalar(_ name: String) throws -> Float { try tensor(name).floats()[0] }
}

/// The bits of numbers, so that comparisons see the sign of zero and NaN.
func bits(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }

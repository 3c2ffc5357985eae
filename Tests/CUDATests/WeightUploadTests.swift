import CUDA
import Kernels
import Testing

@testable import CUDAKernels

extension FakeDriverTests {
    @Suite("Weight upload")
    struct WeightUploadTests {
        let fake: FakeCUDA
        let context: Context
        let stream: Stream

        init() throws {
            fake = try FakeCUDA()
            context = try fake.context()
            stream = try Stream(context)
        }

        @Test("gate and up rows in turns are copied once, and every byte is found")
        func interleaved() throws {
            let bytes = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 7) }
            try bytes.withUnsafeBytes { bytes in
                let base = try #require(bytes.baseAddress)
                // Rows of 16 bytes, even ones of gate, odd ones of up; scales behind them.
                let matrices = [0, 1].map { turn in
                    WeightMatrix(
                        name: "gate_up", rowCount: 64, columnCount: 32,
                        elements: StridedBytes(base: base + 16 * turn, rowStride: 32, columnStride: 1),
                        encoding: .mxfp4(
                            blockScales: StridedBytes(base: base + 3000 + turn, rowStride: 2, columnStride: 1)),
                        onDiscard: {})
                }
                let upload = try WeightUpload(matrices)
                // 64 rows of both, then 64 scales of both: 2048 and 128 bytes.
                #expect(upload.byteCount == 2048 + 256)
                let staging = try DeviceBuffer<UInt8>(context, count: upload.byteCount)
                try upload.copy(to: staging, on: stream)
                let copied = try stream.read(staging)
                for offset in [0, 16, 2047, 3000, 3001, 3127] {
                    let address = upload.address(of: base + offset, in: staging)
                    #expect(copied[Int(address - staging.address)] == bytes[offset])
                }
                #expect(upload.address(of: base + 2100, in: staging) == 0)
            }
        }

        @Test("encodings that the kernels do not read are refused by name")
        func encodings() {
            let bytes = [UInt8](repeating: 0, count: 64)
            bytes.withUnsafeBytes { bytes in
                guard let base = bytes.baseAddress else { return }
                let matrix = WeightMatrix(
                    name: "gate", rowCount: 4, columnCount: 4,
                    elements: StridedBytes(base: base, rowStride: 16, columnStride: 4), encoding: .float32,
                    onDiscard: {})
                let error = #expect(throws: CUDAError.self) { try WeightUpload([matrix]) }
                #expect(error?.message.contains("gate: expected NVFP4, MXFP4, FP8 or BF16") == true)
            }
        }
    }
}

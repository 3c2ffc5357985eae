// Rounds rows of activations to NVFP4 and writes them back as BF16, for products that read BF16 (W4A4).
//
//   output[target(r), :] = e2m1 · e4m3, exact in BF16, of the codes and block scales of x = weight(r) · input[source(r), :]
//   factors[r]   = what a sum over the row's products is multiplied by: 1 / G where G is the row's own, times a router weight
//
// Codes and scales are those of any/quantize.cu, so of the CPU, for the encode scale G of the row's expert, or, where that is
// 0, for 2688 / max |x| of the row.
//
// Data flow   global → registers → global; a CTA has a row at a time, a thread blocks of 16 of its columns. Rows that need
//             their own G are read twice, the second time from L1 or L2. In place if input and output are the same.
// Bytes       2 (or 4, mostly from cache) read and 2 written an element
// Launch      grid (at most as many blocks of rows as the list may hold, rows of a block that run at once), 256 threads
#include "common/nvfp4.cuh"
#include "common/packed.cuh"

/// How rows lie in memory: LINEAR `inputPitch` or `outputPitch` elements apart; PACKED, outputs, as the grouped GEMM reads
/// tokens, in `outputPitch` rows; SLOTTED, inputs, as it leaves rows between its products (common/packed.cuh), in `inputPitch`
/// slots, which they have in place of their index.
enum RowLayout { LINEAR = 0, PACKED = 1, SLOTTED = 2 };

struct QuantizeRowsArguments {
    const RowBlockList* list;   ///< without one, rows 0 to rowCount of an expert, in blocks of `blockRows`
    const u32* sources;         ///< [rows], rows of the input; null: r
    const u32* targets;         ///< [rows], rows of the output; null: r
    const float* inputWeights;  ///< [rows], multiply the input before it is rounded; null: 1
    const float* sumWeights;    ///< [rows], multiply `factors`; null: 1
    const float* encodeScales;  ///< [E], 0: the row's own
    char* input;                ///< BF16
    char* output;               ///< BF16
    float* factors;             ///< [rows]
    u32 inputPitch, outputPitch;
    u32 rowCount, blockRows, expert;
    u32 unused;
};

/// Sixteen columns of a row as they lie in memory, pairs in order.
template <int kLayout>
struct RowPiece {
    /// The row's first byte, and what lies between slabs of packed rows.
    char* row;
    u64 slabBytes;
    u32 swizzle;

    DEVICE RowPiece(char* base, u64 index, u32 pitch)
        : row(base + index * (kLayout == LINEAR ? 2 * (u64)pitch : PACKED_BYTES)), slabBytes((u64)pitch * PACKED_BYTES),
          swizzle(kLayout == SLOTTED ? index % 8 : 0) {}

    DEVICE u32* packed_pair(u32 piece, u32 index) const {
        return reinterpret_cast<u32*>(row + piece / 4 * slabBytes + (index ^ swizzle) * 16 + piece % 4 * 4);
    }

    DEVICE void load(u32 piece, float weight, float (&values)[16]) const {
        u32 pairs[8];
        if (kLayout == LINEAR) {
            const uint4* halves = reinterpret_cast<const uint4*>(row + piece * 32);
            const uint4 low = halves[0], high = halves[1];
            pairs[0] = low.x, pairs[1] = low.y, pairs[2] = low.z, pairs[3] = low.w;
            pairs[4] = high.x, pairs[5] = high.y, pairs[6] = high.z, pairs[7] = high.w;
        } else {
#pragma unroll
            for (int i = 0; i < 8; ++i) pairs[i] = *packed_pair(piece, i);
        }
#pragma unroll
        for (int i = 0; i < 16; ++i) values[i] = bf16_value((u16)(pairs[i / 2] >> i % 2 * 16)) * weight;
    }

    DEVICE void store(u32 piece, const float (&values)[16]) const {
        u32 pairs[8];
#pragma unroll
        for (int i = 0; i < 8; ++i) pairs[i] = pack_bf16x2(values[2 * i], values[2 * i + 1]);
        if (kLayout == LINEAR) {
            uint4* halves = reinterpret_cast<uint4*>(row + piece * 32);
            halves[0] = make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
            halves[1] = make_uint4(pairs[4], pairs[5], pairs[6], pairs[7]);
        } else {
#pragma unroll
            for (int i = 0; i < 8; ++i) *packed_pair(piece, i) = pairs[i];
        }
    }
};

/// The largest magnitude; a NaN is larger than all numbers.
DEVICE float largest(const float (&values)[16]) {
    u32 bits = 0;
#pragma unroll
    for (int i = 0; i < 16; ++i) bits = max(bits, __float_as_uint(values[i]) & 0x7FFFFFFF);
    return __uint_as_float(bits);
}

DEVICE void round_piece(float (&values)[16], float encodeScale, float inverse) {
    u32 code;
    const float scale = block_scale(largest(values), encodeScale, code), factor = element_factor(scale, inverse);
#pragma unroll
    for (int i = 0; i < 16; ++i) values[i] = round_e2m1(values[i], factor) * scale;
}

/// kPieces: blocks of 16 columns of a row, padding included.
template <int kInput, int kOutput, int kPieces>
DEVICE void quantize_rows(const QuantizeRowsArguments& arguments) {
    static_assert(kInput != PACKED && kOutput != SLOTTED, "layouts that rows come in and go to");
    launch_next_kernel();
    wait_for_previous_kernel();
    const u32 blockRows = arguments.blockRows;
    const RowBlockList* list = arguments.list;
    const u32 count = list ? list->count : (arguments.rowCount + blockRows - 1) / blockRows;
    for (u32 index = blockIdx.x; index < count; index += gridDim.x) {
        const RowBlock block = list ? list->blocks[index]
                                    : RowBlock{arguments.expert, index * blockRows,
                                               min(blockRows, arguments.rowCount - index * blockRows), 0};
        const float given = arguments.encodeScales[block.expert];
        for (u32 i = blockIdx.y; i < block.rowCount; i += gridDim.y) {
            const u32 row = block.firstRow + i;
            const u32 source = kInput == SLOTTED ? first_slot(block, index) + i : arguments.sources ? arguments.sources[row] : row;
            const RowPiece<kInput> input(arguments.input, source, arguments.inputPitch);
            const RowPiece<kOutput> output(arguments.output, arguments.targets ? arguments.targets[row] : row, arguments.outputPitch);
            const float weight = arguments.inputWeights ? arguments.inputWeights[row] : 1.0f;
            float values[16], encodeScale = given;
            if (given == 0.0f) {
                u32 bits = 0;
                for (u32 piece = threadIdx.x; piece < kPieces; piece += blockDim.x) {
                    input.load(piece, weight, values);
                    bits = max(bits, __float_as_uint(largest(values)));
                }
                encodeScale = encode_scale_of(largest_in_block(__uint_as_float(bits)));
            }
            const float inverse = __frcp_rn(encodeScale);
            for (u32 piece = threadIdx.x; piece < kPieces; piece += blockDim.x) {
                input.load(piece, weight, values);
                round_piece(values, encodeScale, inverse);
                output.store(piece, values);
            }
            if (threadIdx.x == 0)
                arguments.factors[row] = (given == 0.0f ? inverse : 1.0f) * (arguments.sumWeights ? arguments.sumWeights[row] : 1.0f);
        }
    }
}

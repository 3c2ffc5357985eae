// Adds up the rows of every token:  output[t, :] = residual[t, :] + Σ rows[r, :] over the rows r of token t.
//
// Data flow   global → registers (FP32) → global, eight columns a thread; rows in the order of the list of a token's rows,
//             so results repeat bit for bit
// Bytes       2 a row's element read, 2 a token's element written, and 2 read if there is a residual; bound by bandwidth
// Launch      any grid, 256 threads
#include "common/moe.cuh"

struct MoeCombineArguments {
    const u16* rows;        ///< BF16 [rows, kColumns], router weights included
    const u32* tokenRows;   ///< [T, kTopK]; all ones: no row
    const u16* residual;    ///< BF16 [T, kColumns], or null
    u16* output;            ///< the same shape
    u32 tokenCount;
};

DEVICE void add_bf16x2(float& low, float& high, u32 pair) {
    low += bf16_value((u16)pair), high += bf16_value((u16)(pair >> 16));
}

DEVICE void add_bf16x8(float (&sums)[8], uint4 values) {
    add_bf16x2(sums[0], sums[1], values.x), add_bf16x2(sums[2], sums[3], values.y);
    add_bf16x2(sums[4], sums[5], values.z), add_bf16x2(sums[6], sums[7], values.w);
}

template <int kColumns, int kTopK>
DEVICE void moe_combine(const MoeCombineArguments& arguments) {
    static_assert(kColumns % 8 == 0, "a thread takes eight columns");
    constexpr u32 pieces = kColumns / 8;
    launch_next_kernel();
    wait_for_previous_kernel();
    const u32 total = arguments.tokenCount * pieces;
    for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < total; i += gridDim.x * blockDim.x) {
        const u32 token = i / pieces, piece = i % pieces;
        uint4 values[kTopK];
#pragma unroll
        for (int k = 0; k < kTopK; ++k) {
            const u32 row = arguments.tokenRows[token * kTopK + k];
            values[k] = make_uint4(0, 0, 0, 0);
            if (row != ~0u) values[k] = load_once(reinterpret_cast<const uint4*>(arguments.rows) + (u64)row * pieces + piece);
        }
        float sums[8] = {};
        if (arguments.residual) add_bf16x8(sums, reinterpret_cast<const uint4*>(arguments.residual)[i]);
#pragma unroll
        for (int k = 0; k < kTopK; ++k) add_bf16x8(sums, values[k]);
        reinterpret_cast<uint4*>(arguments.output)[i] =
            make_uint4(pack_bf16x2(sums[0], sums[1]), pack_bf16x2(sums[2], sums[3]), pack_bf16x2(sums[4], sums[5]),
                       pack_bf16x2(sums[6], sums[7]));
    }
}

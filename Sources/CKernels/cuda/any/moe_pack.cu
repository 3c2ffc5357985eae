// Brings rows of activations into the layout that the grouped GEMM reads (common/packed.cuh): the rows of experts, or the
// tokens, which the GEMM then gathers by itself.
//
// Data flow   global → registers → global; a thread reads 4 bytes from each of the four blocks of 16 columns of a row's slab
//             and writes 16
// Bytes       2 read (of a token's second row on from L2) and 2 written an element; bound by bandwidth
// Launch      256 threads; rows: grid (at most as many blocks as the list may hold, ⌈slabs / 8⌉), tokens: (⌈tokens / 8⌉, the same)
#include "common/packed.cuh"

struct MoePackArguments {
    Routing routing;    ///< of rows; without a list, all tokens are rows in blocks of blockRows
    const u16* inputs;  ///< BF16 [tokenCount, inputPitch], columns beyond the matrix's own are zero
    char* packed;
    u32 inputPitch;
    u32 slots;  ///< of rows
    u32 tokenCount;
    u32 blockRows;
};

/// The sixteen bytes of a packed row's piece.
DEVICE uint4 packed_piece(const u16* slab, u32 piece) {
    const u16* source = slab + piece * 2;
    return make_uint4(*reinterpret_cast<const u32*>(source), *reinterpret_cast<const u32*>(source + 16),
                      *reinterpret_cast<const u32*>(source + 32), *reinterpret_cast<const u32*>(source + 48));
}

DEVICE void begin_packing() {
    wait_for_previous_kernel();
    // Only now: the GEMM reads the routing, which is complete, without waiting for this kernel.
    launch_next_kernel();
}

template <int kSlabs>
DEVICE void pack_rows(const MoePackArguments& arguments) {
    constexpr u32 rowsAtOnce = 4;
    const u32 piece = threadIdx.x % 8, slab = blockIdx.y * 8 + threadIdx.x / 8 % 8;
    begin_packing();
    if (slab >= kSlabs) return;
    const u32 count = block_count(arguments.routing, arguments.tokenCount, arguments.blockRows);
    for (u32 index = blockIdx.x; index < count; index += gridDim.x) {
        const RowBlock block = row_block(arguments.routing, index, 0, arguments.tokenCount, arguments.blockRows);
        const u32 slots = slot_count(block.rowCount);
        char* packed = arguments.packed + ((u64)slab * arguments.slots + first_slot(block, index)) * PACKED_BYTES;
#pragma unroll 4
        for (u32 row = threadIdx.x / 64; row < slots; row += rowsAtOnce) {
            uint4 value = make_uint4(0, 0, 0, 0);
            if (row < block.rowCount) {
                const u32 token = row_token(arguments.routing, block.firstRow + row);
                value = packed_piece(arguments.inputs + (u64)token * arguments.inputPitch + slab * 64, piece);
            }
            *reinterpret_cast<uint4*>(packed + row * PACKED_BYTES + (piece ^ row % 8) * 16) = value;
        }
    }
}

template <int kSlabs>
DEVICE void pack_tokens(const MoePackArguments& arguments) {
    constexpr u32 tokensOfThread = 2;
    const u32 piece = threadIdx.x % 8, slab = blockIdx.y * 8 + threadIdx.x / 32;
    const u32 first = blockIdx.x * (4 * tokensOfThread) + threadIdx.x / 8 % 4;
    begin_packing();
    if (slab >= kSlabs) return;
    char* packed = arguments.packed + (u64)slab * arguments.tokenCount * PACKED_BYTES + piece * 16;
#pragma unroll
    for (u32 i = 0; i < tokensOfThread; ++i) {
        const u32 token = first + 4 * i;
        if (token < arguments.tokenCount)
            *reinterpret_cast<uint4*>(packed + (u64)token * PACKED_BYTES) =
                packed_piece(arguments.inputs + (u64)token * arguments.inputPitch + slab * 64, piece);
    }
}

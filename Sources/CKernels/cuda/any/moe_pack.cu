// Brings rows of activations into the layout that the grouped GEMM reads (common/packed.cuh): the rows of experts, or the
// tokens, which the GEMM then gathers by itself.
//
// Data flow   global → registers → global; a thread reads 4 bytes from each of the four blocks of 16 columns of a row's slab
//             and writes 16
// Bytes       2 read (of a token's second row on from L2) and 2 written an element; bound by bandwidth
// Launch      256 threads; rows: grid (at most as many blocks as the list may hold, ⌈slabs / 8⌉, any), tokens: (⌈tokens / 8⌉,
//             ⌈slabs / 8⌉)
#include "common/packed.cuh"

struct MoePackArguments {
    Routing routing;    ///< of rows
    const u16* inputs;  ///< BF16 [tokenCount, inputPitch], columns beyond the matrix's own are zero
    char* packed;
    u32 inputPitch;
    u32 slots;      ///< of rows
    u32 tokenCount;
    u32 blockRows;  ///< of tokens that are swizzled
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

/// Rows of experts: CTAs share a block's rows.
template <int kSlabs>
DEVICE void pack_rows(const MoePackArguments& arguments) {
    constexpr u32 rowsAtOnce = 4;
    const u32 piece = threadIdx.x % 8, slab = blockIdx.y * 8 + threadIdx.x / 8 % 8;
    begin_packing();
    if (slab >= kSlabs) return;
    const RowBlockList* list = arguments.routing.list;
    for (u32 index = blockIdx.x; index < list->count; index += gridDim.x) {
        const RowBlock block = list->blocks[index];
        const u32 slots = slot_count(block.rowCount);
        char* packed = arguments.packed + ((u64)slab * arguments.slots + first_slot(block, index)) * PACKED_BYTES;
#pragma unroll 4
        for (u32 row = blockIdx.z * rowsAtOnce + threadIdx.x / 64; row < slots; row += gridDim.z * rowsAtOnce) {
            uint4 value = make_uint4(0, 0, 0, 0);
            if (row < block.rowCount) {
                const u32 token = row_token(arguments.routing, block.firstRow + row);
                value = packed_piece(arguments.inputs + (u64)token * arguments.inputPitch + slab * 64, piece);
            }
            *reinterpret_cast<uint4*>(packed + row * PACKED_BYTES + (piece ^ row % 8) * 16) = value;
        }
    }
}

/// Tokens, in their order: for a product that gathers them, or swizzled, as rows in blocks of blockRows, a multiple of 8.
template <int kSlabs, bool isSwizzled>
DEVICE void pack_tokens(const MoePackArguments& arguments) {
    constexpr u32 tokensOfThread = 2;
    const u32 piece = threadIdx.x % 8, slab = blockIdx.y * 8 + threadIdx.x / 32;
    const u32 first = blockIdx.x * (4 * tokensOfThread) + threadIdx.x / 8 % 4, count = arguments.tokenCount;
    begin_packing();
    if (slab >= kSlabs) return;
    char* packed = arguments.packed + (u64)slab * (isSwizzled ? arguments.slots : count) * PACKED_BYTES;
#pragma unroll
    for (u32 i = 0; i < tokensOfThread; ++i) {
        const u32 token = first + 4 * i;
        uint4 value = make_uint4(0, 0, 0, 0);
        if (token < count) value = packed_piece(arguments.inputs + (u64)token * arguments.inputPitch + slab * 64, piece);
        else if (!isSwizzled) continue;
        const u32 slot = isSwizzled ? token + token / arguments.blockRows * SLOT_GROUP : token;
        const u32 place = isSwizzled ? piece ^ slot % 8 : piece;
        *reinterpret_cast<uint4*>(packed + (u64)slot * PACKED_BYTES + place * 16) = value;
    }
}

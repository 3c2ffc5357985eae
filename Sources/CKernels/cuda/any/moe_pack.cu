// Gathers token rows by expert and brings them into the layout that the grouped GEMM reads (common/packed.cuh).
//
// Data flow   global → registers → global; a thread reads 4 bytes from each of the four blocks of 16 columns of a row's slab
//             and writes 16
// Bytes       2 read (from L2 after a token's first row) and 2 written an element of the rows; bound by bandwidth
// Launch      grid (at most as many blocks of rows as the list may hold, ⌈slabs / 8⌉), 256 threads
#include "common/packed.cuh"

struct MoePackArguments {
    Routing routing;
    const u16* inputs;  ///< BF16 [T, inputPitch], columns beyond the matrix's own are zero
    char* packed;
    u32 inputPitch;
    u32 slots;
};

template <int kSlabs>
DEVICE void moe_pack(const MoePackArguments& arguments) {
    constexpr u32 rowsAtOnce = 4;
    const u32 piece = threadIdx.x % 8, slab = blockIdx.y * 8 + threadIdx.x / 8 % 8;
    wait_for_previous_kernel();
    // Only now: the next kernel reads the routing, which is complete, without waiting for this one.
    launch_next_kernel();
    if (slab >= kSlabs) return;
    const u32 count = arguments.routing.list->count;
    for (u32 index = blockIdx.x; index < count; index += gridDim.x) {
        const RowBlock block = arguments.routing.list->blocks[index];
        const u32 slots = slot_count(block.rowCount);
        char* packed = arguments.packed + ((u64)slab * arguments.slots + first_slot(block, index)) * PACKED_BYTES;
#pragma unroll 4
        for (u32 row = threadIdx.x / 64; row < slots; row += rowsAtOnce) {
            uint4 value = make_uint4(0, 0, 0, 0);
            if (row < block.rowCount) {
                const u32 token = row_token(arguments.routing, block.firstRow + row);
                const u16* source = arguments.inputs + (u64)token * arguments.inputPitch + slab * 64 + piece * 2;
                value.x = *reinterpret_cast<const u32*>(source);
                value.y = *reinterpret_cast<const u32*>(source + 16);
                value.z = *reinterpret_cast<const u32*>(source + 32);
                value.w = *reinterpret_cast<const u32*>(source + 48);
            }
            *reinterpret_cast<uint4*>(packed + row * PACKED_BYTES + (piece ^ row % 8) * 16) = value;
        }
    }
}

// Brings token rows into the order that the grouped GEMM reads (common/packed.cuh).
//
// Data flow   global → registers → global; a thread reads 4 bytes from each of the four blocks of 16 columns of a row's slab
//             and writes 16
// Bytes       2 read and 2 written an element; bound by bandwidth
// Launch      grid (⌈tokens / 8⌉, ⌈slabs / 8⌉), 256 threads
#include "common/packed.cuh"

struct MoePackArguments {
    const u16* inputs;  ///< BF16 [tokenCount, inputPitch], columns beyond the matrix's own are zero
    char* packed;
    u32 inputPitch;
    u32 tokenCount;
};

template <int kSlabs>
DEVICE void moe_pack(const MoePackArguments& arguments) {
    constexpr u32 rows = 2;
    const u32 piece = threadIdx.x % 8, slab = blockIdx.y * 8 + threadIdx.x / 32;
    const u32 first = blockIdx.x * (4 * rows) + threadIdx.x / 8 % 4;
    wait_for_previous_kernel();
    // Only now: the next kernel reads the routing, which is complete, without waiting for this one.
    launch_next_kernel();
    if (slab >= kSlabs) return;
    char* packed = arguments.packed + (u64)slab * arguments.tokenCount * PACKED_BYTES + piece * 16;
    uint4 values[rows];
#pragma unroll
    for (u32 i = 0; i < rows; ++i) {
        const u32 token = first + 4 * i;
        if (token >= arguments.tokenCount) break;
        const u16* source = arguments.inputs + (u64)token * arguments.inputPitch + slab * 64 + piece * 2;
        values[i].x = *reinterpret_cast<const u32*>(source);
        values[i].y = *reinterpret_cast<const u32*>(source + 16);
        values[i].z = *reinterpret_cast<const u32*>(source + 32);
        values[i].w = *reinterpret_cast<const u32*>(source + 48);
    }
#pragma unroll
    for (u32 i = 0; i < rows; ++i) {
        const u32 token = first + 4 * i;
        if (token < arguments.tokenCount) *reinterpret_cast<uint4*>(packed + (u64)token * PACKED_BYTES) = values[i];
    }
}

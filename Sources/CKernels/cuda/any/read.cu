// Reads memory as fast as plain loads can: with read_bulk.cu the ceiling for kernels that are bound by memory.
//
//   sum[0] += the sum of all 32-bit words of data, modulo 2^32         data [count] of 16 bytes
//
// Data flow   data: global -> registers, LOADS independent 16-byte loads a thread; one atomic addition a block
// Bytes       16 * count read; bandwidth-bound
// Launch      any grid, blocks of THREADS; data must not be written by the kernel before, which it may overlap
#include "common/ptx.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) read(const uint4* data, u64 count, u32* sum) {
    constexpr u64 TILE = THREADS * LOADS;
    const u64 whole = count / TILE * TILE;
    launch_next_kernel();
    u32 total = 0;
#pragma unroll 1
    for (u64 tile = blockIdx.x * TILE; tile < whole; tile += gridDim.x * TILE) {
        uint4 loaded[LOADS];
#pragma unroll
        for (int load = 0; load < LOADS; ++load) loaded[load] = load_once(data + tile + load * THREADS + threadIdx.x);
#pragma unroll
        for (int load = 0; load < LOADS; ++load) {
            total += loaded[load].x + loaded[load].y + loaded[load].z + loaded[load].w;
        }
    }
#pragma unroll 1
    for (u64 index = whole + blockIdx.x * THREADS + threadIdx.x; index < count; index += gridDim.x * THREADS) {
        uint4 loaded = load_once(data + index);
        total += loaded.x + loaded.y + loaded.z + loaded.w;
    }
    total = __reduce_add_sync(~0u, total);
    wait_for_previous_kernel();
    if (threadIdx.x % 32 == 0) atomicAdd(sum, total);
}

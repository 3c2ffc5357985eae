// Copies memory: the ceiling for kernels that write as much as they read.
//
//   destination[i] = source[i]                                         [count] of 16 bytes
//
// Data flow   source: global -> registers (LOADS independent 16-byte loads a thread) -> global
// Bytes       32 * count; bandwidth-bound
// Launch      any grid, blocks of THREADS
#include "common/ptx.cuh"

extern "C" __global__ void __launch_bounds__(THREADS) copy(const uint4* source, uint4* destination, u64 count) {
    constexpr u64 TILE = THREADS * LOADS;
    const u64 whole = count / TILE * TILE;
    wait_for_previous_kernel();
#pragma unroll 1
    for (u64 tile = blockIdx.x * TILE; tile < whole; tile += gridDim.x * TILE) {
        const u64 first = tile + threadIdx.x;
        uint4 loaded[LOADS];
#pragma unroll
        for (int load = 0; load < LOADS; ++load) loaded[load] = load_once(source + first + load * THREADS);
#pragma unroll
        for (int load = 0; load < LOADS; ++load) store_once(destination + first + load * THREADS, loaded[load]);
    }
#pragma unroll 1
    for (u64 index = whole + blockIdx.x * THREADS + threadIdx.x; index < count; index += gridDim.x * THREADS) {
        store_once(destination + index, load_once(source + index));
    }
    launch_next_kernel();
}

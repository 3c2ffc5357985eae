// Counts the words in which two pieces of memory differ: whether replays of a graph give the same bits.
//
//   *count += number of i with found[i] != expected[i]                  [words]
//
// Data flow   global -> registers -> one atomic addition a warp that found a difference
// Launch      any grid, 256 threads
#include "common/ptx.cuh"

extern "C" __global__ void __launch_bounds__(256) compare(
    const u32* found, const u32* expected, u32 words, u32* count) {
    u32 different = 0;
    for (u32 i = blockIdx.x * 256 + threadIdx.x; i < words; i += gridDim.x * 256) different += found[i] != expected[i];
    different = __reduce_add_sync(~0u, different);
    if (threadIdx.x % 32 == 0 && different > 0) atomicAdd(count, different);
}

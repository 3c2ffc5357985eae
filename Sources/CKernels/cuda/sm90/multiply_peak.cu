// Multiplies the same matrices over and over: the ceiling of dense BF16 products, at the clock that their power allows.
//
//   sums[CTA] = Σ c,  c += a · b                                        a 64x64 in registers, b 64x128 in shared memory
//
// Data flow   none but between registers, shared memory and the matrix units; random operands, since zeros draw less power
// Work        2 * 64 * 128 * 64 * 2 operations a round and warpgroup
// Launch      any grid, blocks of THREADS, whole warpgroups
#include "common/wgmma.cuh"

DEVICE u32 random_bits(u32 x) {
    x = (x ^ x >> 16) * 0x7FEB352D;
    x = (x ^ x >> 15) * 0x846CA68B;
    return x ^ x >> 16;
}

/// Two BF16 numbers of 1/2 to 1 and either sign.
DEVICE u32 random_pair(u32 x) { return (random_bits(x) & 0x807F807F) | 0x3F003F00; }

extern "C" __global__ void __launch_bounds__(THREADS, 1) multiply_peak(u32 rounds, float* sums) {
    __shared__ __align__(1024) u32 b[128 * 32];
    for (u32 i = threadIdx.x; i < 128 * 32; i += THREADS) b[i] = random_pair(i);
    u32 a[4][4];
    float c[2][16][4] = {};
#pragma unroll
    for (u32 i = 0; i < 16; ++i) a[i / 4][i % 4] = random_pair(i * THREADS + threadIdx.x + 0x10000);
    fence_async();
    __syncthreads();
    const u64 descriptor = wgmma_descriptor(b);
    for (u32 round = 0; round < rounds; ++round)
#pragma unroll
        for (u32 half = 0; half < 2; ++half) {
            wgmma_fence();
#pragma unroll
            for (u32 step = 0; step < 4; ++step) wgmma<128>(c[half], a[step], descriptor + 2 * step);
            wgmma_commit();
            wgmma_wait<1>();
        }
    wgmma_wait<0>();
    wgmma_hold(c[0]);
    wgmma_hold(c[1]);
    float sum = 0;
#pragma unroll
    for (u32 i = 0; i < 128; ++i) sum += c[i / 64][i / 4 % 16][i % 4];
    atomicAdd(sums + blockIdx.x, sum);
}

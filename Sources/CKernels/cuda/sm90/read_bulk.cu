// Reads memory as fast as Hopper's copy engine can, through a ring in shared memory.
//
//   sum[0] += the sum of all 32-bit words of data, modulo 2^32         data [count] of 16 bytes
//
// Data flow   data: global -> shared (bulk copies, a ring of STAGES times STAGE_BYTES) -> registers; one atomic a warp
// Bytes       16 * count read; bandwidth-bound
// Launch      any grid, blocks of THREADS + 32: the last warp copies, the others add; STAGES * STAGE_BYTES of dynamic
//             shared memory; data must not be written by the kernel before, which it may overlap
// Source      mbarrier and cp.async.bulk: PTX ISA, parallel synchronization and data movement instructions
#include "common/ptx.cuh"

extern __shared__ __align__(128) u8 ring[];

DEVICE u32 stage_byte_count(u64 chunk, u64 byte_count) {
    u64 rest = byte_count - chunk * STAGE_BYTES;
    return rest < STAGE_BYTES ? static_cast<u32>(rest) : STAGE_BYTES;
}

extern "C" __global__ void __launch_bounds__(THREADS + 32) read_bulk(const uint4* data, u64 count, u32* sum) {
    __shared__ __align__(8) u64 full[STAGES], empty[STAGES];
    const u64 byte_count = count * 16;
    const u64 chunk_count = (byte_count + STAGE_BYTES - 1) / STAGE_BYTES;

    if (threadIdx.x == 0) {
        for (int stage = 0; stage < STAGES; ++stage) {
            barrier_init(&full[stage], 1);
            barrier_init(&empty[stage], THREADS / 32);
        }
        fence_barrier_init();
    }
    __syncthreads();

    if (threadIdx.x >= THREADS) {
        if (threadIdx.x == THREADS) {
            const u64 policy = evict_first_policy();
            u32 stage = 0, parity = 1;
#pragma unroll 1
            for (u64 chunk = blockIdx.x; chunk < chunk_count; chunk += gridDim.x) {
                barrier_wait(&empty[stage], parity);
                u32 size = stage_byte_count(chunk, byte_count);
                barrier_arrive_expecting(&full[stage], size);
                bulk_copy(ring + stage * STAGE_BYTES, reinterpret_cast<const u8*>(data) + chunk * STAGE_BYTES, size,
                          &full[stage], policy);
                if (++stage == STAGES) stage = 0, parity ^= 1;
            }
            launch_next_kernel();
        }
        return;
    }

    u32 total = 0, stage = 0, parity = 0;
#pragma unroll 1
    for (u64 chunk = blockIdx.x; chunk < chunk_count; chunk += gridDim.x) {
        barrier_wait(&full[stage], parity);
        const uint4* values = reinterpret_cast<const uint4*>(ring + stage * STAGE_BYTES);
        u32 value_count = stage_byte_count(chunk, byte_count) / 16;
#pragma unroll 4
        for (u32 index = threadIdx.x; index < value_count; index += THREADS) {
            uint4 value = values[index];
            total += value.x + value.y + value.z + value.w;
        }
        __syncwarp();
        if (threadIdx.x % 32 == 0) barrier_arrive(&empty[stage]);
        if (++stage == STAGES) stage = 0, parity ^= 1;
    }
    total = __reduce_add_sync(~0u, total);
    wait_for_previous_kernel();
    if (threadIdx.x % 32 == 0) atomicAdd(sum, total);
}

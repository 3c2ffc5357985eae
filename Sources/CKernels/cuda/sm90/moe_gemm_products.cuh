// The products of the warpgroups that multiply: weights from shared memory to fragments in registers, times activations in
// shared memory.
#pragma once
#include "common/wgmma.cuh"
#include "sm90/moe_gemm_cta.cuh"

/// Products of kPerGroup blocks of weight rows and N token columns; a thread's view of them.
template <class Gemm, int N, int kPerGroup>
struct GemmProducts {
    typedef TileFragments<Gemm::kFormat> Tiles[kPerGroup];
    typedef float Sums[kPerGroup][N / 8][4];

    const GemmCta<Gemm>& cta;

    /// Sums over an item's slabs.
    DEVICE void multiply(Sums& sums, typename Gemm::Cursor& cursor, u32 slabs, bool isGathered) const {
        Tiles tiles;
#pragma unroll
        for (int m = 0; m < kPerGroup; ++m)
#pragma unroll
            for (int n = 0; n < N / 8; ++n) sums[m][n][0] = sums[m][n][1] = sums[m][n][2] = sums[m][n][3] = 0;
        await_stage(cursor, isGathered);
        load(tiles, cursor.stage, 0);
        u32 previous = ~0u;
#pragma unroll 1
        for (u32 left = slabs;;) {
            Tiles next;
            multiply_slab<0>(sums, tiles, next, cursor, previous, left, isGathered);
            if (--left == 0) break;
            if (Gemm::kStageSlabs == 1) {
#pragma unroll
                for (int m = 0; m < kPerGroup; ++m) tiles[m] = next[m];
            } else {
                multiply_slab<Gemm::kStageSlabs - 1>(sums, next, tiles, cursor, previous, left, isGathered);
                if (--left == 0) break;
            }
        }
        wgmma_wait<0>();
#pragma unroll
        for (int m = 0; m < kPerGroup; ++m) wgmma_hold(sums[m]);
        release_stage(cursor.stage);
        cursor.advance();
    }

    /// Multiplies a slab, the first or the second of its stage, and loads the weights of the next one.
    template <int slab>
    DEVICE void multiply_slab(Sums& sums, Tiles& tiles, Tiles& next, typename Gemm::Cursor& cursor, u32& previous, u32 left, bool isGathered) const {
        const u64 b = wgmma_descriptor(cta.inputs(cursor.stage) + slab * Gemm::kInputBytes);
#pragma unroll
        for (int m = 0; m < kPerGroup; ++m) tiles[m].prepare();
        multiply_step<0>(sums, tiles, b);
        if (slab == 0 && previous != ~0u) release_stage(previous);
        multiply_step<1>(sums, tiles, b);
        multiply_step<2>(sums, tiles, b);
        if (left > 1) {
            if (slab == Gemm::kStageSlabs - 1) {
                previous = cursor.stage;
                cursor.advance();
                await_stage(cursor, isGathered);
            }
            load(next, cursor.stage, (slab + 1) % Gemm::kStageSlabs);
        }
        multiply_step<3>(sums, tiles, b);
    }

    /// Loads this warp's share of the weights of a slab of the current stage.
    DEVICE void load(Tiles& tiles, u32 stage, int slab) const {
        const u32 offset = cta.warp / 4 * kPerGroup * Gemm::kBlockBytes + cta.warp % 4 * tile_bytes(Gemm::kFormat)
            + slab * Gemm::kSlabBytes;
#pragma unroll
        for (int m = 0; m < kPerGroup; ++m)
            tiles[m].load(cta.weights(stage) + offset + m * Gemm::kBlockBytes, cta.lane);
    }

    template <int step>
    DEVICE static void multiply_step(Sums& sums, const Tiles& tiles, u64 b) {
        u32 a[kPerGroup][4];
#pragma unroll
        for (int m = 0; m < kPerGroup; ++m) tiles[m].template fragment<step>(a[m]);
        wgmma_fence();
#pragma unroll
        for (int m = 0; m < kPerGroup; ++m) wgmma<N>(sums[m], a[m], b + 2 * step);
        wgmma_commit();
        wgmma_wait<1>();
    }

    /// Waits for a stage's operands. What came by ordinary copies has to be made visible to the matrix units.
    DEVICE void await_stage(const typename Gemm::Cursor& cursor, bool isGathered) const {
        barrier_wait(&cta.barriers->full[cursor.stage], cursor.parity);
        if (isGathered) fence_async_shared();
    }

    DEVICE void release_stage(u32 stage) const {
        warp_arrive(&cta.barriers->empty[stage]);
    }
};

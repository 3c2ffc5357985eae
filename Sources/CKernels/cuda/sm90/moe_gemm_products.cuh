// The products of the warpgroups that multiply: weights from shared memory to fragments in registers, times activations in
// shared memory.
#pragma once
#include "common/wgmma.cuh"
#include "sm90/moe_gemm_cta.cuh"

/// Numbers of token columns, rising.
template <int... counts>
struct Columns {};

/// Those that there are products for, for blocks of up to so many token rows.
template <int rows>
struct ColumnsOf;
template <> struct ColumnsOf<64> : Columns<16, 24, 32, 40, 48, 64> {};
template <> struct ColumnsOf<96> : Columns<64, 80, 96> {};
template <> struct ColumnsOf<128> : Columns<16, 32, 48, 64, 80, 96, 128> {};
template <> struct ColumnsOf<144> : Columns<64, 96, 120, 128, 136, 144> {};

/// Products of kPerGroup blocks of weight rows and N token columns, the first of the sums; a thread's view of them.
template <class Gemm, int N, int kPerGroup>
struct GemmProducts {
    typedef TileFragments<Gemm::kFormat> Tiles[kPerGroup];
    typedef u32 Fragments[kPerGroup][4];
    typedef typename Gemm::Sums Sums;
    typedef typename Gemm::Cursor Cursor;

    const GemmCta<Gemm>& cta;

    /// Adds the products of an item's slabs.
    DEVICE void multiply(Sums& sums, Cursor& cursor, u32 slabs, bool isGathered) const {
        if constexpr (Gemm::kFormat == BF16) multiply_stored(sums, cursor, slabs, isGathered);
        else multiply_unpacked(sums, cursor, slabs, isGathered);
    }

    /// Weights that are fragments as they are stored: registers are loaded when all products of the slab before are done,
    /// while another warpgroup multiplies.
    DEVICE void multiply_stored(Sums& sums, Cursor& cursor, u32 slabs, bool isGathered) const {
#pragma unroll 1
        for (; slabs > 0; --slabs) {
            Tiles tiles;
            await_stage(cursor, isGathered);
            load(tiles, cursor.stage, 0);
            const u64 b = wgmma_descriptor(cta.inputs(cursor.stage));
            Fragments a[4];
            unpack<0>(a[0], tiles), unpack<1>(a[1], tiles), unpack<2>(a[2], tiles), unpack<3>(a[3], tiles);
            wgmma_fence();
#pragma unroll
            for (int step = 0; step < 4; ++step) multiply(sums, a[step], b, step);
            wgmma_commit();
            finish(sums);
            release_stage(cursor.stage);
            cursor.advance();
        }
    }

    /// Weights that become fragments step by step, while the products of the step before are under way.
    DEVICE void multiply_unpacked(Sums& sums, Cursor& cursor, u32 slabs, bool isGathered) const {
        Tiles tiles;
        await_stage(cursor, isGathered);
        load(tiles, cursor.stage, 0);
        u32 previous = ~0u;
#pragma unroll 1
        for (u32 left = slabs; left > 0;) {
#pragma unroll
            for (int slab = 0; slab < Gemm::kStageSlabs; ++slab)
                if (left > 0) multiply_slab(sums, tiles, slab, cursor, previous, --left, isGathered);
        }
        finish(sums);
        release_stage(cursor.stage);
        cursor.advance();
    }

    /// Multiplies a slab of the current stage, and loads the weights of the next one, if any is left, before the last
    /// products.
    DEVICE void multiply_slab(Sums& sums, Tiles& tiles, int slab, Cursor& cursor, u32& previous, u32 left,
                              bool isGathered) const {
        const u64 b = wgmma_descriptor(cta.inputs(cursor.stage) + slab * Gemm::kInputBytes);
#pragma unroll
        for (int m = 0; m < kPerGroup; ++m) tiles[m].prepare();
        multiply_step<0>(sums, tiles, b);
        if (slab == 0 && previous != ~0u) release_stage(previous);
        multiply_step<1>(sums, tiles, b);
        multiply_step<2>(sums, tiles, b);
        Fragments a;
        unpack<3>(a, tiles);
        if (left > 0) {
            if (slab == Gemm::kStageSlabs - 1) {
                previous = cursor.stage;
                cursor.advance();
                await_stage(cursor, isGathered);
            }
            load(tiles, cursor.stage, (slab + 1) % Gemm::kStageSlabs);
        }
        multiply_behind(sums, a, b, 3);
    }

    template <int step>
    DEVICE static void multiply_step(Sums& sums, const Tiles& tiles, u64 b) {
        Fragments a;
        unpack<step>(a, tiles);
        multiply_behind(sums, a, b, step);
    }

    /// Loads this warp's share of the weights of a slab of a stage.
    DEVICE void load(Tiles& tiles, u32 stage, int slab) const {
        const u32 offset = cta.warp / 4 * kPerGroup * Gemm::kBlockBytes + cta.warp % 4 * tile_bytes(Gemm::kFormat)
            + slab * Gemm::kSlabBytes;
#pragma unroll
        for (int m = 0; m < kPerGroup; ++m)
            tiles[m].load(cta.weights(stage) + offset + m * Gemm::kBlockBytes, cta.lane);
    }

    template <int step>
    DEVICE static void unpack(Fragments& a, const Tiles& tiles) {
#pragma unroll
        for (int m = 0; m < kPerGroup; ++m) tiles[m].template fragment<step>(a[m]);
    }

    DEVICE static void multiply(Sums& sums, const Fragments& a, u64 b, int step) {
#pragma unroll
        for (int m = 0; m < kPerGroup; ++m) wgmma<N>(sums[m], a[m], b + 2 * step);
    }

    /// Begins products and waits for those before them.
    DEVICE static void multiply_behind(Sums& sums, const Fragments& a, u64 b, int step) {
        wgmma_fence();
        multiply(sums, a, b, step);
        wgmma_commit();
        wgmma_wait<1>();
    }

    DEVICE static void finish(Sums& sums) {
        wgmma_wait<0>();
#pragma unroll
        for (int m = 0; m < kPerGroup; ++m) wgmma_hold(sums[m]);
    }

    /// Waits for a stage's operands. What came by ordinary copies has to be made visible to the matrix units.
    DEVICE void await_stage(const Cursor& cursor, bool isGathered) const {
        barrier_wait(&cta.barriers->full[cursor.stage], cursor.parity);
        if (isGathered) fence_async_shared();
    }

    DEVICE void release_stage(u32 stage) const {
        warp_arrive(&cta.barriers->empty[stage]);
    }
};

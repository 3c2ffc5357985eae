// The warps of a streaming CTA that multiply. They wait for nothing but stages of the ring and room for their sums.
#pragma once
#include "sm90/stream_gathered.cuh"

template <class Shape>
struct StreamMultiplier {
    typedef typename Shape::Ring Ring;
    typedef typename Shape::Cursor Cursor;
    static constexpr int kFormat = Shape::kFormat, kRows = Shape::kRows, kColumnTiles = Shape::kColumnTiles;
    static constexpr int kWarpTiles = Shape::kWarpTiles, kTileWarps = Shape::kTileWarps;
    static constexpr int kSlabTurns = Shape::kSlabTurns, kChunkTurns = Shape::kChunkTurns, kSumLanes = Shape::kSumLanes;
    /// Whether the next chunk is asked for ahead. Groups that take turns at chunks would ask too early.
    static constexpr bool kAsksAhead = kChunkTurns == 1;
    static constexpr int kSets = kColumnTiles * kWarpTiles == 1 ? 2 : 1;  ///< independent sums, to hide the latency

    typedef float PartialSums[kWarpTiles][kSets][kColumnTiles][4];

    const StreamCta<Shape>& cta;
    const Ring& ring;
    const int lane;

    DEVICE StreamMultiplier(const StreamCta<Shape>& cta) : cta(cta), ring(cta.ring), lane(cta.lane) {}

    static DEVICE int warp() { return threadIdx.x / 32; }
    static DEVICE int first_tile() { return warp() % kTileWarps * kWarpTiles; }
    static DEVICE int turn() { return warp() / kTileWarps; }

    /// What a lane needs of one slab.
    struct Operands {
        typedef PartialSums Sums;
        TileFragments<kFormat> weights[kWarpTiles];
        uint4 inputs[kColumnTiles][2];  // of two k-steps each

        DEVICE void load(const char* tiles, const char* columns, int lane) {
#pragma unroll
            for (int n = 0; n < kColumnTiles; ++n)
#pragma unroll
                for (int half = 0; half < 2; ++half)
                    inputs[n][half] = *reinterpret_cast<const uint4*>(columns + n * 8 * Ring::pitch + half * 16);
#pragma unroll
            for (int m = 0; m < kWarpTiles; ++m) weights[m].load(tiles + m * tile_bytes(kFormat), lane);
        }

        DEVICE void multiply(PartialSums& sums) {
#pragma unroll
            for (int m = 0; m < kWarpTiles; ++m) weights[m].prepare();
            multiply_step<0>(sums), multiply_step<1>(sums), multiply_step<2>(sums), multiply_step<3>(sums);
        }

        template <int step>
        DEVICE void multiply_step(PartialSums& sums) const {
#pragma unroll
            for (int m = 0; m < kWarpTiles; ++m) {
                u32 a[4];
                weights[m].template fragment<step>(a);
#pragma unroll
                for (int n = 0; n < kColumnTiles; ++n) {
                    const uint4& b = inputs[n][step / 2];
                    mma_16x8x16(sums[m][step % kSets][n], a, step % 2 ? b.z : b.x, step % 2 ? b.w : b.y);
                }
            }
        }
    };

    /// How far a warp has come.
    struct Progress {
        Cursor next;           ///< the stage of its next chunk
        u32 chunksUntilTurn;   ///< until that chunk
        u32 passed = 0;        ///< sums passed on
        bool isThere = false;  ///< the next chunk, when it was last asked for
    };

    /// Adds the products of this warp's slabs of a chunk. Calls `release` when the last of them is in registers.
    template <class Release>
    DEVICE void multiply_chunk(const char* stage, int slabs, PartialSums& sums, Release release) const {
        constexpr int share = Ring::chunk / kSlabTurns, step = kSlabTurns;
        const int first = turn() % kSlabTurns;
        const char* tiles = stage + first_tile() * tile_bytes(kFormat) + first * slab_bytes(kFormat);
        const char* columns = stage + Ring::weightBytes + lane / 4 % (kRows < 8 ? kRows : 8) * Ring::pitch +
                              lane % 4 * 32 + first * Ring::columnBytes;
        if (Ring::chunk % kSlabTurns == 0 && slabs == Ring::chunk) {
            Operands operands[2];
            auto load = [&](int i) {
                operands[i % 2].load(tiles + i * step * slab_bytes(kFormat), columns + i * step * Ring::columnBytes, lane);
            };
            load(0);
#pragma unroll
            for (int i = 0; i < share; ++i) {
                i + 1 < share ? load(i + 1) : release();
                operands[i % 2].multiply(sums);
            }
        } else {
#pragma unroll 1
            for (int slab = first; slab < slabs; slab += step) {
                Operands operands;
                operands.load(tiles, columns, lane);
                operands.multiply(sums);
                tiles += step * slab_bytes(kFormat), columns += step * Ring::columnBytes;
            }
            release();
        }
    }

    /// Multiplies a walk's slabs and passes the sums on, one set for each stretch of it.
    template <class Work>
    DEVICE void multiply_share(StreamWalk<Work> walk, Progress& progress) const {
        Cursor& next = progress.next;
        for (; walk.remains(); ++progress.passed) {
            const u32 count = walk.ahead(Work::slabs), chunks = (count + Ring::chunk - 1) / Ring::chunk;
            PartialSums sums = {};
            for (; progress.chunksUntilTurn < chunks; progress.chunksUntilTurn += kChunkTurns) {
                if (!progress.isThere) {
                    barrier_wait(ring.inputsFull(next.stage), next.parity);
                    barrier_wait(ring.weightsFull(next.stage), next.parity);
                }
                const int slabs = min(Ring::chunk, (int)(count - progress.chunksUntilTurn * Ring::chunk));
                // The answer, yes where products are the limit, comes while the last slab is multiplied. It is about the right
                // round of the stage, for this warp has waited for the one before.
                auto release = [&] {
                    warp_arrive(ring.empty(next.stage));
                    next.advance(kChunkTurns);
                    progress.isThere = kAsksAhead && barrier_test(ring.inputsFull(next.stage), next.parity) &
                                                         barrier_test(ring.weightsFull(next.stage), next.parity);
                };
                multiply_chunk(ring.stage(next.stage), slabs, sums, [&] {
                    if (kAsksAhead) release();
                });
                if (!kAsksAhead) release();
            }
            progress.chunksUntilTurn -= chunks;
            walk.advance(count);
            const u32 passed = progress.passed;
            barrier_wait(cta.exchange + 2 + passed % 2, passed / 2 % 2 ^ 1);
            if (lane % 4 < kSumLanes) pass_on(sums, passed % 2);
            warp_arrive(cta.exchange + passed % 2);
        }
    }

    DEVICE void pass_on(const PartialSums& sums, u32 index) const {
#pragma unroll
        for (int m = 0; m < kWarpTiles; ++m) {
            float4* quads = cta.buffer(index, turn(), first_tile() + m);
#pragma unroll
            for (int n = 0; n < kColumnTiles; ++n) {
                float total[4];
#pragma unroll
                for (int i = 0; i < 4; ++i) total[i] = sums[m][0][n][i] + (kSets == 2 ? sums[m][kSets - 1][n][i] : 0);
                quads[n * 8 * kSumLanes] = make_float4(total[0], total[1], total[2], total[3]);
            }
        }
    }

    DEVICE void run() const {
        Progress progress{{(u32)turn() / kSlabTurns, 0}, (u32)turn() / kSlabTurns};
        const u32 blockCount = cta.block_count();
        if constexpr (Shape::kUpBlocks > 0)
#pragma unroll 1
            for (int phase = Shape::kFirstPhase; phase < 2; ++phase) multiply_share(cta.up_walk(blockCount, phase), progress);
        if constexpr (Shape::kGatheredRows > 0) {
            const StreamGathered<Shape> gathered(cta, blockCount);
            gathered.receive();
            const u32 place = turn() % kSlabTurns * kTileWarps + first_tile();
            gathered.template multiply<Operands>(progress.next, progress.chunksUntilTurn, progress.passed, place);
        } else if constexpr (Shape::kDownBlocks > 0) {
            const typename Shape::DownWork work = cta.down_work(blockCount);
#pragma unroll 1
            for (int phase = Shape::kFirstPhase; phase < 2; ++phase) multiply_share(cta.down_walk(work, phase), progress);
        }
    }
};

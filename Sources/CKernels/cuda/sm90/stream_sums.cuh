// What both kinds of finished sums need: the sums of this CTA's multiplying warps, those of other CTAs, and the numbers
// that they are multiplied with.
#pragma once
#include "sm90/stream_cta.cuh"

/// One of the four warps that finish sums; it has 16 of the 64 weight rows of a block.
template <class Shape>
struct StreamSums {
    static constexpr int kColumnTiles = Shape::kColumnTiles, kTurns = Shape::kTurns, kSumLanes = Shape::kSumLanes;
    typedef float Sums[kColumnTiles][4];

    const StreamCta<Shape>& cta;
    const int lane, tile;

    DEVICE StreamSums(const StreamCta<Shape>& cta) : cta(cta), lane(cta.lane), tile(cta.tile) {}

    /// The sums of the next stretch of the walk.
    DEVICE void receive(Sums& sums, u32& passed) const {
        barrier_wait(cta.exchange + passed % 2, passed / 2 % 2);
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n) {
            sums[n][0] = sums[n][1] = sums[n][2] = sums[n][3] = 0;
            if (lane % 4 < kSumLanes)
#pragma unroll
                for (int from = 0; from < kTurns; ++from) add(sums[n], cta.buffer(passed % 2, from, tile)[n * 8 * kSumLanes]);
        }
        warp_arrive(cta.exchange + 2 + passed % 2);
        ++passed;
    }

    static DEVICE void add(float (&sums)[4], float4 part) {
        sums[0] += part.x, sums[1] += part.y, sums[2] += part.z, sums[3] += part.w;
    }

    // --- Sums that span CTAs ---
    // A part is complete when none of its words is all ones, the NaN that arithmetic never makes: one trip through memory
    // instead of a fence, a flag and two trips. Whoever reads a part restores the ones.

    /// A CTA's; `isSecond`: that of the second of two phases of the first product.
    DEVICE uint4* partial(u32 index, bool isSecond = false) const {
        return reinterpret_cast<uint4*>(cta.arguments.partials) + (u64)(index * 4 + tile) * (Shape::kPartialFloats / 4) +
               (isSecond ? Shape::kUpPart / 4 : 0);
    }

    static DEVICE void store_part(uint4* part, float4 sums) {
        store_volatile(part, make_uint4(__float_as_uint(sums.x), __float_as_uint(sums.y), __float_as_uint(sums.z),
                                        __float_as_uint(sums.w)));
    }

    /// `words`: what a load of the part has found.
    static DEVICE float4 take_part(uint4* part, uint4 words) {
        while (max(max(words.x, words.y), max(words.z, words.w)) == ~0u) words = load_volatile(part);
        store_volatile(part, make_uint4(~0u, ~0u, ~0u, ~0u));
        return make_float4(__uint_as_float(words.x), __uint_as_float(words.y), __uint_as_float(words.z),
                           __uint_as_float(words.w));
    }

    /// The end of the CTAs after this one that have parts of a unit, which ends at `end`.
    template <class Work>
    DEVICE u32 end_of_parts(const Work& work, u32 end) const {
        u32 next = blockIdx.x + 1;
        while (next < gridDim.x && work.share(next) < end) ++next;
        return next;
    }

    /// Adds the CTAs' parts of a sum, in their order; several are on their way at once.
    DEVICE void add_parts(float (&sums)[4], u32 index, u32 first, u32 end, bool isSecond = false) const {
        constexpr u32 together = 3;
        for (; first < end; first += together) {
            uint4 words[together];
#pragma unroll
            for (u32 i = 0; i < together; ++i)
                if (first + i < end) words[i] = load_volatile(partial(first + i, isSecond) + index);
#pragma unroll
            for (u32 i = 0; i < together; ++i)
                if (first + i < end) add(sums, take_part(partial(first + i, isSecond) + index, words[i]));
        }
    }

    // --- What the sums are multiplied with ---

    /// Of one block of token rows and this lane's two weight rows. Loaded before the sums, so that nothing waits for it.
    struct Factors {
        RowBlock block;
        float scales[2], biases[2];  ///< of gate and up; of rows g and g + 8
        float weights[kColumnTiles][2];
        u32 tokens[kColumnTiles][2];
    };

    DEVICE u32 row_in_block(int n, int i) const { return n * 8 + lane % 4 * 2 + i; }

    DEVICE void load_block(Factors& factors, u32 rowBlock, bool weighted) const {
        factors.block = cta.routing.list->blocks[rowBlock];
        factors.biases[0] = factors.biases[1] = 0;
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n)
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                const u32 row = factors.block.firstRow + min(row_in_block(n, i), factors.block.rowCount - 1);
                factors.weights[n][i] = weighted ? row_weight(cta.routing, row) : 1.0f;
                factors.tokens[n][i] = row_token(cta.routing, row);
            }
    }
};

// How the rows of tokens that have chosen experts are grouped by expert.
//
// Data flow   a CTA marks in bit masks, in shared memory, who chose an expert: a row's place among its expert's rows is a count
//             of bits, so nothing depends on the order in which warps arrive.
#pragma once
#include "common/choice.cuh"

/// Where a launch's rows go.
struct RowOutputs {
    u32* tokens;     ///< [T * kTopK]
    float* weights;  ///< [T * kTopK]
    u32* ofSlots;    ///< [T, kTopK], or null
};

/// Of an `ExpertChoice`. A lane counts the rows of the experts whose logits it has there.
template <class Choice>
struct RowGrouping : Choice {
    using Choice::kTopK, Choice::kLaneExperts, Choice::lane;
    static constexpr u32 kPaddedExperts = 32 * kLaneExperts;
    typedef typename Choice::LaneChoice LaneChoice;

    /// Where arrays of a word for each expert have it: lanes that read their experts' words meet all banks.
    static DEVICE u32 position_of(u32 expert) { return expert % kLaneExperts * 32 + expert / kLaneExperts; }

    /// The choices of a CTA's tokens, in shared memory.
    struct Choices {
        u32* masks;  ///< [maskCount / kPaddedExperts][kPaddedExperts], bit t % 32: token t has chosen the expert
        float* weights;  ///< [tokens, kTopK]
        u16* experts;    ///< [tokens, kTopK]
        u32 maskCount;
        u32 firstMask;  ///< of this CTA's tokens

        /// `maskRows`: of 32 tokens each; `firstRow`: that of this CTA's first token.
        DEVICE Choices(char* memory, u32 maskRows, u32 firstRow, u32 tokens)
            : maskCount(maskRows * kPaddedExperts), firstMask(firstRow * kPaddedExperts) {
            masks = reinterpret_cast<u32*>(memory);
            weights = reinterpret_cast<float*>(masks + maskCount);
            experts = reinterpret_cast<u16*>(weights + tokens * kTopK);
        }

        static __host__ __device__ constexpr u32 bytes(u32 maskRows, u32 tokens) {
            return maskRows * kPaddedExperts * 4 + tokens * kTopK * 6;
        }

        DEVICE void clear() const {
            for (u32 i = threadIdx.x; i < maskCount; i += blockDim.x) masks[i] = 0;
        }

        DEVICE u16* experts_of(u32 token) const { return experts + token * kTopK; }

        /// By a warp, the choice of one token.
        DEVICE void store(u32 token, const LaneChoice& choice) const {
            if (lane() >= kTopK) return;
            // Those that keys do not tell are there.
            if (Choice::kKeysHaveExperts) experts_of(token)[lane()] = (u16)choice.expert;
            weights[token * kTopK + lane()] = choice.weight;
        }

        /// What has been stored, token by token.
        DEVICE LaneChoice of_slot(u32 slot) const { return {experts[slot], weights[slot]}; }

        /// Marks it in the masks.
        DEVICE void mark(u32 token, const LaneChoice& choice) const {
            if (lane() >= kTopK) return;
            u32* mask = masks + firstMask + token / 32 * kPaddedExperts + position_of(choice.expert);
            atomicOr(mask, 1u << token % 32);
        }

        /// How many tokens have chosen each of a lane's experts.
        DEVICE void count(u32 (&rows)[kLaneExperts]) const {
#pragma unroll
            for (u32 i = 0; i < kLaneExperts; ++i) rows[i] = 0;
#pragma unroll 1
            for (u32 mask = lane(); mask < maskCount; mask += kPaddedExperts)
#pragma unroll
                for (u32 i = 0; i < kLaneExperts; ++i) rows[i] += __popc(masks[mask + 32 * i]);
        }

        /// How many tokens before this one have chosen an expert.
        DEVICE u32 rank(u32 token, u32 expert) const {
            const u32 mask = firstMask + token / 32 * kPaddedExperts + position_of(expert);
            u32 sum = __popc(masks[mask] & ((1u << token % 32) - 1));
#pragma unroll 1
            for (u32 earlier = position_of(expert); earlier < mask; earlier += kPaddedExperts) sum += __popc(masks[earlier]);
            return sum;
        }
    };

    /// Where the rows of a lane's experts begin, and their blocks in a list.
    struct LaneStarts {
        u32 rows[kLaneExperts], blocks[kLaneExperts];
        u32 rowCount, blockCount;

        /// `blocksOf`: how many blocks so many rows of one expert make.
        template <class BlocksOf>
        DEVICE LaneStarts(const u32 (&counts)[kLaneExperts], BlocksOf blocksOf) {
            u32 ownRows = 0, ownBlocks = 0;
#pragma unroll
            for (u32 i = 0; i < kLaneExperts; ++i) {
                rows[i] = ownRows, blocks[i] = ownBlocks;
                ownRows += counts[i], ownBlocks += blocksOf(counts[i]);
            }
            u32 rowEnd = ownRows, blockEnd = ownBlocks;
#pragma unroll
            for (u32 distance = 1; distance < 32; distance *= 2) {
                const u32 otherRows = __shfl_up_sync(ALL_LANES, rowEnd, distance);
                const u32 otherBlocks = __shfl_up_sync(ALL_LANES, blockEnd, distance);
                if (lane() >= distance) rowEnd += otherRows, blockEnd += otherBlocks;
            }
#pragma unroll
            for (u32 i = 0; i < kLaneExperts; ++i) rows[i] += rowEnd - ownRows, blocks[i] += blockEnd - ownBlocks;
            rowCount = __shfl_sync(ALL_LANES, rowEnd, 31);
            blockCount = __shfl_sync(ALL_LANES, blockEnd, 31);
        }

        /// Where the rows of any lane's expert begin.
        DEVICE u32 row_of(u32 expert) const {
            u32 start = 0;
#pragma unroll
            for (u32 i = 0; i < kLaneExperts; ++i) {
                const u32 candidate = __shfl_sync(ALL_LANES, rows[i], expert / kLaneExperts);
                start = expert % kLaneExperts == i ? candidate : start;
            }
            return start;
        }
    };

    /// By a warp, the rows of its tokens; `before` is null if the masks are all CTAs'.
    static DEVICE void store_rows(const Choices& choices, const u32* before, const LaneStarts& starts, u32 firstToken,
                                  u32 tokenCount, const RowOutputs& rows) {
#pragma unroll 1
        for (u32 place = threadIdx.x / 32; place < tokenCount; place += blockDim.x / 32) {
            const u32 slot = place * kTopK + min(lane(), kTopK - 1), expert = choices.experts[slot];
            u32 row = starts.row_of(expert) + choices.rank(place, expert);
            if (before) row += before[position_of(expert)];
            if (lane() >= kTopK) continue;
            rows.tokens[row] = firstToken + place;
            rows.weights[row] = choices.weights[slot];
            if (rows.ofSlots) rows.ofSlots[(u64)firstToken * kTopK + slot] = row;
        }
    }

    /// The rows of an expert's blocks but the last: as equal as whole groups of eight allow.
    static DEVICE u32 rows_of_block(u32 rows, u32 limit) {
        if (limit <= 8 || rows <= limit) return limit;
        const u32 blocks = (rows + limit - 1) / limit;
        return min(limit, ((rows + blocks - 1) / blocks + 7) / 8 * 8);
    }

    /// By a warp, of each expert the blocks `first`, `first + step`, ... of at most `limit` rows.
    static DEVICE void store_blocks(const u32 (&counts)[kLaneExperts], const LaneStarts& starts, u32 limit, u32 first,
                                    u32 step, RowBlockList* list) {
#pragma unroll
        for (u32 i = 0; i < kLaneExperts; ++i) {
            const u32 rows = rows_of_block(counts[i], limit);
#pragma unroll 1
            for (u32 block = first; block * rows < counts[i]; block += step)
                *reinterpret_cast<uint4*>(list->blocks + starts.blocks[i] + block) = make_uint4(
                    lane() * kLaneExperts + i, starts.rows[i] + block * rows, min(rows, counts[i] - block * rows), 0);
        }
        if (first == 0 && lane() == 0) list->count = starts.blockCount;
    }
};

// Routes tokens to experts: chooses by router logits, weighs, and groups the rows by expert, in one launch.
//
//   logits [T, EXPERTS] BF16 or FP32 -> rows [T * TOP_K], sorted by expert, then by token: rowTokens, rowWeights;
//   slotRows [T, TOP_K], the row of each of a token's experts in the order in which they were chosen (the inverse);
//   offsets [EXPERTS + 1], where the rows of each expert begin; lists of row blocks (common/moe.cuh)
//
// Choice      common/choice.cuh, then common/grouping.cuh
// Data flow   A CTA has consecutive tokens and marks in bit masks who chose an expert. With CLUSTER each CTA gets the masks
//             of all; else CTAs pass their numbers of rows through global memory. Each warp then adds up where experts
//             begin, and writes the rows of its tokens and some of the row blocks.
// Bytes       the logits and 12 a row; bound by latency
// Launch      ceil(T / tokensPerBlock) CTAs of an even number of warps, 4 at least, THREADS at most, all resident at once;
//             CLUSTER: one cluster of up to 8 with up to 32 tokens each; else several CTAs have THREADS, 512 at least.
//             Dynamic shared memory: `Choices`, and for several CTAs without CLUSTER `CountSums`
// Limits      EXPERTS <= 512, TOP_K <= 16, T <= 65280; groups are a power of two lanes each
#include "common/grouping.cuh"

typedef ExpertChoice<EXPERTS, TOP_K, METHOD, LOGITS_ARE_FP32 != 0, GROUPS, CHOSEN_GROUPS, RENORMALIZE != 0> Choice;
typedef RowGrouping<Choice> Grouping;
typedef Grouping::Choices BlockChoices;
typedef Choice::LaneLogits LaneLogits;
typedef Grouping::LaneStarts LaneStarts;
constexpr u32 LANE_EXPERTS = Choice::kLaneExperts, PADDED_EXPERTS = Grouping::kPaddedExperts;

#if CLUSTER
/// Copies this CTA's masks to all other CTAs of the cluster.
DEVICE void share(const BlockChoices& choices) {
    for (u32 i = threadIdx.x; i < choices.maskCount; i += blockDim.x) {
        u32* mask = choices.masks + choices.firstMask + i % PADDED_EXPERTS;
        if (i / PADDED_EXPERTS != blockIdx.x) store_in_cta(mask, *mask, i / PADDED_EXPERTS);
    }
    cluster_arrive();
    cluster_wait();
}
#endif

// --- Grouping by expert ---

/// How many rows each expert has: of all CTAs' tokens, and of those of the CTAs before this one.
struct RowCounts {
    u32 total[PADDED_EXPERTS], before[PADDED_EXPERTS];
};

/// Adds up the counts of several CTAs, which pass through memory without flags: a count is stored plus 1, and 0 says that
/// it is not there yet. Launches use two buffers in turns and clear the other one.
struct CountSums {
    static constexpr u32 vectors = (EXPERTS + 7) / 8;  ///< eight counts each, of a CTA
    static constexpr u32 pitch = 8 * vectors;
    static constexpr u32 groups = 512 / vectors < 32 ? 512 / vectors : 32;  ///< of threads, which add up some CTAs each

    u16* counts;  ///< [2][ctas][pitch]
    u32* turn;    ///< the buffer of the next launch
    u32 ctas;     ///< at most, of any launch

    DEVICE uint4* row(u32 buffer, u32 cta) const {
        return reinterpret_cast<uint4*>(counts + (buffer * ctas + cta) * pitch);
    }

    DEVICE void publish(u32 buffer, const BlockChoices& choices) const {
        for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < ctas * vectors; i += gridDim.x * blockDim.x)
            row(1 - buffer, 0)[i] = make_uint4(0, 0, 0, 0);
        if (threadIdx.x >= 32) return;
        u32 rows[LANE_EXPERTS];
        choices.count(rows);
        volatile u16* own = reinterpret_cast<volatile u16*>(row(buffer, blockIdx.x));
#pragma unroll
        for (u32 i = 0; i < LANE_EXPERTS; ++i) {
            const u32 expert = threadIdx.x * LANE_EXPERTS + i;
            if (expert < pitch) own[expert] = (u16)(rows[i] + 1);
        }
    }

    static DEVICE bool is_complete(uint4 pairs) {
        const u32 carries = (pairs.x + 0x7FFF7FFF) & (pairs.y + 0x7FFF7FFF) & (pairs.z + 0x7FFF7FFF) & (pairs.w + 0x7FFF7FFF);
        return (carries & 0x80008000) == 0x80008000;
    }

    static DEVICE void add(uint4& sum, uint4 pairs) {
        sum = make_uint4(sum.x + pairs.x, sum.y + pairs.y, sum.z + pairs.z, sum.w + pairs.w);
    }

    /// `parts`: [2][groups][vectors] in shared memory, pairs of the sums over all CTAs, and over those before this one.
    DEVICE void gather(u32 buffer, uint4* parts) const {
        constexpr u32 together = 4;
        uint4 total = make_uint4(0, 0, 0, 0), before = total;
        for (u32 first = threadIdx.x / vectors; first < gridDim.x; first += together * groups) {
            uint4 pairs[together];
#pragma unroll
            for (u32 i = 0; i < together; ++i)
                if (first + i * groups < gridDim.x)
                    pairs[i] = load_volatile(row(buffer, first + i * groups) + threadIdx.x % vectors);
#pragma unroll
            for (u32 i = 0; i < together; ++i) {
                const u32 cta = first + i * groups;
                if (cta >= gridDim.x) continue;
                while (!is_complete(pairs[i])) pairs[i] = load_volatile(row(buffer, cta) + threadIdx.x % vectors);
                add(total, pairs[i]);
                if (cta < blockIdx.x) add(before, pairs[i]);
            }
        }
        parts[threadIdx.x] = total;
        parts[groups * vectors + threadIdx.x] = before;
    }

    /// Adds up the groups' parts, less the 1 of each count.
    static DEVICE void combine(const u32* parts, RowCounts& counts) {
        for (u32 i = threadIdx.x; i < 2 * 4 * vectors; i += blockDim.x) {
            const bool isBefore = i >= 4 * vectors;
            const u32 word = i % (4 * vectors);
            u32 pair = 0u - (isBefore ? blockIdx.x : gridDim.x) * 0x10001;
#pragma unroll 8
            for (u32 group = 0; group < groups; ++group) pair += parts[((isBefore ? groups : 0) + group) * 4 * vectors + word];
            u32* sums = isBefore ? counts.before : counts.total;
            sums[Grouping::position_of(2 * word)] = pair & 0xFFFF;
            sums[Grouping::position_of(2 * word + 1)] = pair >> 16;
        }
    }

    DEVICE void exchange(u32 buffer, const BlockChoices& choices, uint4* parts, RowCounts& rowCounts) const {
        publish(buffer, choices);
        for (u32 i = threadIdx.x; i < PADDED_EXPERTS; i += blockDim.x) rowCounts.total[i] = 0;
        if (threadIdx.x < groups * vectors) gather(buffer, parts);
        __syncthreads();
        // All CTAs have published, so all have read whose turn it is.
        if (blockIdx.x == 0 && threadIdx.x == 0) *turn = 1 - buffer;
        combine(reinterpret_cast<const u32*>(parts), rowCounts);
        __syncthreads();
    }
};

/// The blocks that rows of one expert make, in the first or the second list.
DEVICE u32 block_count(u32 rows, bool isSecond) {
    const u32 first = (rows + LIST_ROWS - 1) / LIST_ROWS;
    return isSecond ? (rows + SECOND_LIST_ROWS - 1) / (SECOND_LIST_ROWS + (SECOND_LIST_ROWS == 0)) : first;
}

// --- Outputs ---

DEVICE void store_offsets(const LaneStarts& starts, u32* offsets) {
#pragma unroll
    for (u32 i = 0; i < LANE_EXPERTS; ++i) {
        const u32 expert = threadIdx.x % 32 * LANE_EXPERTS + i;
        if (expert < EXPERTS) offsets[expert] = starts.rows[i];
    }
    if (threadIdx.x % 32 == 0) offsets[EXPERTS] = starts.rowCount;
}

/// biases [EXPERTS], BIASED_SIGMOID only; factor: multiplies all weights; lists: room for T * TOP_K / limit + EXPERTS blocks,
/// the second one null if SECOND_LIST_ROWS is 0; turn, counts: as CountSums has them, zero before the first launch.
extern "C" __global__ void __launch_bounds__(THREADS, 1) route(
    const char* logits, const float* biases, float factor, u32 tokens, u32 tokensPerBlock, u32* rowTokens,
    float* rowWeights, u32* slotRows, u32* offsets, RowBlockList* list, RowBlockList* secondList, u32* turn, u16* counts,
    u32 countedBlocks) {
    extern __shared__ __align__(16) char memory[];
    const bool isDivided = !CLUSTER && gridDim.x > 1;
    constexpr u32 partBytes = 2 * CountSums::groups * CountSums::vectors * 16;
    const u32 maskRows = CLUSTER ? gridDim.x : (tokensPerBlock + 31) / 32;
    const BlockChoices choices(memory + (isDivided ? partBytes : 0), maskRows, CLUSTER ? blockIdx.x : 0, tokensPerBlock);
    const u32 firstToken = min(blockIdx.x * tokensPerBlock, tokens), tokenCount = min(tokensPerBlock, tokens - firstToken);
    const u32 warp = threadIdx.x / 32, warps = blockDim.x / 32, lane = threadIdx.x % 32;
    // Many CTAs share the SMs evenly only if the next kernel's do not come in between.
    if (!isDivided) launch_next_kernel();
    const Choice::Router router(logits, biases, factor);
    choices.clear();
#if CLUSTER
    cluster_arrive();
#endif
    wait_for_previous_kernel();
    LaneLogits next;
    if (warp < tokenCount) next.load(router.row(firstToken + warp));
    const u32 buffer = isDivided ? *turn : 0;
#if CLUSTER
    cluster_wait();
#endif
    __syncthreads();
    for (u32 place = warp; place < tokenCount; place += warps) {
        const LaneLogits values = next;
        if (place + warps < tokenCount) next.load(router.row(firstToken + place + warps));
        const Choice::LaneChoice choice = router.choose(values, firstToken + place, choices.experts_of(place));
        choices.store(place, choice);
        choices.mark(place, choice);
    }
    __syncthreads();
#if CLUSTER
    share(choices);
#endif
    u32 rows[LANE_EXPERTS];
    const u32* before = nullptr;
    if (isDivided) {
        __shared__ RowCounts rowCounts;
        const CountSums sums = {counts, turn, countedBlocks};
        sums.exchange(buffer, choices, reinterpret_cast<uint4*>(memory), rowCounts);
        launch_next_kernel();
        before = rowCounts.before;
#pragma unroll
        for (u32 i = 0; i < LANE_EXPERTS; ++i) rows[i] = rowCounts.total[32 * i + lane];
    } else {
        choices.count(rows);
    }
    // The last warps have no token where there are few: they write the blocks of the two lists in turns.
    const u32 duty = warps - 1 - warp;
    const bool isSecond = SECOND_LIST_ROWS > 0 && duty % 2 == 1;
    const LaneStarts starts(rows, [=](u32 count) { return block_count(count, isSecond); });
    Grouping::store_rows(choices, before, starts, firstToken, tokenCount, {rowTokens, rowWeights, slotRows});
    constexpr u32 lists = SECOND_LIST_ROWS > 0 ? 2 : 1;
    Grouping::store_blocks(rows, starts, isSecond ? SECOND_LIST_ROWS : LIST_ROWS,
                           duty / lists * gridDim.x + blockIdx.x, warps / lists * gridDim.x, isSecond ? secondList : list);
    if (duty == 2 && blockIdx.x == gridDim.x - 1) store_offsets(starts, offsets);
}

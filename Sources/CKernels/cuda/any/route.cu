// Routes tokens to experts: chooses by router logits, weighs, and groups the rows by expert, in one launch.
//
//   logits [T, EXPERTS] BF16 or FP32 -> rows [T * TOP_K], sorted by expert, then by token: rowTokens, rowWeights;
//   slotRows [T, TOP_K], the row of each of a token's experts in the order in which they were chosen (the inverse);
//   offsets [EXPERTS + 1], where the rows of each expert begin; lists of row blocks (common/moe.cuh)
//
// Choice      by falling logit (BIASED_SIGMOID: sigmoid plus bias, within the best groups); equal ones: the lower expert
//             first; NaN: below every number. As the CPU's `ExpertSelection`.
// Data flow   A warp has a token: logits: global -> registers, sorted in each lane, then TOP_K times the largest of the
//             lanes' first. A CTA has consecutive tokens and marks in bit masks who chose an expert: a row's place among
//             its expert's rows is a count of bits, so nothing depends on the order in which warps arrive. With CLUSTER
//             each CTA gets the masks of all; else CTAs pass their numbers of rows through global memory. Each warp
//             then adds up where experts begin, and writes the rows of its tokens and some of the row blocks.
// Bytes       the logits and 12 a row; bound by latency
// Launch      ceil(T / tokensPerBlock) CTAs of an even number of warps, 4 at least, THREADS at most, all resident at once;
//             CLUSTER: one cluster of up to 8 with up to 32 tokens each; else several CTAs have THREADS, 512 at least.
//             Dynamic shared memory: `BlockChoices`, and for several CTAs without CLUSTER `CountSums`
// Limits      EXPERTS <= 512, TOP_K <= 16, T <= 65280; groups are a power of two lanes each
#include "common/moe.cuh"

enum { SOFTMAX = 0, SOFTMAX_OF_SELECTED = 1, SIGMOID = 2, BIASED_SIGMOID = 3 };  // METHOD

constexpr u32 ALL_LANES = ~0u;
constexpr u32 LANE_EXPERTS = (EXPERTS + 31) / 32;  ///< neighbours, so that the lower lane has the lower experts
constexpr u32 PADDED_EXPERTS = 32 * LANE_EXPERTS;
constexpr u32 LOGIT_BYTES = LOGITS_ARE_FP32 ? 4 : 2;

DEVICE float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

DEVICE float sum_of_lanes(float value) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(ALL_LANES, value, distance);
    return value;
}

/// Where arrays of a word for each expert have it: lanes that read their experts' words meet all banks.
DEVICE u32 position_of(u32 expert) { return expert % LANE_EXPERTS * 32 + expert / LANE_EXPERTS; }

// --- Order ---

/// Whether keys tell the expert: those of BF16 numbers have room for it.
constexpr bool KEYS_HAVE_EXPERTS = !LOGITS_ARE_FP32 && METHOD != BIASED_SIGMOID;

/// An integer that is ordered as numbers are, equal zeros, NaN below all; 0 is no number.
DEVICE u32 key_of(float value, u32 expert) {
    const u32 bits = __float_as_uint(value + 0.0f);
    const u32 key = value != value ? 1 : bits ^ ((u32)((int)bits >> 31) | 0x80000000);
    return KEYS_HAVE_EXPERTS ? (key & 0xFFFF0000) | (0xFFFF - expert) : key;
}

DEVICE float number_of(u32 key) {
    if (KEYS_HAVE_EXPERTS) key = key < 0x10000 ? 1 : key & 0x80000000 ? key & 0xFFFF0000 : key | 0xFFFF;
    return __uint_as_float(key == 1 ? 0x7FFFFFFF : key & 0x80000000 ? key ^ 0x80000000 : ~key);
}

// --- Logits ---

/// The logits of a lane's experts, as they are in memory.
struct LaneLogits {
    static constexpr u32 lowestBit = LANE_EXPERTS & (0 - LANE_EXPERTS);
    static constexpr u32 widest = lowestBit * LOGIT_BYTES < 16 ? lowestBit : 16 / LOGIT_BYTES;
    /// Logits of one load. Lanes are full or empty if they divide the experts.
    static constexpr u32 together = EXPERTS % LANE_EXPERTS == 0 ? widest : 1;
    static constexpr u32 wordsTogether = (together * LOGIT_BYTES + 3) / 4;

    u32 words[LANE_EXPERTS / together * wordsTogether];

    DEVICE void load(const char* row) {
#pragma unroll
        for (u32 i = 0; i < LANE_EXPERTS / together; ++i) {
            const u32 expert = threadIdx.x % 32 * LANE_EXPERTS + i * together;
            const char* address = row + expert * LOGIT_BYTES;
            u32* loaded = words + i * wordsTogether;
            if (expert >= EXPERTS) continue;
            if (together * LOGIT_BYTES == 2) loaded[0] = *reinterpret_cast<const u16*>(address);
            if (together * LOGIT_BYTES == 4) loaded[0] = *reinterpret_cast<const u32*>(address);
            if (together * LOGIT_BYTES == 8) {
                const uint2 pair = *reinterpret_cast<const uint2*>(address);
                loaded[0] = pair.x, loaded[1] = pair.y;
            }
            if (together * LOGIT_BYTES == 16) {
                const uint4 quad = *reinterpret_cast<const uint4*>(address);
                loaded[0] = quad.x, loaded[1] = quad.y, loaded[2] = quad.z, loaded[3] = quad.w;
            }
        }
    }

    DEVICE float operator[](u32 i) const {
        if (LOGITS_ARE_FP32) return __uint_as_float(words[i]);
        if (together == 1) return __uint_as_float(words[i] << 16);
        return __uint_as_float(i % 2 ? words[i / 2] & 0xFFFF0000 : words[i / 2] << 16);
    }
};

// --- Choice ---

/// The keys of a lane's experts that are left, the largest first.
struct LaneKeys {
    u32 keys[LANE_EXPERTS];
    u32 places[LANE_EXPERTS];  ///< among the lane's experts

    /// Exchanges neighbours only if they are out of order, so that equal ones stay in theirs.
    DEVICE void sort() {
#pragma unroll
        for (u32 end = 1; end < LANE_EXPERTS; ++end)
#pragma unroll
            for (u32 i = end; i > 0; --i) {
                const bool isOrdered = keys[i - 1] >= keys[i];
                const u32 key = keys[i], place = places[i];
                keys[i] = isOrdered ? key : keys[i - 1], places[i] = isOrdered ? place : places[i - 1];
                keys[i - 1] = isOrdered ? keys[i - 1] : key, places[i - 1] = isOrdered ? places[i - 1] : place;
            }
    }

    DEVICE void remove_first(bool isMeant) {
#pragma unroll
        for (u32 i = 0; i < LANE_EXPERTS; ++i) {
            const bool isLast = i + 1 == LANE_EXPERTS;
            keys[i] = isMeant ? isLast ? 0 : keys[i + !isLast] : keys[i];
            places[i] = isMeant && !isLast ? places[i + !isLast] : places[i];
        }
    }

    DEVICE void remove_all() {
#pragma unroll
        for (u32 i = 0; i < LANE_EXPERTS; ++i) keys[i] = 0;
    }

    /// Leaves the experts of the CHOSEN_GROUPS groups with the largest sums of their two largest.
    DEVICE void keep_best_groups() {
        constexpr u32 groupLanes = EXPERTS / GROUPS / LANE_EXPERTS;
        u32 first = keys[0], second = LANE_EXPERTS > 1 ? keys[LANE_EXPERTS > 1] : 0;
#pragma unroll
        for (u32 distance = 1; distance < groupLanes; distance *= 2) {
            const u32 otherFirst = __shfl_xor_sync(ALL_LANES, first, distance);
            const u32 otherSecond = __shfl_xor_sync(ALL_LANES, second, distance);
            second = max(min(first, otherFirst), max(second, otherSecond));
            first = max(first, otherFirst);
        }
        const u32 group = threadIdx.x % 32 / groupLanes, key = key_of(number_of(first) + number_of(second), 0);
        u32 better = 0;
#pragma unroll
        for (u32 other = 0; other < GROUPS; ++other) {
            const u32 otherKey = __shfl_sync(ALL_LANES, key, other * groupLanes);
            better += otherKey > key || (otherKey == key && other < group);
        }
        if (better >= CHOSEN_GROUPS) remove_all();
    }
};

/// The choices of a CTA's tokens, in dynamic shared memory.
struct BlockChoices {
    u32* masks;      ///< [tokens / 32][PADDED_EXPERTS], bit t % 32: token t has chosen the expert; CLUSTER: [CTAs][..]
    float* weights;  ///< [tokens, TOP_K]
    u16* experts;    ///< [tokens, TOP_K]
    u32 maskCount;
    u32 firstMask;   ///< of this CTA's tokens

    DEVICE BlockChoices(char* memory, u32 tokens)
        : maskCount((CLUSTER ? gridDim.x : (tokens + 31) / 32) * PADDED_EXPERTS),
          firstMask(CLUSTER ? blockIdx.x * PADDED_EXPERTS : 0) {
        masks = reinterpret_cast<u32*>(memory);
        weights = reinterpret_cast<float*>(masks + maskCount);
        experts = reinterpret_cast<u16*>(weights + tokens * TOP_K);
    }

    DEVICE void clear() const {
        for (u32 i = threadIdx.x; i < maskCount; i += blockDim.x) masks[i] = 0;
    }

    DEVICE void mark(u32 token, u32 expert) const {
        u32* mask = masks + firstMask + token / 32 * PADDED_EXPERTS + position_of(expert);
        atomicOr(mask, 1u << token % 32);
    }

#if CLUSTER
    /// Copies this CTA's masks to all other CTAs of the cluster.
    DEVICE void share() const {
        for (u32 i = threadIdx.x; i < maskCount; i += blockDim.x) {
            u32* mask = masks + firstMask + i % PADDED_EXPERTS;
            if (i / PADDED_EXPERTS != blockIdx.x) store_in_cta(mask, *mask, i / PADDED_EXPERTS);
        }
        cluster_arrive();
        cluster_wait();
    }
#endif

    /// How many tokens have chosen each of a lane's experts.
    DEVICE void count(u32 (&rows)[LANE_EXPERTS]) const {
#pragma unroll
        for (u32 i = 0; i < LANE_EXPERTS; ++i) rows[i] = 0;
#pragma unroll 1
        for (u32 mask = threadIdx.x % 32; mask < maskCount; mask += PADDED_EXPERTS)
#pragma unroll
            for (u32 i = 0; i < LANE_EXPERTS; ++i) rows[i] += __popc(masks[mask + 32 * i]);
    }

    /// How many tokens before this one have chosen an expert.
    DEVICE u32 rank(u32 token, u32 expert) const {
        const u32 mask = firstMask + token / 32 * PADDED_EXPERTS + position_of(expert);
        u32 sum = __popc(masks[mask] & ((1u << token % 32) - 1));
#pragma unroll 1
        for (u32 earlier = position_of(expert); earlier < mask; earlier += PADDED_EXPERTS) sum += __popc(masks[earlier]);
        return sum;
    }
};

struct Router {
    const char* logits;
    float factor;
    float biases[LANE_EXPERTS];

    DEVICE Router(const char* logits, const float* allBiases, float factor) : logits(logits), factor(factor) {
#pragma unroll
        for (u32 i = 0; i < LANE_EXPERTS; ++i) {
            const u32 expert = threadIdx.x % 32 * LANE_EXPERTS + i;
            biases[i] = METHOD == BIASED_SIGMOID && expert < EXPERTS ? allBiases[expert] : 0.0f;
        }
    }

    DEVICE const char* row(u32 token) const { return logits + (u64)token * EXPERTS * LOGIT_BYTES; }

    /// Chooses a token's experts; `token` is its number among all, `place` among this CTA's.
    DEVICE void choose(const LaneLogits& values, u32 token, u32 place, const BlockChoices& choices) const {
        const u32 lane = threadIdx.x % 32, lowerLanes = (1u << lane) - 1;
        LaneKeys left;
#pragma unroll
        for (u32 i = 0; i < LANE_EXPERTS; ++i) {
            const float value = METHOD == BIASED_SIGMOID ? sigmoid(values[i]) + biases[i] : values[i];
            const u32 expert = lane * LANE_EXPERTS + i;
            left.keys[i] = expert < EXPERTS ? key_of(value, expert) : 0;
            left.places[i] = i;
        }
        left.sort();
        if (METHOD == BIASED_SIGMOID && GROUPS > 1) left.keep_best_groups();
        u16* experts = choices.experts + place * TOP_K;
        u32 largest = 0, chosen = 1;
#pragma unroll
        for (u32 slot = 0; slot < TOP_K; ++slot) {
            const u32 key = __reduce_max_sync(ALL_LANES, left.keys[0]);
            bool isOwner = left.keys[0] == key;
            if (!KEYS_HAVE_EXPERTS) {
                isOwner &= (__ballot_sync(ALL_LANES, isOwner) & lowerLanes) == 0;
                if (isOwner) experts[slot] = (u16)(lane * LANE_EXPERTS + left.places[0]);
            }
            if (slot == 0) largest = key;
            if (lane == slot) chosen = key;
            left.remove_first(isOwner);
        }
        __syncwarp();
        const u32 expert = !KEYS_HAVE_EXPERTS ? experts[min(lane, TOP_K - 1)] : 0xFFFF - (chosen & 0xFFFF);
        const float weight = factor * weigh(values, token, expert, number_of(chosen), number_of(largest));
        if (lane >= TOP_K) return;
        if (KEYS_HAVE_EXPERTS) experts[lane] = (u16)expert;
        choices.mark(place, expert);
        choices.weights[place * TOP_K + lane] = weight;
    }

    /// The weight of the expert in the slot with this lane's number.
    DEVICE float weigh(const LaneLogits& values, u32 token, u32 expert, float chosen, float largest) const {
        const u32 lane = threadIdx.x % 32;
        if (METHOD == SIGMOID) return sigmoid(chosen);
        if (METHOD == BIASED_SIGMOID) {
            const float score = lane < TOP_K ? sigmoid(logit(token, expert)) : 0.0f;
            return RENORMALIZE ? score / (sum_of_lanes(score) + 1e-20f) : score;
        }
        const float part = lane < TOP_K ? expf(chosen - largest) : 0.0f;
        if (METHOD == SOFTMAX_OF_SELECTED) return part / sum_of_lanes(part);
        float sum = 0.0f;
#pragma unroll
        for (u32 i = 0; i < LANE_EXPERTS; ++i)
            if (lane * LANE_EXPERTS + i < EXPERTS) sum += expf(values[i] - largest);
        return part / sum_of_lanes(sum);
    }

    DEVICE float logit(u32 token, u32 expert) const {
        const char* address = row(token) + expert * LOGIT_BYTES;
        return LOGITS_ARE_FP32 ? *reinterpret_cast<const float*>(address)
                               : __uint_as_float((u32)*reinterpret_cast<const u16*>(address) << 16);
    }
};

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
            sums[position_of(2 * word)] = pair & 0xFFFF;
            sums[position_of(2 * word + 1)] = pair >> 16;
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

/// Where the rows of a lane's experts begin, and their blocks in one of the lists.
struct LaneStarts {
    u32 rows[LANE_EXPERTS], blocks[LANE_EXPERTS];
    u32 rowCount, blockCount;

    DEVICE LaneStarts(const u32 (&counts)[LANE_EXPERTS], bool isSecond) {
        u32 ownRows = 0, ownBlocks = 0;
#pragma unroll
        for (u32 i = 0; i < LANE_EXPERTS; ++i) {
            rows[i] = ownRows, blocks[i] = ownBlocks;
            ownRows += counts[i], ownBlocks += block_count(counts[i], isSecond);
        }
        u32 rowEnd = ownRows, blockEnd = ownBlocks;
#pragma unroll
        for (u32 distance = 1; distance < 32; distance *= 2) {
            const u32 otherRows = __shfl_up_sync(ALL_LANES, rowEnd, distance);
            const u32 otherBlocks = __shfl_up_sync(ALL_LANES, blockEnd, distance);
            if (threadIdx.x % 32 >= distance) rowEnd += otherRows, blockEnd += otherBlocks;
        }
#pragma unroll
        for (u32 i = 0; i < LANE_EXPERTS; ++i) rows[i] += rowEnd - ownRows, blocks[i] += blockEnd - ownBlocks;
        rowCount = __shfl_sync(ALL_LANES, rowEnd, 31);
        blockCount = __shfl_sync(ALL_LANES, blockEnd, 31);
    }

    /// Where the rows of any lane's expert begin.
    DEVICE u32 row_of(u32 expert) const {
        u32 start = 0;
#pragma unroll
        for (u32 i = 0; i < LANE_EXPERTS; ++i) {
            const u32 candidate = __shfl_sync(ALL_LANES, rows[i], expert / LANE_EXPERTS);
            start = expert % LANE_EXPERTS == i ? candidate : start;
        }
        return start;
    }
};

// --- Outputs ---

struct RowOutputs {
    u32* tokens;     ///< [T * TOP_K]
    float* weights;  ///< [T * TOP_K]
    u32* ofSlots;    ///< [T, TOP_K]
};

/// By a warp, the rows of its tokens; `before` is null if the masks are all CTAs'.
DEVICE void store_rows(const BlockChoices& choices, const u32* before, const LaneStarts& starts, u32 firstToken,
                       u32 tokenCount, const RowOutputs& rows) {
    const u32 lane = threadIdx.x % 32;
#pragma unroll 1
    for (u32 place = threadIdx.x / 32; place < tokenCount; place += blockDim.x / 32) {
        const u32 slot = place * TOP_K + min(lane, TOP_K - 1), expert = choices.experts[slot];
        u32 row = starts.row_of(expert) + choices.rank(place, expert);
        if (before) row += before[position_of(expert)];
        if (lane >= TOP_K) continue;
        rows.tokens[row] = firstToken + place;
        rows.weights[row] = choices.weights[slot];
        rows.ofSlots[(u64)firstToken * TOP_K + slot] = row;
    }
}

/// By a warp, of each expert the blocks `first`, `first + step`, ... of at most `limit` rows.
DEVICE void store_blocks(const u32 (&counts)[LANE_EXPERTS], const LaneStarts& starts, u32 limit, u32 first, u32 step,
                         RowBlockList* list) {
    const u32 lane = threadIdx.x % 32;
#pragma unroll
    for (u32 i = 0; i < LANE_EXPERTS; ++i)
#pragma unroll 1
        for (u32 block = first; block * limit < counts[i]; block += step)
            *reinterpret_cast<uint4*>(list->blocks + starts.blocks[i] + block) = make_uint4(
                lane * LANE_EXPERTS + i, starts.rows[i] + block * limit, min(limit, counts[i] - block * limit), 0);
    if (first == 0 && lane == 0) list->count = starts.blockCount;
}

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
    const BlockChoices choices(memory + (isDivided ? partBytes : 0), tokensPerBlock);
    const u32 firstToken = min(blockIdx.x * tokensPerBlock, tokens), tokenCount = min(tokensPerBlock, tokens - firstToken);
    const u32 warp = threadIdx.x / 32, warps = blockDim.x / 32, lane = threadIdx.x % 32;
    // Many CTAs share the SMs evenly only if the next kernel's do not come in between.
    if (!isDivided) launch_next_kernel();
    const Router router(logits, biases, factor);
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
        router.choose(values, firstToken + place, place, choices);
    }
    __syncthreads();
#if CLUSTER
    choices.share();
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
    const LaneStarts starts(rows, isSecond);
    store_rows(choices, before, starts, firstToken, tokenCount, {rowTokens, rowWeights, slotRows});
    constexpr u32 lists = SECOND_LIST_ROWS > 0 ? 2 : 1;
    store_blocks(rows, starts, isSecond ? SECOND_LIST_ROWS : LIST_ROWS, duty / lists * gridDim.x + blockIdx.x,
                 warps / lists * gridDim.x, isSecond ? secondList : list);
    if (duty == 2 && blockIdx.x == gridDim.x - 1) store_offsets(starts, offsets);
}

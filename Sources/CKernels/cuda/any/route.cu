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
//             its expert's rows is a count of bits, so nothing depends on the order in which warps arrive. CTAs tell each
//             other how many rows of each expert they have: with CLUSTER in shared memory, else in global memory. Each
//             warp then adds up where experts begin, and writes the rows of its tokens and some of the row blocks.
// Bytes       the logits and 12 a row; bound by latency
// Launch      ceil(T / tokensPerBlock) CTAs of whole warps, THREADS at most, all resident at once; CLUSTER: one cluster
//             of up to 8. Several CTAs have a thread for each expert. Dynamic shared memory: `BlockChoices`
// Limits      EXPERTS <= 512, TOP_K <= 16, tokensPerBlock <= 1024; groups of lanes' experts, a power of two lanes each
#include "common/moe.cuh"

enum { SOFTMAX = 0, SOFTMAX_OF_SELECTED = 1, SIGMOID = 2, BIASED_SIGMOID = 3 };  // METHOD

constexpr u32 ALL_LANES = ~0u;
constexpr u32 LANE_EXPERTS = (EXPERTS + 31) / 32;  ///< neighbours, so that the lower lane has the lower experts
constexpr u32 LOGIT_BYTES = LOGITS_ARE_FP32 ? 4 : 2;

DEVICE float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

DEVICE float sum_of_lanes(float value) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(ALL_LANES, value, distance);
    return value;
}

// --- Order ---

/// An integer that is ordered as numbers are, equal zeros, NaN as 1 below all; 0 is no number.
DEVICE u32 key_of(float value) {
    const u32 bits = __float_as_uint(value + 0.0f);
    return value != value ? 1 : bits ^ ((u32)((int)bits >> 31) | 0x80000000);
}

DEVICE float number_of(u32 key) {
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
        const u32 group = threadIdx.x % 32 / groupLanes, key = key_of(number_of(first) + number_of(second));
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
    u32* masks;      ///< [tokens / 32][EXPERTS], bit t % 32: token t has chosen the expert
    float* weights;  ///< [tokens, TOP_K]
    u16* experts;    ///< [tokens, TOP_K]
    u32 maskCount;

    DEVICE BlockChoices(char* memory, u32 tokens) : maskCount((tokens + 31) / 32 * EXPERTS) {
        masks = reinterpret_cast<u32*>(memory);
        weights = reinterpret_cast<float*>(masks + maskCount);
        experts = reinterpret_cast<u16*>(weights + tokens * TOP_K);
    }

    DEVICE void clear() const {
        for (u32 i = threadIdx.x; i < maskCount; i += blockDim.x) masks[i] = 0;
    }

    DEVICE void mark(u32 token, u32 expert) const {
        atomicOr(masks + token / 32 * EXPERTS + expert, 1u << token % 32);
    }

    /// How many tokens have chosen an expert.
    DEVICE u32 count(u32 expert) const {
        u32 sum = 0;
#pragma unroll 1
        for (u32 i = expert; i < maskCount; i += EXPERTS) sum += __popc(masks[i]);
        return sum;
    }

    /// How many tokens before this one have chosen an expert.
    DEVICE u32 rank(u32 token, u32 expert) const {
        u32 mask = expert, sum = 0;
#pragma unroll 1
        for (; mask < token / 32 * EXPERTS; mask += EXPERTS) sum += __popc(masks[mask]);
        return sum + __popc(masks[mask] & ((1u << token % 32) - 1));
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
            left.keys[i] = lane * LANE_EXPERTS + i < EXPERTS ? key_of(value) : 0;
            left.places[i] = i;
        }
        left.sort();
        if (METHOD == BIASED_SIGMOID && GROUPS > 1) left.keep_best_groups();
        u16* experts = choices.experts + place * TOP_K;
        u32 largest = 0, chosen = 1;
#pragma unroll
        for (u32 slot = 0; slot < TOP_K; ++slot) {
            const u32 key = __reduce_max_sync(ALL_LANES, left.keys[0]);
            const u32 owners = __ballot_sync(ALL_LANES, left.keys[0] == key);
            const bool isOwner = left.keys[0] == key && (owners & lowerLanes) == 0;
            if (slot == 0) largest = key;
            if (lane == slot) chosen = key;
            if (isOwner) experts[slot] = (u16)(lane * LANE_EXPERTS + left.places[0]);
            left.remove_first(isOwner);
        }
        __syncwarp();
        const u32 expert = experts[min(lane, TOP_K - 1)];
        const float weight = factor * weigh(values, token, expert, number_of(chosen), number_of(largest));
        if (lane >= TOP_K) return;
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

/// What launches leave in memory; zero before the first.
struct RouteState {
    u32 arrived;
    u32 left;
};

/// How many rows each expert has: of all CTAs' tokens, and of those of the CTAs before this one. Unused by a single CTA.
struct RowCounts {
    u32 total[EXPERTS], before[EXPERTS];
};

#if CLUSTER

/// Adds up the counts of the cluster's CTAs.
DEVICE void exchange(const BlockChoices& choices, RowCounts& counts, RouteState*, u16*) {
    cluster_arrive();
    cluster_wait();
    for (u32 expert = threadIdx.x; expert < EXPERTS; expert += blockDim.x) {
        u32 total = 0, before = 0;
#pragma unroll 1
        for (u32 i = expert; i < choices.maskCount; i += EXPERTS)
#pragma unroll
            for (u32 cta = 0; cta < 8; ++cta) {
                const u32 count = cta < gridDim.x ? __popc(load_from_cta(choices.masks + i, cta)) : 0;
                total += count;
                before += cta < blockIdx.x ? count : 0;
            }
        counts.total[expert] = total;
        counts.before[expert] = before;
    }
    cluster_arrive();
    __syncthreads();
}

/// No CTA may end while another reads its masks.
DEVICE void leave(RouteState*) { cluster_wait(); }

#else

/// Adds up the counts of all CTAs, which pass through memory: `shared` is [CTAs, EXPERTS].
DEVICE void exchange(const BlockChoices& choices, RowCounts& counts, RouteState* state, u16* shared) {
    __syncthreads();
    if (gridDim.x == 1) return;
    for (u32 expert = threadIdx.x; expert < EXPERTS; expert += blockDim.x) {
        shared[blockIdx.x * EXPERTS + expert] = (u16)choices.count(expert);
        counts.total[expert] = counts.before[expert] = 0;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        add_release(&state->arrived, 1);
        while (load_acquire(&state->arrived) < gridDim.x) {}
    }
    __syncthreads();
    launch_next_kernel();
    // A thread adds up some CTAs' counts of one expert.
    const u32 expert = threadIdx.x % EXPERTS, step = blockDim.x / EXPERTS;
    u32 total = 0, before = 0;
    if (threadIdx.x < step * EXPERTS) {
#pragma unroll 8
        for (u32 cta = threadIdx.x / EXPERTS; cta < gridDim.x; cta += step) {
            const u32 count = __ldcg(shared + cta * EXPERTS + expert);
            total += count;
            before += cta < blockIdx.x ? count : 0;
        }
        atomicAdd(counts.total + expert, total);
        atomicAdd(counts.before + expert, before);
    }
    __syncthreads();
}

/// The last CTA that needs no count any more makes the state ready for the next launch.
DEVICE void leave(RouteState* state) {
    if (gridDim.x > 1 && threadIdx.x == 0 && take_number(&state->left, gridDim.x) == gridDim.x - 1) state->arrived = 0;
}

#endif

/// Where the rows, or the blocks of `limit` rows, of a lane's experts begin.
template <u32 limit>
struct LaneStarts {
    u32 starts[LANE_EXPERTS], sum;

    DEVICE LaneStarts(const u32 (&rows)[LANE_EXPERTS]) {
        u32 own = 0;
#pragma unroll
        for (u32 i = 0; i < LANE_EXPERTS; ++i) {
            starts[i] = own;
            own += (rows[i] + limit - 1) / limit;
        }
        u32 end = own;
#pragma unroll
        for (u32 distance = 1; distance < 32; distance *= 2) {
            const u32 other = __shfl_up_sync(ALL_LANES, end, distance);
            if (threadIdx.x % 32 >= distance) end += other;
        }
#pragma unroll
        for (u32 i = 0; i < LANE_EXPERTS; ++i) starts[i] += end - own;
        sum = __shfl_sync(ALL_LANES, end, 31);
    }

    /// That of an expert of any lane.
    DEVICE u32 operator[](u32 expert) const {
        u32 start = 0;
#pragma unroll
        for (u32 i = 0; i < LANE_EXPERTS; ++i) {
            const u32 candidate = __shfl_sync(ALL_LANES, starts[i], expert / LANE_EXPERTS);
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

/// By a warp, the rows of its tokens; `place` is a token's number among this CTA's.
DEVICE void store_rows(const BlockChoices& choices, const RowCounts& counts, const LaneStarts<1>& starts, u32 firstToken,
                       u32 tokenCount, const RowOutputs& rows) {
    const u32 lane = threadIdx.x % 32;
#pragma unroll 1
    for (u32 place = threadIdx.x / 32; place < tokenCount; place += blockDim.x / 32) {
        const u32 slot = place * TOP_K + min(lane, TOP_K - 1), expert = choices.experts[slot];
        u32 row = starts[expert] + choices.rank(place, expert);
        if (gridDim.x > 1) row += counts.before[expert];
        if (lane >= TOP_K) continue;
        rows.tokens[row] = firstToken + place;
        rows.weights[row] = choices.weights[slot];
        rows.ofSlots[(u64)firstToken * TOP_K + slot] = row;
    }
}

/// By a warp, of each expert the blocks `first`, `first + step`, ...
template <u32 limit>
DEVICE void store_list(const u32 (&rows)[LANE_EXPERTS], const LaneStarts<1>& starts, u32 first, u32 step, u32 tokens,
                       RowBlockList* list) {
    // An expert has at most a row of each token.
    if (first > tokens / limit) return;
    const LaneStarts<limit> blocks(rows);
#pragma unroll
    for (u32 i = 0; i < LANE_EXPERTS; ++i)
#pragma unroll 1
        for (u32 block = first; block * limit < rows[i]; block += step)
            *reinterpret_cast<uint4*>(list->blocks + blocks.starts[i] + block) =
                make_uint4(threadIdx.x % 32 * LANE_EXPERTS + i, starts.starts[i] + block * limit,
                           min(limit, rows[i] - block * limit), 0);
    if (first == 0 && threadIdx.x % 32 == 0) list->count = blocks.sum;
}

DEVICE void store_offsets(const LaneStarts<1>& starts, u32* offsets) {
#pragma unroll
    for (u32 i = 0; i < LANE_EXPERTS; ++i) {
        const u32 expert = threadIdx.x % 32 * LANE_EXPERTS + i;
        if (expert < EXPERTS) offsets[expert] = starts.starts[i];
    }
    if (threadIdx.x % 32 == 0) offsets[EXPERTS] = starts.sum;
}

/// biases [EXPERTS], BIASED_SIGMOID only; factor: multiplies all weights; counts [CTAs, EXPERTS], unused with CLUSTER and by
/// one CTA; lists: room for T * TOP_K / limit + EXPERTS blocks, the second one null if SECOND_LIST_ROWS is 0.
extern "C" __global__ void __launch_bounds__(THREADS)
route(const char* logits, const float* biases, float factor, u32 tokens, u32 tokensPerBlock, u32* rowTokens,
      float* rowWeights, u32* slotRows, u32* offsets, RowBlockList* list, RowBlockList* secondList, RouteState* state,
      u16* counts) {
    extern __shared__ __align__(16) char memory[];
    __shared__ RowCounts rowCounts;
    const BlockChoices choices(memory, tokensPerBlock);
    const u32 firstToken = min(blockIdx.x * tokensPerBlock, tokens), tokenCount = min(tokensPerBlock, tokens - firstToken);
    const u32 warp = threadIdx.x / 32, warps = blockDim.x / 32, lane = threadIdx.x % 32;
    // Many CTAs share the SMs evenly only if the next kernel's do not come in between.
    if (CLUSTER || gridDim.x == 1) launch_next_kernel();
    const Router router(logits, biases, factor);
    choices.clear();
    wait_for_previous_kernel();
    LaneLogits next;
    if (warp < tokenCount) next.load(router.row(firstToken + warp));
    __syncthreads();
    for (u32 place = warp; place < tokenCount; place += warps) {
        const LaneLogits values = next;
        if (place + warps < tokenCount) next.load(router.row(firstToken + place + warps));
        router.choose(values, firstToken + place, place, choices);
    }
    exchange(choices, rowCounts, state, counts);
    u32 rows[LANE_EXPERTS];
#pragma unroll
    for (u32 i = 0; i < LANE_EXPERTS; ++i) {
        const u32 expert = lane * LANE_EXPERTS + i;
        rows[i] = expert >= EXPERTS ? 0 : gridDim.x == 1 ? choices.count(expert) : rowCounts.total[expert];
    }
    const LaneStarts<1> starts(rows);
    store_rows(choices, rowCounts, starts, firstToken, tokenCount, {rowTokens, rowWeights, slotRows});
    // The first warps of all CTAs write one list, the last ones the other.
    const u32 first = warp * gridDim.x + blockIdx.x, last = (warps - 1 - warp) * gridDim.x + blockIdx.x;
    store_list<LIST_ROWS>(rows, starts, first, warps * gridDim.x, tokens, list);
    if (SECOND_LIST_ROWS > 0)
        store_list<SECOND_LIST_ROWS + (SECOND_LIST_ROWS == 0)>(rows, starts, last, warps * gridDim.x, tokens, secondList);
    if (warp == warps / 2 && blockIdx.x == gridDim.x - 1) store_offsets(starts, offsets);
    leave(state);
}

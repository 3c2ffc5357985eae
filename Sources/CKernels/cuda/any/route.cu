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
//             other how many rows of each expert they have: with CLUSTER in shared memory, else in global memory.
// Bytes       the logits and 12 a row; bound by latency
// Launch      ceil(T / tokensPerBlock) CTAs of whole warps, THREADS at most, all resident at once; CLUSTER: one cluster
//             of up to 8. Dynamic shared memory: 6 bytes for each expert and 32 tokens of a CTA, 6 for each of its rows
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

    DEVICE void remove_first() {
#pragma unroll
        for (u32 i = 0; i + 1 < LANE_EXPERTS; ++i) keys[i] = keys[i + 1], places[i] = places[i + 1];
        keys[LANE_EXPERTS - 1] = 0;
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

/// One of a token's experts, in the lane with its slot's number.
struct Choice {
    u32 expert;
    float weight;
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

    DEVICE Choice choose(const LaneLogits& values, u32 token) const {
        const u32 lane = threadIdx.x % 32;
        LaneKeys left;
#pragma unroll
        for (u32 i = 0; i < LANE_EXPERTS; ++i) {
            const float value = METHOD == BIASED_SIGMOID ? sigmoid(values[i]) + biases[i] : values[i];
            left.keys[i] = lane * LANE_EXPERTS + i < EXPERTS ? key_of(value) : 0;
            left.places[i] = i;
        }
        left.sort();
        if (METHOD == BIASED_SIGMOID && GROUPS > 1) left.keep_best_groups();
        u32 largest = 0, chosen = 1;
        Choice choice = {0, 0.0f};
#pragma unroll
        for (u32 slot = 0; slot < TOP_K; ++slot) {
            const u32 key = __reduce_max_sync(ALL_LANES, left.keys[0]);
            const u32 owner = __ffs(__ballot_sync(ALL_LANES, left.keys[0] == key)) - 1;
            const u32 place = LANE_EXPERTS == 1 ? 0 : __shfl_sync(ALL_LANES, left.places[0], owner);
            if (slot == 0) largest = key;
            if (lane == slot) chosen = key, choice.expert = owner * LANE_EXPERTS + place;
            if (lane == owner) left.remove_first();
        }
        choice.weight = factor * weigh(values, token, choice.expert, number_of(chosen), number_of(largest));
        return choice;
    }

    /// The weight of the choice in this lane.
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

/// How many rows each expert has: of this CTA's tokens, of all, and of the CTAs' before this one.
struct RowCounts {
    u32 own[EXPERTS], total[EXPERTS], before[EXPERTS];
};

/// The masks and choices of a CTA's tokens, in dynamic shared memory.
struct BlockChoices {
    u32* masks;      ///< [tokens / 32][EXPERTS], bit t % 32: token t has chosen the expert
    float* weights;  ///< [tokens, TOP_K]
    u16* earlier;    ///< [tokens / 32][EXPERTS], bits in the masks before
    u16* experts;    ///< [tokens, TOP_K]
    u32 maskCount;

    DEVICE BlockChoices(char* memory, u32 tokens) : maskCount((tokens + 31) / 32 * EXPERTS) {
        masks = reinterpret_cast<u32*>(memory);
        weights = reinterpret_cast<float*>(masks + maskCount);
        earlier = reinterpret_cast<u16*>(weights + tokens * TOP_K);
        experts = earlier + maskCount;
    }

    DEVICE void clear() const {
        for (u32 i = threadIdx.x; i < maskCount; i += blockDim.x) masks[i] = 0;
    }

    DEVICE void add(u32 token, u32 slot, Choice choice) const {
        atomicOr(masks + token / 32 * EXPERTS + choice.expert, 1u << token % 32);
        experts[token * TOP_K + slot] = (u16)choice.expert;
        weights[token * TOP_K + slot] = choice.weight;
    }

    /// Counts an expert's rows, and those before each mask.
    DEVICE u32 count(u32 expert) const {
        u32 sum = 0;
        for (u32 i = expert; i < maskCount; i += EXPERTS) {
            earlier[i] = (u16)sum;
            sum += __popc(masks[i]);
        }
        return sum;
    }

    /// How many tokens of this CTA before this one have chosen the expert.
    DEVICE u32 rank(u32 token, u32 expert) const {
        const u32 mask = token / 32 * EXPERTS + expert;
        return earlier[mask] + __popc(masks[mask] & ((1u << token % 32) - 1));
    }
};

#if CLUSTER

/// Adds up the counts of the cluster's CTAs.
DEVICE void exchange(RowCounts& counts, RouteState*, u16*) {
    cluster_barrier();
    for (u32 expert = threadIdx.x; expert < EXPERTS; expert += blockDim.x) {
        u32 total = 0, before = 0;
#pragma unroll
        for (u32 cta = 0; cta < 8; ++cta) {
            const u32 count = cta < gridDim.x ? load_from_cta(counts.own + expert, cta) : 0;
            total += count;
            before += cta < blockIdx.x ? count : 0;
        }
        counts.total[expert] = total;
        counts.before[expert] = before;
    }
}

/// No CTA may end while another reads its counts.
DEVICE void leave(RouteState*) { cluster_barrier(); }

#else

/// Adds up the counts of all CTAs, which pass through memory: `shared` is [CTAs, EXPERTS].
DEVICE void exchange(RowCounts& counts, RouteState* state, u16* shared) {
    for (u32 expert = threadIdx.x; expert < EXPERTS; expert += blockDim.x) {
        counts.total[expert] = gridDim.x == 1 ? counts.own[expert] : 0;
        counts.before[expert] = 0;
        if (gridDim.x > 1) shared[blockIdx.x * EXPERTS + expert] = (u16)counts.own[expert];
    }
    if (gridDim.x == 1) return;
    __syncthreads();
    if (threadIdx.x == 0) {
        add_release(&state->arrived, 1);
        while (load_acquire(&state->arrived) < gridDim.x) {}
    }
    __syncthreads();
    // A thread adds up some CTAs' counts of one expert; the host makes sure that there is a thread for each expert.
    const u32 expert = threadIdx.x % EXPERTS, first = threadIdx.x / EXPERTS, step = blockDim.x / EXPERTS;
    if (first >= step) return;
    u32 total = 0, before = 0;
#pragma unroll 8
    for (u32 cta = first; cta < gridDim.x; cta += step) {
        const u32 count = __ldcg(shared + cta * EXPERTS + expert);
        total += count;
        before += cta < blockIdx.x ? count : 0;
    }
    atomicAdd(counts.total + expert, total);
    atomicAdd(counts.before + expert, before);
}

/// The last CTA that needs no count any more makes the state ready for the next launch.
DEVICE void leave(RouteState* state) {
    if (gridDim.x > 1 && threadIdx.x == 0 && take_number(&state->left, gridDim.x) == gridDim.x - 1) state->arrived = 0;
}

#endif

// --- Outputs ---

struct RowOutputs {
    u32* tokens;     ///< [T * TOP_K]
    float* weights;  ///< [T * TOP_K]
    u32* ofSlots;    ///< [T, TOP_K]
};

/// Where each expert's rows and row blocks begin.
struct Starts {
    u32 rows[EXPERTS + 1];
    u32 blocks[2][EXPERTS + 1];  ///< of each list

    /// By three warps.
    DEVICE void compute(const RowCounts& counts) {
        const u32 warp = threadIdx.x / 32;
        if (warp == 0) accumulate<1>(counts, rows);
        if (warp == 1) accumulate<LIST_ROWS>(counts, blocks[0]);
        if (warp == 2 && SECOND_LIST_ROWS > 0) accumulate<SECOND_LIST_ROWS + (SECOND_LIST_ROWS == 0)>(counts, blocks[1]);
    }

    /// Adds up how many times `limit` rows each expert has.
    template <u32 limit>
    static DEVICE void accumulate(const RowCounts& counts, u32* starts) {
        const u32 lane = threadIdx.x % 32;
        u32 sizes[LANE_EXPERTS], sum = 0;
#pragma unroll
        for (u32 i = 0; i < LANE_EXPERTS; ++i) {
            const u32 expert = lane * LANE_EXPERTS + i;
            sizes[i] = expert < EXPERTS ? (counts.total[expert] + limit - 1) / limit : 0;
            sum += sizes[i];
        }
        u32 end = sum;
#pragma unroll
        for (u32 distance = 1; distance < 32; distance *= 2) {
            const u32 other = __shfl_up_sync(ALL_LANES, end, distance);
            if (lane >= distance) end += other;
        }
        u32 start = end - sum;
#pragma unroll
        for (u32 i = 0; i < LANE_EXPERTS; ++i) {
            const u32 expert = lane * LANE_EXPERTS + i;
            if (expert < EXPERTS) starts[expert] = start;
            start += sizes[i];
        }
        if (lane == 31) starts[EXPERTS] = end;
    }
};

DEVICE void store_rows(const BlockChoices& choices, const RowCounts& counts, const Starts& starts, u32 firstToken,
                       u32 tokenCount, const RowOutputs& rows) {
    for (u32 i = threadIdx.x; i < tokenCount * TOP_K; i += blockDim.x) {
        const u32 token = i / TOP_K, expert = choices.experts[i];
        const u32 row = starts.rows[expert] + counts.before[expert] + choices.rank(token, expert);
        rows.tokens[row] = firstToken + token;
        rows.weights[row] = choices.weights[i];
        rows.ofSlots[(u64)firstToken * TOP_K + i] = row;
    }
}

/// A warp an expert, of all CTAs'.
template <u32 limit>
DEVICE void store_list(const Starts& starts, const u32* firstBlocks, RowBlockList* list) {
    if (limit == 0) return;
    const u32 warps = blockDim.x / 32, lane = threadIdx.x % 32;
    for (u32 expert = threadIdx.x / 32 * gridDim.x + blockIdx.x; expert < EXPERTS; expert += warps * gridDim.x) {
        const u32 first = starts.rows[expert], end = starts.rows[expert + 1];
        uint4* blocks = reinterpret_cast<uint4*>(list->blocks + firstBlocks[expert]);
        for (u32 row = first + lane * limit; row < end; row += 32 * limit, blocks += 32)
            blocks[lane] = make_uint4(expert, row, min(limit, end - row), 0);
    }
    if (blockIdx.x == 0 && threadIdx.x == 0) list->count = firstBlocks[EXPERTS];
}

/// biases [EXPERTS], BIASED_SIGMOID only; factor: multiplies all weights; counts [CTAs, EXPERTS], unused with CLUSTER and by
/// one CTA; lists: room for T * TOP_K / limit + EXPERTS blocks, the second one null if SECOND_LIST_ROWS is 0.
extern "C" __global__ void __launch_bounds__(THREADS)
route(const char* logits, const float* biases, float factor, u32 tokens, u32 tokensPerBlock, u32* rowTokens,
      float* rowWeights, u32* slotRows, u32* offsets, RowBlockList* list, RowBlockList* secondList, RouteState* state,
      u16* counts) {
    extern __shared__ __align__(16) char memory[];
    __shared__ RowCounts rowCounts;
    __shared__ Starts starts;
    const BlockChoices choices(memory, tokensPerBlock);
    const u32 firstToken = min(blockIdx.x * tokensPerBlock, tokens), tokenCount = min(tokensPerBlock, tokens - firstToken);
    const u32 warp = threadIdx.x / 32, warps = blockDim.x / 32, lane = threadIdx.x % 32;
    launch_next_kernel();
    const Router router(logits, biases, factor);
    choices.clear();
    wait_for_previous_kernel();
    LaneLogits next;
    if (warp < tokenCount) next.load(router.row(firstToken + warp));
    __syncthreads();
    for (u32 token = warp; token < tokenCount; token += warps) {
        const LaneLogits values = next;
        if (token + warps < tokenCount) next.load(router.row(firstToken + token + warps));
        const Choice choice = router.choose(values, firstToken + token);
        if (lane < TOP_K) choices.add(token, lane, choice);
    }
    __syncthreads();
    for (u32 expert = threadIdx.x; expert < EXPERTS; expert += blockDim.x) rowCounts.own[expert] = choices.count(expert);
    exchange(rowCounts, state, counts);
    __syncthreads();
    starts.compute(rowCounts);
    __syncthreads();
    store_rows(choices, rowCounts, starts, firstToken, tokenCount, {rowTokens, rowWeights, slotRows});
    store_list<LIST_ROWS>(starts, starts.blocks[0], list);
    store_list<SECOND_LIST_ROWS>(starts, starts.blocks[1], secondList);
    if (blockIdx.x == 0)
        for (u32 i = threadIdx.x; i <= EXPERTS; i += blockDim.x) offsets[i] = starts.rows[i];
    leave(state);
}

// How tokens choose experts by router logits, a warp a token.
//
// Choice      by falling logit (BIASED_SIGMOID: sigmoid plus bias, within the best groups); equal ones: the lower expert
//             first; NaN: below every number. As the CPU's `ExpertSelection`.
// Data flow   logits: global -> registers, sorted in each lane, then kTopK times the largest of the lanes' first
// Limits      kExperts <= 512, kTopK <= 16; groups are a power of two lanes each
#pragma once
#include "common/moe.cuh"

enum RoutingMethod { SOFTMAX = 0, SOFTMAX_OF_SELECTED = 1, SIGMOID = 2, BIASED_SIGMOID = 3 };

constexpr u32 ALL_LANES = ~0u;

DEVICE float sum_of_lanes(float value) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(ALL_LANES, value, distance);
    return value;
}

template <u32 kExperts_, u32 kTopK_, int kMethod, bool kLogitsAreFP32, u32 kGroups, u32 kChosenGroups, bool kRenormalizes>
struct ExpertChoice {
    static constexpr u32 kExperts = kExperts_, kTopK = kTopK_;
    static constexpr u32 kLaneExperts = (kExperts + 31) / 32;  ///< neighbours: the lower lane has the lower experts
    static constexpr u32 kLogitBytes = kLogitsAreFP32 ? 4 : 2;
    /// Whether keys tell the expert: those of BF16 numbers have room for it.
    static constexpr bool kKeysHaveExperts = !kLogitsAreFP32 && kMethod != BIASED_SIGMOID;

    static DEVICE u32 lane() { return threadIdx.x % 32; }

    static DEVICE float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }

    // --- Order ---

    /// An integer that is ordered as numbers are, equal zeros, NaN below all; 0 is no number.
    static DEVICE u32 key_of(float value, u32 expert) {
        const u32 bits = __float_as_uint(value + 0.0f);
        const u32 key = value != value ? 1 : bits ^ ((u32)((int)bits >> 31) | 0x80000000);
        return kKeysHaveExperts ? (key & 0xFFFF0000) | (0xFFFF - expert) : key;
    }

    static DEVICE float number_of(u32 key) {
        if (kKeysHaveExperts) key = key < 0x10000 ? 1 : key & 0x80000000 ? key & 0xFFFF0000 : key | 0xFFFF;
        return __uint_as_float(key == 1 ? 0x7FFFFFFF : key & 0x80000000 ? key ^ 0x80000000 : ~key);
    }

    /// The logits of a lane's experts, as they are in memory.
    struct LaneLogits {
        static constexpr u32 lowestBit = kLaneExperts & (0 - kLaneExperts);
        static constexpr u32 widest = lowestBit * kLogitBytes < 16 ? lowestBit : 16 / kLogitBytes;
        /// Logits of one load. Lanes are full or empty if they divide the experts.
        static constexpr u32 together = kExperts % kLaneExperts == 0 ? widest : 1;
        static constexpr u32 wordsTogether = (together * kLogitBytes + 3) / 4;

        u32 words[kLaneExperts / together * wordsTogether];

        DEVICE void load(const char* row) {
#pragma unroll
            for (u32 i = 0; i < kLaneExperts / together; ++i) {
                const u32 expert = lane() * kLaneExperts + i * together;
                const char* address = row + expert * kLogitBytes;
                u32* loaded = words + i * wordsTogether;
                if (expert >= kExperts) continue;
                if (together * kLogitBytes == 2) loaded[0] = *reinterpret_cast<const u16*>(address);
                if (together * kLogitBytes == 4) loaded[0] = *reinterpret_cast<const u32*>(address);
                if (together * kLogitBytes == 8) {
                    const uint2 pair = *reinterpret_cast<const uint2*>(address);
                    loaded[0] = pair.x, loaded[1] = pair.y;
                }
                if (together * kLogitBytes == 16) {
                    const uint4 quad = *reinterpret_cast<const uint4*>(address);
                    loaded[0] = quad.x, loaded[1] = quad.y, loaded[2] = quad.z, loaded[3] = quad.w;
                }
            }
        }

        DEVICE float operator[](u32 i) const {
            if (kLogitsAreFP32) return __uint_as_float(words[i]);
            if (together == 1) return __uint_as_float(words[i] << 16);
            return __uint_as_float(i % 2 ? words[i / 2] & 0xFFFF0000 : words[i / 2] << 16);
        }
    };

    // --- Choice ---

    /// The keys of a lane's experts that are left, the largest first.
    struct LaneKeys {
        u32 keys[kLaneExperts];
        u32 places[kLaneExperts];  ///< among the lane's experts

        /// Exchanges neighbours only if they are out of order, so that equal ones stay in theirs.
        DEVICE void sort() {
#pragma unroll
            for (u32 end = 1; end < kLaneExperts; ++end)
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
            for (u32 i = 0; i < kLaneExperts; ++i) {
                const bool isLast = i + 1 == kLaneExperts;
                keys[i] = isMeant ? isLast ? 0 : keys[i + !isLast] : keys[i];
                places[i] = isMeant && !isLast ? places[i + !isLast] : places[i];
            }
        }

        DEVICE void remove_all() {
#pragma unroll
            for (u32 i = 0; i < kLaneExperts; ++i) keys[i] = 0;
        }

        /// Leaves the experts of the kChosenGroups groups with the largest sums of their two largest.
        DEVICE void keep_best_groups() {
            constexpr u32 groupLanes = kExperts / kGroups / kLaneExperts;
            u32 first = keys[0], second = kLaneExperts > 1 ? keys[kLaneExperts > 1] : 0;
#pragma unroll
            for (u32 distance = 1; distance < groupLanes; distance *= 2) {
                const u32 otherFirst = __shfl_xor_sync(ALL_LANES, first, distance);
                const u32 otherSecond = __shfl_xor_sync(ALL_LANES, second, distance);
                second = max(min(first, otherFirst), max(second, otherSecond));
                first = max(first, otherFirst);
            }
            const u32 group = lane() / groupLanes, key = key_of(number_of(first) + number_of(second), 0);
            u32 better = 0;
#pragma unroll
            for (u32 other = 0; other < kGroups; ++other) {
                const u32 otherKey = __shfl_sync(ALL_LANES, key, other * groupLanes);
                better += otherKey > key || (otherKey == key && other < group);
            }
            if (better >= kChosenGroups) remove_all();
        }
    };

    /// The expert in a token's slot, and its router weight.
    struct LaneChoice {
        u32 expert;
        float weight;
    };

    struct Router {
        const char* logits;
        float factor;
        float biases[kLaneExperts];

        DEVICE Router(const char* logits, const float* allBiases, float factor) : logits(logits), factor(factor) {
#pragma unroll
            for (u32 i = 0; i < kLaneExperts; ++i) {
                const u32 expert = lane() * kLaneExperts + i;
                biases[i] = kMethod == BIASED_SIGMOID && expert < kExperts ? allBiases[expert] : 0.0f;
            }
        }

        DEVICE const char* row(u32 token) const { return logits + (u64)token * kExperts * kLogitBytes; }

        /// Chooses a token's experts; slot i is lane i's. `experts`: [kTopK] in shared memory, which receives them unless keys
        /// tell them.
        DEVICE LaneChoice choose(const LaneLogits& values, u32 token, u16* experts) const {
            const u32 lowerLanes = (1u << lane()) - 1;
            LaneKeys left;
#pragma unroll
            for (u32 i = 0; i < kLaneExperts; ++i) {
                const float value = kMethod == BIASED_SIGMOID ? sigmoid(values[i]) + biases[i] : values[i];
                const u32 expert = lane() * kLaneExperts + i;
                left.keys[i] = expert < kExperts ? key_of(value, expert) : 0;
                left.places[i] = i;
            }
            left.sort();
            if (kMethod == BIASED_SIGMOID && kGroups > 1) left.keep_best_groups();
            u32 largest = 0, chosen = 1;
#pragma unroll
            for (u32 slot = 0; slot < kTopK; ++slot) {
                const u32 key = __reduce_max_sync(ALL_LANES, left.keys[0]);
                bool isOwner = left.keys[0] == key;
                if (!kKeysHaveExperts) {
                    isOwner &= (__ballot_sync(ALL_LANES, isOwner) & lowerLanes) == 0;
                    if (isOwner) experts[slot] = (u16)(lane() * kLaneExperts + left.places[0]);
                }
                if (slot == 0) largest = key;
                if (lane() == slot) chosen = key;
                left.remove_first(isOwner);
            }
            __syncwarp();
            const u32 expert = !kKeysHaveExperts ? experts[min(lane(), kTopK - 1)] : 0xFFFF - (chosen & 0xFFFF);
            return {expert, factor * weigh(values, token, expert, number_of(chosen), number_of(largest))};
        }

        /// The weight of the expert in the slot with this lane's number.
        DEVICE float weigh(const LaneLogits& values, u32 token, u32 expert, float chosen, float largest) const {
            if (kMethod == SIGMOID) return sigmoid(chosen);
            if (kMethod == BIASED_SIGMOID) {
                const float score = lane() < kTopK ? sigmoid(logit(token, expert)) : 0.0f;
                return kRenormalizes ? score / (sum_of_lanes(score) + 1e-20f) : score;
            }
            const float part = lane() < kTopK ? expf(chosen - largest) : 0.0f;
            if (kMethod == SOFTMAX_OF_SELECTED) return part / sum_of_lanes(part);
            float sum = 0.0f;
#pragma unroll
            for (u32 i = 0; i < kLaneExperts; ++i)
                if (lane() * kLaneExperts + i < kExperts) sum += expf(values[i] - largest);
            return part / sum_of_lanes(sum);
        }

        DEVICE float logit(u32 token, u32 expert) const {
            const char* address = row(token) + expert * kLogitBytes;
            return kLogitsAreFP32 ? *reinterpret_cast<const float*>(address)
                                  : __uint_as_float((u32)*reinterpret_cast<const u16*>(address) << 16);
        }
    };
};

// The warps that copy weights and activations, global to shared.
#pragma once
#include "sm90/moe_gemm_cta.cuh"

// --- Weights ---
// All lanes do what one alone could, with values that the compiler knows to be the same in all: addresses of bulk
// copies then are computed in uniform registers, which keeps a slab's copies under the time of its products.

/// Copies the slabs of an item's blocks, `pitch` bytes from one to the next.
template <class Gemm>
DEVICE void copy_weights(const GemmCta<Gemm>& cta, const char* source, u32 pitch, u32 blocks, u32 slabs,
                         typename Gemm::Cursor& cursor, bool elected) {
    constexpr int stageSlabs = Gemm::kStageSlabs, ahead = Gemm::kAhead;
    const u64 policy = evict_first_policy();
#pragma unroll 1
    for (u32 slab = 0; slab < slabs; slab += stageSlabs) {
        barrier_wait(&cta.barriers->empty[cursor.stage], cursor.parity ^ 1);
        if (elected) {
            u64* full = &cta.barriers->full[cursor.stage];
            char* stage = cta.weights(cursor.stage);
            const u32 bytes = min(stageSlabs, slabs - slab) * Gemm::kSlabBytes;
            if (slab + ahead >= slabs && (slab == 0 || slab + ahead - stageSlabs < slabs))
                barrier_arrive(&cta.barriers->nearEnd);
            barrier_arrive_expecting(full, blocks * bytes);
#pragma unroll
            for (int i = 0; i < Gemm::kBlocks; ++i)
                if (i < blocks) bulk_copy(stage + i * Gemm::kBlockBytes, source + (u64)i * pitch, bytes, full, policy);
        }
        source += Gemm::kBlockBytes;
        cursor.advance();
    }
}

template <class Gemm>
DEVICE void copy_weights(const GemmCta<Gemm>& cta) {
    const bool elected = elect_one();
    typename Gemm::Cursor cursor{0, 0};
    for (u32 index = 0;; ++index) {
        const typename Gemm::Item& item = cta.await_item(index);
        const u32 blocks = same_in_all(item.blocks);
        if (blocks == 0) return;
        const bool up = same_in_all(item.up);
        const u32 firstSlab = same_in_all(item.firstSlab), slabs = same_in_all(item.slabs);
        const u32 expert = same_in_all(item.expert), weightBlock = same_in_all(item.weightBlock);
        cta.release_item(index);
        if (elected && slabs == 0) barrier_arrive(&cta.barriers->nearEnd);
        const u32 pitch = (up ? Gemm::kUpSlabs : Gemm::kDownSlabs) * Gemm::kSlabBytes;
        const u64 block = (u64)expert * (up ? Gemm::kUpBlocks : Gemm::kDownBlocks) + weightBlock;
        const char* weights = up ? cta.arguments.upWeights : cta.arguments.downWeights;
        copy_weights(cta, weights + block * pitch + firstSlab * Gemm::kSlabBytes, pitch, blocks, slabs, cursor, elected);
    }
}

// --- Activations ---

/// Where the rows lie whose pieces a thread copies. One warp has no registers for as many as 16 offsets: it keeps two
/// tokens in a word, as how far they are from the first; rows of an expert are sorted by token, of which there are 65280.
template <int count, bool inPairs>
struct TokenOffsets {
    u32 words[inPairs ? count / 2 : count];

    DEVICE void set(int i, u32 token, u32 firstToken) {
        if (!inPairs) words[i] = token * PACKED_BYTES;
        else if (i % 2 == 0) words[i / 2] = token - firstToken;
        else words[i / 2] |= (token - firstToken) << 16;
    }

    DEVICE u64 get(int i) {
        if (!inPairs) return words[i];
        asm volatile("" : "+r"(words[i / 2]));  // to be taken apart where it is used
        return (i % 2 == 0 ? words[i / 2] & 0xFFFF : words[i / 2] >> 16) * PACKED_BYTES;
    }
};

template <class Gemm>
DEVICE void gather_tokens(const GemmCta<Gemm>& cta, u32 index, const char* source, u32 rowCount, u32 slabs,
                          typename Gemm::Cursor& cursor) {
    constexpr int threads = 32 * Gemm::kCopiers, rowsAtOnce = threads / 8, copies = Gemm::kRows / rowsAtOnce;
    constexpr int stageSlabs = Gemm::kStageSlabs;
    constexpr bool inPairs = Gemm::kCopiers == 1;
    const u32 thread = threadIdx.x % threads, piece = thread % 8, first = thread / 8;
    const typename Gemm::Item& item = cta.items[index % Gemm::kItems];
    const u32 firstToken = inPairs ? item.targets[0] : 0;
    TokenOffsets<copies, inPairs> offsets;
#pragma unroll
    for (int i = 0; i < copies; ++i) offsets.set(i, item.targets[first + i * rowsAtOnce], firstToken);
    cta.release_item(index);
    const u64 pitch = (u64)cta.arguments.tokenCount * PACKED_BYTES;
    source += (u64)firstToken * PACKED_BYTES + piece * 16;
#pragma unroll 1
    for (u32 slab = 0; slab < slabs; ++slab) {
        if (slab % stageSlabs == 0) barrier_wait(&cta.barriers->empty[cursor.stage], cursor.parity ^ 1);
        char* rows = cta.inputs(cursor.stage) + slab % stageSlabs * Gemm::kInputBytes;
#pragma unroll
        for (int i = 0; i < copies; ++i) {
            if (i % 2 == 0 && i * rowsAtOnce >= rowCount) break;
            const u32 row = first + i * rowsAtOnce;
            copy_16(rows + row * PACKED_BYTES + (piece ^ row % 8) * 16, source + offsets.get(i));
        }
        source += pitch;
        if (slab % stageSlabs != stageSlabs - 1 && slab + 1 < slabs) continue;
        barrier_arrive_after_copies(&cta.barriers->full[cursor.stage]);
        cursor.advance();
    }
}

/// Rows that lie as they are wanted, which one thread copies; where all else gather, they say that they have nothing to.
template <class Gemm>
DEVICE void copy_rows(const GemmCta<Gemm>& cta, const char* source, u32 bytes, u32 slabs, typename Gemm::Cursor& cursor,
                      bool elected) {
    constexpr int stageSlabs = Gemm::kStageSlabs;
    const u64 policy = evict_last_policy(), pitch = (u64)cta.arguments.slots * PACKED_BYTES;
    const bool copies = elected && cta.warp == Gemm::kFirstCopier;
#pragma unroll 1
    for (u32 slab = 0; slab < slabs; slab += stageSlabs) {
        u64* full = &cta.barriers->full[cursor.stage];
        barrier_wait(&cta.barriers->empty[cursor.stage], cursor.parity ^ 1);
        if (copies) {
            const u32 count = min(stageSlabs, slabs - slab);
            barrier_arrive_expecting(full, count * bytes);
            char* stage = cta.inputs(cursor.stage);
#pragma unroll
            for (int i = 0; i < stageSlabs; ++i)
                if (i < count) bulk_copy(stage + i * Gemm::kInputBytes, source + i * pitch, bytes, full, policy);
        } else if (Gemm::kGathers) {
            barrier_arrive(full);
        }
        source += stageSlabs * pitch;
        cursor.advance();
    }
}

template <class Gemm>
DEVICE void copy_inputs(const GemmCta<Gemm>& cta) {
    const MoeGemmArguments& arguments = cta.arguments;
    const bool elected = elect_one();
    typename Gemm::Cursor cursor{0, 0};
    for (u32 index = 0;; ++index) {
        const typename Gemm::Item& item = cta.await_item(index);
        const u32 blocks = same_in_all(item.blocks);
        if (blocks == 0) return;
        const u32 firstSlab = same_in_all(item.firstSlab), slabs = same_in_all(item.slabs);
        const u32 rowCount = same_in_all(item.rowCount), slot = same_in_all(item.slot);
        const bool isInput = Gemm::kUpBlocks == 0 || same_in_all(item.up);
        if (Gemm::kGathers && isInput) {
            const char* tokens = arguments.inputs + (u64)firstSlab * arguments.tokenCount * PACKED_BYTES;
            gather_tokens(cta, index, tokens, rowCount, slabs, cursor);
        } else {
            cta.release_item(index);
            if (!isInput) fence_async();
            const char* rows = isInput ? arguments.inputs : arguments.hidden;
            copy_rows(cta, rows + ((u64)firstSlab * arguments.slots + slot) * PACKED_BYTES,
                      slot_count(rowCount) * PACKED_BYTES, slabs, cursor, elected);
        }
    }
}

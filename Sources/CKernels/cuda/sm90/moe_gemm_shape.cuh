// The grouped GEMM's arguments, its shape, and how its shared memory is laid out (sm90/moe_gemm.cu).
#pragma once
#include "common/activation.cuh"
#include "common/packed.cuh"
#include "common/tiles.cuh"

struct MoeGemmArguments {
    Routing routing;          ///< a list of blocks of up to kRows rows; without one, all tokens are rows of `tokenExpert`
    const char* upWeights;    ///< slabs, gate and up rows in turns of 8 or up rows alone; unused if kUpBlocks is 0
    const char* downWeights;  ///< slabs
    const char* inputs;       ///< packed: tokens if kGathers, else rows
    char* hidden;             ///< packed rows, kDownSlabs; unused if kUpBlocks is 0
    u16* output;              ///< BF16 [T, kOutputs], or y [rows, kOutputs] unless kOneRow
    const u16* residual;      ///< BF16 [T, kOutputs], or null; only if kOneRow
    const float2* upScales;   ///< [E], global scales of gate and up; null: 1
    const float* downScales;  ///< [E]; null: 1
    const float* rowScales;   ///< [kOutputs], of the rows of one expert's down, FP8 only; null: 1
    const u16* upBiases;      ///< BF16 [E, 2, 64 kDownSlabs], gate then up (up alone in the first half), or null
    const u16* downBiases;    ///< BF16 [E, kOutputs], or null
    ActivationConstants constants;
    u32* counters;            ///< [MoeGemm::kFirstCounter + CTAs + blocks the list may hold], zero before and after a launch
    float* partials;          ///< [MoeGemm::kLargestParts · CTAs][kPartFloats], sums over parts of the slabs
    u32 slots;                ///< of packed rows, as many as common/packed.cuh says or more
    u32 tokenCount;
    u32 tokenExpert;
    u32 weightsRowsOnInput;   ///< the router weight multiplies the first product's sums, not the second's (Llama 4)
};

/// upBlocks, downBlocks: blocks of 64 weight rows; 0 leaves that product out. upSlabs, downSlabs: slabs of 64 columns.
/// oneRow: every token has exactly one row. rows: token rows of a block at most. gathers: tokens are gathered here, 16
/// bytes a thread.
template <int format, int upBlocks, int upSlabs, int downBlocks, int downSlabs, int outputs, int activation, bool oneRow,
          int rows, bool gathers>
struct MoeGemm {
    static constexpr int kFormat = format, kActivation = activation, kOutputs = outputs, kRows = rows;
    static constexpr int kUpBlocks = upBlocks, kUpSlabs = upSlabs, kDownBlocks = downBlocks, kDownSlabs = downSlabs;
    static constexpr bool kOneRow = oneRow, kGathers = gathers, kGated = is_gated(activation);
    static constexpr bool kIsFP4 = format == NVFP4 || format == MXFP4;
    static_assert(kRows == 64 || kRows == 96 || kRows == 128 || kRows == 144, "a number of token columns that products exist for");
    static_assert(kOutputs % 8 == 0, "16-byte stores");

    /// Warpgroups that multiply. Three hide each other's waits better than two, but leave registers for fewer sums.
    static constexpr int kGroups = kRows == 64 && kIsFP4 ? 3 : 2;
    static constexpr int kRegisters = kGroups == 3 ? 160 : 232;     ///< of a thread that multiplies
    static constexpr int kOtherRegisters = kGroups == 3 ? 32 : 40;  ///< of the others
    /// Blocks of 64 weight rows: of a warpgroup, whose registers hold their sums, and of an item.
    static constexpr int kBlocksOfGroup = kRows == 96 && kIsFP4 ? 3 : 2, kBlocks = kBlocksOfGroup * kGroups;
    // Warps: those that multiply, one that copies weights, one that takes items, one or two that copy activations, and
    // one that stores `hidden`, unless two copy: then the one that takes items does.
    static constexpr int kMultipliers = 4 * kGroups;
    static constexpr int kWeightCopier = kMultipliers, kTaker = kMultipliers + 1, kFirstCopier = kMultipliers + 2;
    static constexpr int kCopiers = kGathers && kRows > 64 ? 2 : 1;
    static constexpr bool kTakerStores = kCopiers == 2;
    static constexpr int kThreads = 32 * (kMultipliers + 4);
    static constexpr int kUpGroups = (kUpBlocks + kBlocks - 1) / kBlocks;
    static constexpr int kDownGroups = (kDownBlocks + kBlocks - 1) / kBlocks;

    /// Two slabs a stage cost less waiting, but leave room for fewer stages.
    static constexpr int kStageSlabs = kRows == 64 && kIsFP4 ? 2 : 1;
    static constexpr int kInputBytes = kRows * PACKED_BYTES;  ///< of a slab
    static constexpr int kSlabBytes = slab_bytes(kFormat), kBlockBytes = kStageSlabs * kSlabBytes;
    static constexpr int kStageBytes = (kStageSlabs * kInputBytes + kBlocks * kBlockBytes + 1023) / 1024 * 1024;
    static constexpr int kStagingBytes = kRows * PACKED_BYTES;  ///< of 64 columns of `hidden`
    static constexpr int kStagings = kGated ? kBlocks / 2 : kBlocks;
    typedef float Sums[kBlocksOfGroup][kRows / 8][4];  ///< of a thread: blocks of weight rows, eights of token columns
    static constexpr int kWarpFloats = kBlocksOfGroup * 16 * kRows;  ///< sums of a warp
    static constexpr int kPartFloats = kMultipliers * kWarpFloats;   ///< of a part of an item
    static constexpr int kParts = 4;                                 ///< of an item at the end of the queue
    static constexpr int kLeastSlabs = 8;                            ///< of a part
    /// Parts for each CTA, at most.
    static constexpr int kLargestParts = kDownBlocks == 0 ? 0 : kUpBlocks == 0 ? 3 : kDownSlabs >= 64 ? 2 : 0;
    static constexpr int kFirstCounter = 32;  ///< after the number of the next item, in a line of its own
    static constexpr int kItems = 4;
    static constexpr int kAhead = 8;  ///< slabs before an item's end at which the next one is taken

    /// What an item needs, and its rows' factors.
    struct alignas(8) Item {
        float weights[kRows];
        u32 targets[kRows];  ///< tokens that the first product reads, or rows of the output
        u32 blocks;          ///< of weight rows; 0: no more items
        u32 up, staging;     ///< is it of the first product, and parity of the number of those before
        u32 expert, weightBlock, slot, rowCount, rowBlock;
        u32 firstSlab, slabs;
        u32 split, part, parts;  ///< the number of an item whose slabs are divided, and which part this is
        u32 shares;              ///< if parts are added up: among how many; `part` is then which share this is
        float scales[2];
    };

    static constexpr int kOutputPitch = 48;  ///< bytes of a row of outputs in shared memory; matrices meet all banks
    static constexpr int kOutputBytes = 16 * kOutputPitch;  ///< of a warp

    /// As many stages as there is room for: weights come from memory, which takes long and needs many bytes on their way.
    static constexpr int kOtherBytes =
        kStagings * kStagingBytes + kMultipliers * kOutputBytes + kItems * (int)sizeof(Item) + 512;
    static constexpr int kStages = (232448 - kOtherBytes) / kStageBytes;
    static constexpr int kSharedBytes = kOtherBytes + kStages * kStageBytes;

    /// The queue of items. The slabs of the last ones are divided among CTAs, so that all have work until the end, and
    /// then the adding up of their parts.
    struct Queue {
        u32 rowBlocks;
        u32 whole;    ///< items that are not divided, of both products
        u32 divided;  ///< items that are
        u32 parts;    ///< of each of them
        u32 shares;   ///< of the adding up of each of them
        u32 total;

        DEVICE void fill(u32 blocks) {
            const u32 ctas = gridDim.x, items = kDownGroups * blocks;
            rowBlocks = blocks, divided = 0, parts = 1;
            if (kUpBlocks == 0 && items * 2 <= ctas) divided = items, parts = ctas / max(1, items);
            else if (kUpBlocks == 0 && items * 3 <= ctas * 2) divided = items, parts = 3;
            else if (kDownSlabs >= 64 && (kUpBlocks > 0 || items > ctas)) divided = min(items, ctas / 2), parts = kParts;
            parts = min(parts, max(1, kDownSlabs / kLeastSlabs));
            if (parts == 1) divided = 0;
            shares = ctas / max(1, divided);
            whole = kUpGroups * blocks + items - divided;
            total = whole + divided * (parts + shares);
        }
    };

    struct Barriers {
        u64 full[kStages], empty[kStages];
        u64 itemsFull[kItems], itemsEmpty[kItems];
        u64 nearEnd;  ///< the last copies of an item are about to be issued
        u64 stagingFull, stagingEmpty;
        Queue queue;
    };

    static_assert(sizeof(Barriers) <= 512 && kSharedBytes <= 232448, "shared memory");

    struct Cursor {
        u32 stage, parity;
        DEVICE void advance() {
            if (++stage == kStages) stage = 0, parity ^= 1;
        }
    };
};

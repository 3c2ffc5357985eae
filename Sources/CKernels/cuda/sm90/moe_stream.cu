// The experts of an MoE layer for few tokens an expert, and any linear layer for few tokens.
//
//   hidden[r, :] = activation(gate · x[token(r)], up · x[token(r)])      x [T, H] BF16, gate and up [E, I, H]
//   y[t, :]      = residual[t, :] + Σ weight(r) · (down · hidden[r, :])  down [E, H, I]; over the rows r of token t
//
// Data flow   weights: global → shared, bulk copies into a ring filled by one thread → registers → BF16 → mma.sync,
//             weights as the 16-row operand, 8 tokens a product, FP32 sums; activations: global → shared beside their
//             weights, by one warp that alone waits for what wrote them. Four more warps finish the sums, so that no
//             warp that multiplies ever waits for global memory.
//             Router logits, if there are any: every CTA chooses the experts of all tokens and lists the rows in its shared
//             memory, with the code and the results of any/route.cu.
//             Sums over the contracted dimension: registers, then shared memory among warps, then global memory among CTAs
//             (fixed order, so results repeat bit for bit).
// Bytes       0.5625 (NVFP4) or 0.53125 (MXFP4) a weight of the experts hit, once; bound by bandwidth.
// One launch  does both products: while the last CTAs finish the first, the ring of every CTA fills with weights of the
//             second. All CTAs must therefore be resident at once: the grid is one CTA an SM.
// Source      weight layout and arithmetic: common/tiles.cuh; division of work: common/stream.cuh; routing:
//             common/choice.cuh.
#include "common/activation.cuh"
#include "common/choice.cuh"
#include "common/stream.cuh"

struct MoeStreamArguments {
    Routing routing;            ///< unless there are logits
    const char* logits;         ///< [T, experts], aligned to 16 bytes: each CTA routes the tokens by itself; or null
    const float* routerBiases;  ///< [experts], BIASED_SIGMOID only
    StreamOperands up;    ///< gate and up rows in turns of 8, or up rows alone; inputs are the layer's, [T, ..]
    StreamOperands down;  ///< inputs are `hidden`
    u16* hidden;          ///< BF16 [rows, down.inputPitch]; columns beyond the first product's are zero and stay so
    u16* output;          ///< BF16 [T, kOutputs]
    const u16* residual;  ///< the same shape, or null
    const float2* upScales;   ///< [E], global scales of gate and up; null: 1
    const float* downScales;  ///< [E]; null: 1
    const float* rowScales;   ///< [kOutputs], of the rows of one expert's down, FP8 only; null: 1
    const u16* upBiases;      ///< BF16 [E, 2, down.inputPitch], gate then up (up alone in the first half), or null
    const u16* downBiases;    ///< BF16 [E, kOutputs], or null
    ActivationConstants constants;
    float* partials;  ///< [CTAs][4][kPartialFloats], parts of sums that another CTA completes; all bits 1 between launches
    StreamState* state;
    u32 tokenCount;
    u32 routingIsEarly;      ///< routing was complete before the previous kernel began
    float routerFactor;      ///< multiplies all weights that logits give
    u32 weightsRowsOnInput;  ///< the router weight multiplies the first product's sums, not the second's (Llama 4)
};

/// Of launches that never get logits.
struct NoChoice {};

/// Rows and blocks in shared memory, from logits. `Choice`: an `ExpertChoice`.
template <class Choice, int kTokens, int kRows>
struct StreamRouting {
    static constexpr u32 kRowCount = kTokens * Choice::kTopK;
    static constexpr u32 kBlocks = kRowCount / kRows + (kRowCount < Choice::kExperts ? kRowCount : Choice::kExperts);
    static constexpr u32 kMaskRows = (kTokens + 31) / 32;
    static constexpr u32 kListBytes = 16 + 16 * kBlocks;
    static constexpr u32 bytes = (kListBytes + 8 * kRowCount + Choice::Choices::bytes(kMaskRows, kTokens) + 15) / 16 * 16;

    RowBlockList* list;
    RowOutputs rows;
    typename Choice::Choices choices;

    DEVICE StreamRouting(char* memory) : choices(memory + kListBytes + 8 * kRowCount, kMaskRows, 0, kTokens) {
        list = reinterpret_cast<RowBlockList*>(memory);
        rows.tokens = reinterpret_cast<u32*>(memory + kListBytes);
        rows.weights = reinterpret_cast<float*>(memory + kListBytes + 4 * kRowCount);
        rows.ofSlots = nullptr;
    }

    /// By all threads, after the masks have been cleared. A warp has a token.
    DEVICE void route(const char* logits, const float* biases, float factor, u32 tokenCount) const {
        const typename Choice::Router router(logits, biases, factor);
        wait_for_previous_kernel();
        for (u32 token = threadIdx.x / 32; token < tokenCount; token += blockDim.x / 32) {
            typename Choice::LaneLogits values;
            values.load(router.row(token));
            router.choose(values, token, token, choices);
        }
        __syncthreads();
        u32 counts[Choice::kLaneExperts];
        choices.count(counts);
        const typename Choice::LaneStarts starts(counts, [](u32 count) { return (count + kRows - 1) / kRows; });
        if (threadIdx.x < 32) Choice::store_blocks(counts, starts, kRows, 0, 1, list);
        Choice::store_rows(choices, nullptr, starts, 0, tokenCount, rows);
        __syncthreads();
    }
};

template <int kTokens, int kRows>
struct StreamRouting<NoChoice, kTokens, kRows> {
    static constexpr u32 bytes = 0;
};

/// kUpBlocks, kDownBlocks: blocks of 64 weight rows; 0 leaves that product out. kUpSlabs, kDownSlabs: slabs of 64 columns.
template <int kFormat_, int kUpBlocks_, int kUpSlabs_, int kDownBlocks_, int kDownSlabs_, int kOutputs_, int kActivation_,
          int kRows_, int kTokens_, int kChunk_, int kStages_, int kInFlight, int kLead, int kMiddle, int kWarpTiles_,
          int kSlabTurns_, int kChunkTurns_, class Choice>
struct MoeStream {
    static constexpr int kFormat = kFormat_, kUpBlocks = kUpBlocks_, kDownBlocks = kDownBlocks_, kOutputs = kOutputs_;
    static constexpr int kActivation = kActivation_;
    static constexpr bool kGated = is_gated(kActivation);
    static constexpr int kHiddenColumns = kGated ? 32 : 64;  ///< of a block of the first product's weight rows
    static constexpr int kRows = kRows_;      ///< token rows of a block: 1, 2, 4, or a multiple of 8
    static constexpr int kTokens = kTokens_;  ///< tokens at most
    /// A warp multiplies kWarpTiles of the four tiles of a slab; kTileWarps warps a whole slab.
    static constexpr int kWarpTiles = kWarpTiles_, kTileWarps = 4 / kWarpTiles;
    /// Warps that share tiles: kSlabTurns take turns at the slabs of a chunk, kChunkTurns at the chunks.
    static constexpr int kSlabTurns = kSlabTurns_, kChunkTurns = kChunkTurns_, kTurns = kSlabTurns * kChunkTurns;
    static_assert(kStages_ % kChunkTurns == 0, "a stage must belong to the same warps each time round");
    static constexpr int kColumnTiles = kRows <= 8 ? 1 : kRows / 8;
    static constexpr int kSets = kColumnTiles * kWarpTiles == 1 ? 2 : 1;  ///< independent sums, to hide the latency
    static constexpr int kMultipliers = kTileWarps * kTurns, kFinishers = 4;
    static_assert(kMultipliers % 4 == 0, "the warps that finish are whole groups of four");
    static constexpr int kThreads = 32 * (kMultipliers + kFinishers + 2);

    typedef StreamRing<kFormat, kRows, kChunk_, kStages_> Ring;
    typedef RingCursor<kStages_> Cursor;
    typedef StreamWork<kUpBlocks, kUpSlabs_ == 0 ? 1 : kUpSlabs_, false> UpWork;
    typedef StreamWork<kDownBlocks, kDownSlabs_ == 0 ? 1 : kDownSlabs_, true> DownWork;

    /// Sums pass from the multiplying to the finishing warps in two buffers: [turn][tile][column tile][g][lanes of g].
    static constexpr int kSumLanes = kRows >= 8 ? 4 : (kRows + 1) / 2;  ///< lanes of four that hold columns in use
    static constexpr int kBufferQuads = kTurns * 4 * kColumnTiles * 8 * kSumLanes;
    static constexpr int kOutputBytes = kDownBlocks == 0 ? 0 : 4 * TILE_ROWS * kTokens * 4;
    static constexpr int kExchangeBytes = 2 * kBufferQuads * 16 + kOutputBytes + 4 * 8;
    typedef StreamRouting<Choice, kTokens, kRows> Routed;
    static constexpr int kSharedBytes = Ring::bytes + kExchangeBytes + Routed::bytes;
    static constexpr int kUpPart = 128 * kColumnTiles, kDownPart = kTokens * TILE_ROWS;
    static constexpr int kPartialFloats = kUpPart > kDownPart ? kUpPart : kDownPart;

    typedef float Sums[kColumnTiles][4];

    const MoeStreamArguments& arguments;
    Ring ring;
    float4* buffers;
    float* outputs;  ///< of a finishing warp: its 16 rows of the output block, [kTokens][16]
    u64* exchange;   ///< barriers: buffers full, buffers empty
    char* routed;    ///< memory of `Routed`
    Routing routing;
    bool isEarly;  ///< routing is known before the previous kernel has ended
    int lane, tile;  ///< that a finishing warp has

    DEVICE MoeStream(const MoeStreamArguments& arguments, char* memory)
        : arguments(arguments), ring{memory}, lane(threadIdx.x % 32), tile(threadIdx.x / 32 % 4) {
        buffers = reinterpret_cast<float4*>(memory + Ring::bytes);
        char* rest = memory + Ring::bytes + 2 * kBufferQuads * 16;
        outputs = reinterpret_cast<float*>(rest) + tile * TILE_ROWS * kTokens;
        exchange = reinterpret_cast<u64*>(rest + kOutputBytes);
        routed = memory + Ring::bytes + kExchangeBytes;
        routing = arguments.routing;
        isEarly = arguments.routingIsEarly;
    }

    DEVICE float4* buffer(u32 index, int turn, int tile) const {
        const int first = (turn * 4 + tile) * kColumnTiles * 8;
        return buffers + index * kBufferQuads + (first + lane / 4) * kSumLanes + lane % 4;
    }

    // --- The warps that copy ---

    typedef WeightStream<Ring, kInFlight, kLead, kMiddle> Weights;

    DEVICE void copy_weights(Weights& stream) const {
        if (!isEarly) wait_for_previous_kernel();
        const u32 blockCount = routing.list->count;
        if (isEarly) stream.wait_for_turn();
        if (kUpBlocks > 0) stream.issue(UpWork(blockCount, gridDim.x), kUpBlocks, arguments.up, routing);
        if (kDownBlocks > 0) stream.issue(DownWork(blockCount, gridDim.x), kDownBlocks, arguments.down, routing);
        stream.end();
    }

    DEVICE void copy_inputs() {
        if (!isEarly) wait_for_previous_kernel();
        const u32 blockCount = routing.list->count;
        StreamState* state = arguments.state;
        Cursor cursor{0, 0};
        if (kUpBlocks > 0)
            stream_inputs<Ring, UpWork, true>(ring, cursor, UpWork(blockCount, gridDim.x), arguments.up, routing,
                                              wait_for_previous_kernel);
        if (kDownBlocks > 0)
            stream_inputs<Ring, DownWork, false>(ring, cursor, DownWork(blockCount, gridDim.x), arguments.down,
                                                 routing, [&] {
                                                     if (kUpBlocks == 0) return wait_for_previous_kernel();
                                                     const u32 units = kUpBlocks * blockCount;
                                                     while (load_acquire(&state->finished) < units) {}
                                                     __syncwarp();
                                                 });
        if (kUpBlocks > 0 && kDownBlocks > 0 && lane == 0 && take_number(&state->left, gridDim.x) == gridDim.x - 1)
            store_release(&state->finished, 0);
    }

    // --- The warps that multiply ---

    typedef float PartialSums[kWarpTiles][kSets][kColumnTiles][4];

    static DEVICE int warp() { return threadIdx.x / 32; }
    static DEVICE int first_tile() { return warp() % kTileWarps * kWarpTiles; }
    static DEVICE int turn() { return warp() / kTileWarps; }

    /// What a lane needs of one slab.
    struct Operands {
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

    /// Adds the products of this warp's slabs of a chunk.
    DEVICE void multiply_chunk(const char* stage, int slabs, PartialSums& sums) const {
        constexpr int share = Ring::chunk / kSlabTurns, step = kSlabTurns;
        const int first = turn() % kSlabTurns;
        const char* tiles = stage + first_tile() * tile_bytes(kFormat) + first * slab_bytes(kFormat);
        const char* columns = stage + Ring::weightBytes + lane / 4 % (kRows < 8 ? kRows : 8) * Ring::pitch +
                              lane % 4 * 32 + first * Ring::columnBytes;
        if (Ring::chunk % kSlabTurns == 0 && slabs == Ring::chunk) {
            auto load = [&](Operands& operands, int i) {
                operands.load(tiles + i * step * slab_bytes(kFormat), columns + i * step * Ring::columnBytes, lane);
            };
            Operands even, odd;
            load(even, 0);
#pragma unroll 2
            for (int i = 0; i < share; i += 2) {
                if (i + 1 < share) load(odd, i + 1);
                even.multiply(sums);
                if (i + 2 < share) load(even, i + 2);
                if (i + 1 < share) odd.multiply(sums);
            }
        } else {
#pragma unroll 1
            for (int slab = first; slab < slabs; slab += step) {
                Operands operands;
                operands.load(tiles, columns, lane);
                operands.multiply(sums);
                tiles += step * slab_bytes(kFormat), columns += step * Ring::columnBytes;
            }
        }
    }

    /// Multiplies a share's slabs and passes the sums on, one set for each stretch of a walk.
    template <class Work>
    DEVICE void multiply_share(const Work& work, Cursor& cursor, u32& chunksUntilTurn, u32& passed) const {
        for (StreamWalk<Work> walk(work, blockIdx.x); walk.remains(); ++passed) {
            const u32 count = walk.ahead(Work::slabs), chunks = (count + Ring::chunk - 1) / Ring::chunk;
            PartialSums sums = {};
            for (; chunksUntilTurn < chunks; chunksUntilTurn += kChunkTurns) {
                barrier_wait(ring.inputsFull(cursor.stage), cursor.parity);
                barrier_wait(ring.weightsFull(cursor.stage), cursor.parity);
                const int slabs = min(Ring::chunk, (int)(count - chunksUntilTurn * Ring::chunk));
                multiply_chunk(ring.stage(cursor.stage), slabs, sums);
                __syncwarp();
                if (lane == 0) barrier_arrive(ring.empty(cursor.stage));
                cursor.advance(kChunkTurns);
            }
            chunksUntilTurn -= chunks;
            walk.advance(count);
            barrier_wait(exchange + 2 + passed % 2, passed / 2 % 2 ^ 1);
            if (lane % 4 < kSumLanes) pass_on(sums, passed % 2);
            __syncwarp();
            if (lane == 0) barrier_arrive(exchange + passed % 2);
        }
    }

    DEVICE void pass_on(const PartialSums& sums, u32 index) const {
#pragma unroll
        for (int m = 0; m < kWarpTiles; ++m) {
            float4* quads = buffer(index, turn(), first_tile() + m);
#pragma unroll
            for (int n = 0; n < kColumnTiles; ++n) {
                float total[4];
#pragma unroll
                for (int i = 0; i < 4; ++i) total[i] = sums[m][0][n][i] + (kSets == 2 ? sums[m][kSets - 1][n][i] : 0);
                quads[n * 8 * kSumLanes] = make_float4(total[0], total[1], total[2], total[3]);
            }
        }
    }

    DEVICE void multiply() const {
        Cursor cursor{(u32)turn() / kSlabTurns, 0};
        u32 chunksUntilTurn = turn() / kSlabTurns, passed = 0;
        if (!isEarly) wait_for_previous_kernel();
        const u32 blockCount = routing.list->count;
        if (kUpBlocks > 0) multiply_share(UpWork(blockCount, gridDim.x), cursor, chunksUntilTurn, passed);
        if (kDownBlocks > 0) multiply_share(DownWork(blockCount, gridDim.x), cursor, chunksUntilTurn, passed);
    }

    // --- The warps that finish sums ---

    /// The sums of the next stretch of the walk.
    DEVICE void receive(Sums& sums, u32& passed) const {
        barrier_wait(exchange + passed % 2, passed / 2 % 2);
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n) {
            sums[n][0] = sums[n][1] = sums[n][2] = sums[n][3] = 0;
            if (lane % 4 < kSumLanes)
#pragma unroll
                for (int from = 0; from < kTurns; ++from) add(sums[n], buffer(passed % 2, from, tile)[n * 8 * kSumLanes]);
        }
        __syncwarp();
        if (lane == 0) barrier_arrive(exchange + 2 + passed % 2);
        ++passed;
    }

    static DEVICE void add(float (&sums)[4], float4 part) {
        sums[0] += part.x, sums[1] += part.y, sums[2] += part.z, sums[3] += part.w;
    }

    // --- Sums that span CTAs ---
    // A part is complete when none of its words is all ones, the NaN that arithmetic never makes: one trip through memory
    // instead of a fence, a flag and two trips. Whoever reads a part restores the ones.

    DEVICE uint4* partial(u32 cta) const {
        return reinterpret_cast<uint4*>(arguments.partials) + (u64)(cta * 4 + tile) * (kPartialFloats / 4);
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
        u32 cta = blockIdx.x + 1;
        while (cta < gridDim.x && work.share(cta) < end) ++cta;
        return cta;
    }

    /// Adds the CTAs' parts of a sum, in their order; several are on their way at once.
    DEVICE void add_parts(float (&sums)[4], u32 index, u32 first, u32 end) const {
        constexpr u32 together = 3;
        for (; first < end; first += together) {
            uint4 words[together];
#pragma unroll
            for (u32 i = 0; i < together; ++i)
                if (first + i < end) words[i] = load_volatile(partial(first + i) + index);
#pragma unroll
            for (u32 i = 0; i < together; ++i)
                if (first + i < end) add(sums, take_part(partial(first + i) + index, words[i]));
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
        factors.block = routing.list->blocks[rowBlock];
        factors.biases[0] = factors.biases[1] = 0;
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n)
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                const u32 row = factors.block.firstRow + min(row_in_block(n, i), factors.block.rowCount - 1);
                factors.weights[n][i] = weighted ? row_weight(routing, row) : 1.0f;
                factors.tokens[n][i] = row_token(routing, row);
            }
    }

    // --- First product: gate and up, activation ---

    DEVICE void finish_up(u32 blockCount, u32& passed) const {
        const UpWork work(blockCount, gridDim.x);
        for (StreamWalk<UpWork> walk(work, blockIdx.x); walk.remains();) {
            const u32 first = walk.first, weightBlock = walk.weightBlock;
            const u32 count = walk.ahead(UpWork::slabs), unitEnd = walk.position - first + UpWork::slabs;
            Factors factors;
            load_up_factors(factors, walk.rowBlock, weightBlock * kHiddenColumns + tile * (kHiddenColumns / 4) + lane / 4);
            walk.advance(count);
            // The part that follows is the next CTA's first: it is there long before this one's last sums.
            const bool continues = first == 0 && count < UpWork::slabs;
            uint4 early[kColumnTiles];
#pragma unroll
            for (int n = 0; n < kColumnTiles; ++n)
                if (continues) early[n] = load_volatile(partial(blockIdx.x + 1) + n * 32 + lane);
            Sums sums;
            receive(sums, passed);
            if (first > 0) {
                uint4* part = partial(blockIdx.x) + lane;
#pragma unroll
                for (int n = 0; n < kColumnTiles; ++n)
                    store_part(part + n * 32, make_float4(sums[n][0], sums[n][1], sums[n][2], sums[n][3]));
                continue;
            }
            if (continues) {
                const u32 end = end_of_parts(work, unitEnd);
#pragma unroll
                for (int n = 0; n < kColumnTiles; ++n) {
                    add(sums[n], take_part(partial(blockIdx.x + 1) + n * 32 + lane, early[n]));
                    add_parts(sums[n], n * 32 + lane, blockIdx.x + 2, end);
                }
            }
            store_hidden(weightBlock, factors, sums);
        }
    }

    DEVICE void load_up_factors(Factors& factors, u32 rowBlock, u32 column) const {
        load_block(factors, rowBlock, arguments.weightsRowsOnInput);
        const u32 expert = factors.block.expert, pitch = arguments.down.inputPitch;
        const float2 scale = arguments.upScales ? arguments.upScales[expert] : make_float2(1, 1);
        factors.scales[0] = scale.x * accumulator_factor(kFormat);
        factors.scales[1] = scale.y * accumulator_factor(kFormat);
        if (arguments.upBiases)
#pragma unroll
            for (int half = 0; half < 2; ++half) {
                const u32 index = kGated ? half * pitch + column : column + 8 * half;
                factors.biases[half] = bf16_value(arguments.upBiases[(u64)expert * 2 * pitch + index]);
            }
    }

    DEVICE void store_hidden(u32 weightBlock, const Factors& factors, const Sums& sums) const {
        u16* column = arguments.hidden + weightBlock * kHiddenColumns + tile * (kHiddenColumns / 4);
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n)
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                const u32 row = row_in_block(n, i);
                const float weight = factors.weights[n][i];
                const float first = sums[n][i] * (weight * factors.scales[0]) + factors.biases[0];
                const float second = sums[n][2 + i] * (weight * factors.scales[1]) + factors.biases[1];
                uint4 pieces[kGated ? 1 : 2];
                if (kGated) {
                    pieces[0] = collect_row(gated<kActivation>(first, second, arguments.constants));
                } else {
                    pieces[0] = collect_row(ungated(first));
                    pieces[kGated ? 0 : 1] = collect_row(ungated(second));
                }
                if (lane >= 4 || row >= factors.block.rowCount) continue;
                u16* out = column + (u64)(factors.block.firstRow + row) * arguments.down.inputPitch;
#pragma unroll
                for (int piece = 0; piece < (kGated ? 1 : 2); ++piece) reinterpret_cast<uint4*>(out)[piece] = pieces[piece];
            }
        if (kDownBlocks == 0) return;
        // One of the four warps tells: each telling waits until all stores before it have arrived.
        barrier_named<1, 32 * kFinishers>();
        if (tile == 0 && lane == 0) add_release(&arguments.state->finished, 1);
    }

    /// Eight columns of a row, which eight lanes hold, as BF16 in the first of these lanes.
    static DEVICE uint4 collect_row(float value) {
        const u32 pair = pack_bf16x2(value, __shfl_down_sync(~0u, value, 4));
        return make_uint4(pair, __shfl_down_sync(~0u, pair, 8), __shfl_down_sync(~0u, pair, 16),
                          __shfl_down_sync(~0u, pair, 24));
    }

    // --- Second product: down, router weights, residual ---

    DEVICE void finish_down(u32 blockCount, u32& passed) const {
        const DownWork work(blockCount, gridDim.x);
        const u32 begin = work.share(blockIdx.x);
        clear_outputs();
        for (StreamWalk<DownWork> walk(work, blockIdx.x); walk.remains();) {
            const u32 weightBlock = walk.weightBlock, count = walk.ahead(DownWork::slabs);
            const u32 unit = weightBlock * work.unitSlabs(), unitEnd = unit + work.unitSlabs();
            Factors factors;
            load_down_factors(factors, walk.rowBlock, weightBlock, walk.first == 0);
            walk.advance(count);
            Sums sums;
            receive(sums, passed);
            add_outputs(factors, sums);
            if (walk.position < unitEnd && walk.remains()) continue;
            if (begin > unit) {
                store_partial_outputs();
            } else {
                if (walk.position < unitEnd) add_partial_outputs(end_of_parts(work, unitEnd));
                store_outputs(weightBlock);
            }
            clear_outputs();
        }
    }

    DEVICE void load_down_factors(Factors& factors, u32 rowBlock, u32 weightBlock, bool biased) const {
        load_block(factors, rowBlock, !arguments.weightsRowsOnInput);
        const u32 expert = factors.block.expert, row = weightBlock * SLAB_ROWS + tile * TILE_ROWS + lane / 4;
        const float scale = accumulator_factor(kFormat) * (arguments.downScales ? arguments.downScales[expert] : 1.0f);
#pragma unroll
        for (int half = 0; half < 2; ++half)
            factors.scales[half] =
                kFormat == FP8 && arguments.rowScales && row + 8 * half < kOutputs ? scale * arguments.rowScales[row + 8 * half] : scale;
        if (arguments.downBiases && biased)
#pragma unroll
            for (int half = 0; half < 2; ++half)
                if (row + 8 * half < kOutputs)
                    factors.biases[half] = bf16_value(arguments.downBiases[(u64)expert * kOutputs + row + 8 * half]);
    }

    DEVICE void add_outputs(const Factors& factors, const Sums& sums) const {
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n)
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                if (row_in_block(n, i) >= factors.block.rowCount) continue;
                float* output = outputs + factors.tokens[n][i] * TILE_ROWS + lane / 4;
                output[0] += factors.weights[n][i] * (sums[n][i] * factors.scales[0] + factors.biases[0]);
                output[8] += factors.weights[n][i] * (sums[n][2 + i] * factors.scales[1] + factors.biases[1]);
            }
        __syncwarp();
    }

    DEVICE u32 output_quads() const { return arguments.tokenCount * (TILE_ROWS / 4); }

    DEVICE void clear_outputs() const {
        for (u32 i = lane; i < output_quads(); i += 32) reinterpret_cast<float4*>(outputs)[i] = make_float4(0, 0, 0, 0);
        __syncwarp();
    }

    DEVICE void store_partial_outputs() const {
        uint4* part = partial(blockIdx.x);
        for (u32 i = lane; i < output_quads(); i += 32) store_part(part + i, reinterpret_cast<const float4*>(outputs)[i]);
        __syncwarp();
    }

    DEVICE void add_partial_outputs(u32 end) const {
        for (u32 i = lane; i < output_quads(); i += 32) {
            float4& quad = reinterpret_cast<float4*>(outputs)[i];
            float sums[4] = {quad.x, quad.y, quad.z, quad.w};
            add_parts(sums, i, blockIdx.x + 1, end);
            quad = make_float4(sums[0], sums[1], sums[2], sums[3]);
        }
        __syncwarp();
    }

    DEVICE void store_outputs(u32 weightBlock) const {
        for (u32 i = lane; i < arguments.tokenCount * (TILE_ROWS / 2); i += 32) {
            const u32 token = i / (TILE_ROWS / 2), pair = i % (TILE_ROWS / 2) * 2;
            const u32 column = weightBlock * SLAB_ROWS + tile * TILE_ROWS + pair;
            if (column >= kOutputs) continue;
            float2 value = *reinterpret_cast<const float2*>(outputs + token * TILE_ROWS + pair);
            const u64 index = (u64)token * kOutputs + column;
            if (arguments.residual) {
                const u32 residual = *reinterpret_cast<const u32*>(arguments.residual + index);
                value.x += bf16_value((u16)residual), value.y += bf16_value((u16)(residual >> 16));
            }
            *reinterpret_cast<u32*>(arguments.output + index) = pack_bf16x2(value.x, value.y);
        }
        __syncwarp();
    }

    DEVICE void finish() const {
        u32 passed = 0;
        wait_for_previous_kernel();
        const u32 blockCount = routing.list->count;
        if (kUpBlocks > 0) finish_up(blockCount, passed);
        if (kDownBlocks > 0) finish_down(blockCount, passed);
    }

    /// Routes the tokens if that is left to this launch.
    DEVICE void route() {
        if (!arguments.logits) return;
        const Routed routes(routed);
        routes.route(arguments.logits, arguments.routerBiases, arguments.routerFactor, arguments.tokenCount);
        routing = {routes.list, routes.rows.tokens, routes.rows.weights};
    }

    DEVICE void run() {
        const u32 warp = threadIdx.x / 32;
        Weights weights{ring, arguments.state};
        const bool copies = threadIdx.x == 32 * (kMultipliers + kFinishers);
        if (threadIdx.x == 0) {
            for (int i = 0; i < 2; ++i)
                barrier_init(exchange + i, kMultipliers), barrier_init(exchange + 2 + i, kFinishers);
            ring.init(kTileWarps * kSlabTurns);
        }
        if constexpr (Routed::bytes > 0) Routed(routed).choices.clear();
        __syncthreads();
        if (copies) weights.begin();
        __syncwarp();
        if constexpr (Routed::bytes > 0) route();
        if (warp < kMultipliers) {
            multiply();
        } else if (warp < kMultipliers + kFinishers) {
            finish();
        } else if (warp > kMultipliers + kFinishers) {
            copy_inputs();
        } else if (copies) {
            copy_weights(weights);
        }
    }
};

/// The body of the kernel. The host writes the instantiation: an extern "C" __global__ function with
/// __launch_bounds__(Stream::kThreads, CTAs an SM) and Stream::kSharedBytes of dynamic shared memory.
template <class Stream>
DEVICE void moe_stream(const MoeStreamArguments& arguments) {
    extern __shared__ __align__(128) char memory[];
    Stream(arguments, memory).run();
}

// The experts of an MoE layer for few tokens an expert (1 to about 40), and any linear layer for few tokens.
//
//   hidden[r, :] = activation(gate · x[token(r)], up · x[token(r)])      x [T, H] BF16, gate and up [E, I, H]
//   y[t, :]      = residual[t, :] + Σ weight(r) · (down · hidden[r, :])  down [E, H, I]; over the rows r of token t
//
// Data flow   weights: global → shared, bulk copies into a ring filled by one thread → registers → BF16 → mma.sync,
//             weights as the 16-row operand, 8 tokens a product, FP32 sums; activations: global → shared beside their
//             weights, by one warp that alone waits for what wrote them.
//             Sums over the contracted dimension: registers, then shared memory among warps, then global memory among CTAs
//             (fixed order, so results repeat bit for bit).
// Bytes       0.5625 (NVFP4) or 0.53125 (MXFP4) a weight of the experts hit, once; bound by bandwidth.
// One launch  does both products: while the last CTAs finish the first, the ring of every CTA fills with weights of the
//             second. All CTAs must therefore be resident at once: the grid is SMs x CTAs an SM.
// Source      weight layout and arithmetic: common/tiles.cuh; division of work: common/stream.cuh.
#include "../common/activation.cuh"
#include "../common/stream.cuh"
#ifdef STREAM_TRACE
DEVICE u64 nanoseconds() { u64 t; asm volatile("mov.u64 %0, %globaltimer;" : "=l"(t)); return t; }
#define TRACE(i) if (threadIdx.x % 32 == 0 && (threadIdx.x < 32 || threadIdx.x >= 32 * kConsumers)) arguments.trace[blockIdx.x * 16 + i] = nanoseconds()
#define TRACE_FIRST() if (threadIdx.x == 0 && traced < 1) ++traced, arguments.trace[blockIdx.x * 16 + 6] = nanoseconds()
#else
#define TRACE(i)
#define TRACE_FIRST()
#endif

struct MoeStreamArguments {
    Routing routing;
    StreamOperands up;    ///< gate and up rows in turns of 8; inputs are the layer's, [T, ..]
    StreamOperands down;  ///< inputs are `hidden`
    u16* hidden;          ///< BF16 [rows, down.inputPitch]; columns beyond the first product's stay zero
    u16* output;          ///< BF16 [T, kOutputs]
    const u16* residual;  ///< the same shape, or null
    const float2* upScales;   ///< [E], global scales of gate and up; null: 1
    const float* downScales;  ///< [E]; null: 1
    const u16* upBiases;      ///< BF16 [E, 2, down.inputPitch], gate then up, or null
    const u16* downBiases;    ///< BF16 [E, kOutputs], or null
    ActivationConstants constants;
    float* partials;  ///< [CTAs][4][partialFloats], parts of sums that another CTA completes
    u32* flags;       ///< [CTAs][4] flags, then 2 counters; zero before the first launch, and again after each
    u32 tokenCount;
    u32 routingIsEarly;      ///< routing was complete before the previous kernel began
    u32 trigger;
    unsigned long long* trace;
    u32 weightsRowsOnInput;  ///< the router weight multiplies the first product's sums, not the second's (Llama 4)
};

/// kUpBlocks, kDownBlocks: blocks of 64 weight rows; 0 leaves that product out. kUpSlabs, kDownSlabs: slabs of 64 columns.
template <int kFormat_, int kUpBlocks_, int kUpSlabs_, int kDownBlocks_, int kDownSlabs_, int kOutputs_, int kActivation_,
          int kRows_, int kTokens_, int kChunk_, int kStages_, int kWarpsAlong_>
struct MoeStream {
    static constexpr int kFormat = kFormat_, kUpBlocks = kUpBlocks_, kDownBlocks = kDownBlocks_, kOutputs = kOutputs_;
    static constexpr int kActivation = kActivation_;
    static constexpr int kRows = kRows_;              ///< token rows of a block: 1, 2, 4, or a multiple of 8
    static constexpr int kTokens = kTokens_;          ///< tokens at most
    static constexpr int kWarpsAlong = kWarpsAlong_;  ///< warps that share the slabs of 16 weight rows
    static constexpr int kColumnTiles = kRows <= 8 ? 1 : kRows / 8;
    static constexpr int kSets = kColumnTiles == 1 ? 2 : 1;  ///< independent sums, to hide the product's latency
    static constexpr int kConsumers = 4 * kWarpsAlong;
    static constexpr int kThreads = 32 * (kConsumers + 2);

    typedef StreamRing<kFormat, kRows, kChunk_, kStages_> Ring;
    typedef RingCursor<kStages_> Cursor;
    typedef StreamWork<kUpBlocks, kUpSlabs_ == 0 ? 1 : kUpSlabs_, false> UpWork;
    typedef StreamWork<kDownBlocks, kDownSlabs_ == 0 ? 1 : kDownSlabs_, true> DownWork;

    static constexpr int kSumBytes = 32 * 16 * kColumnTiles;  ///< the sums of one warp
    static constexpr int kExchangeBytes = 2 * (kWarpsAlong - 1) * 4 * kSumBytes;
    static constexpr int kOutputBytes = kDownBlocks == 0 ? 0 : 4 * TILE_ROWS * kTokens * 4;
    static constexpr int kSharedBytes = Ring::bytes + kExchangeBytes + kOutputBytes;
    static constexpr int kPartialFloats = kTokens * TILE_ROWS > 128 * kColumnTiles ? kTokens * TILE_ROWS : 128 * kColumnTiles;

    typedef float Sums[kColumnTiles][4];

    const MoeStreamArguments& arguments;
    Ring ring;
    Cursor cursor;
    float4* exchange;
    float* outputs;  ///< this warp's 16 rows of the output block, [kTokens][16]
    int lane, tile, along;
    u32 turn;
    u32 traced = 0;

    DEVICE MoeStream(const MoeStreamArguments& arguments, char* memory)
        : arguments(arguments), ring{memory}, lane(threadIdx.x % 32), tile(threadIdx.x / 32 % 4),
          along(threadIdx.x / 128), turn(0) {
        exchange = reinterpret_cast<float4*>(memory + Ring::bytes);
        outputs = reinterpret_cast<float*>(memory + Ring::bytes + kExchangeBytes) + tile * TILE_ROWS * kTokens;
    }

    // --- The warps that copy ---

    DEVICE void copy_weights() {
        if (!arguments.routingIsEarly) wait_for_previous_kernel();
        if (arguments.trigger == 2) launch_next_kernel();
        const u32 blockCount = arguments.routing.list->count;
        TRACE(0);
        if (kUpBlocks > 0)
            stream_weights(ring, cursor, UpWork(blockCount, gridDim.x), kUpBlocks, arguments.up, arguments.routing);
        TRACE(1);
        if (arguments.trigger == 1) launch_next_kernel();
        if (kDownBlocks > 0)
            stream_weights(ring, cursor, DownWork(blockCount, gridDim.x), kDownBlocks, arguments.down, arguments.routing);
        TRACE(2);
        launch_next_kernel();
    }

    DEVICE void copy_inputs() {
        wait_for_previous_kernel();
        TRACE(3);
        const u32 blockCount = arguments.routing.list->count;
        u32* finished = arguments.flags + 4 * gridDim.x;
        if (kUpBlocks > 0)
            stream_inputs<Ring, UpWork, true>(ring, cursor, UpWork(blockCount, gridDim.x), arguments.up, arguments.routing);
        TRACE(4);
        if (kUpBlocks > 0 && kDownBlocks > 0) {
            while (load_acquire(finished) != 4u * kUpBlocks * blockCount) {}
            __syncwarp();
        }
        TRACE(5);
        if (kDownBlocks > 0)
            stream_inputs<Ring, DownWork, false>(ring, cursor, DownWork(blockCount, gridDim.x), arguments.down,
                                                 arguments.routing);
        if (kUpBlocks > 0 && kDownBlocks > 0 && lane == 0 && take_ticket(finished + 1, gridDim.x) == gridDim.x - 1)
            store_release(finished, 0);
    }

    // --- The warps that multiply ---

    typedef float PartialSums[kSets][kColumnTiles][4];

    /// Adds the products of 16 weight rows of one slab. `inputs`: this lane's first row and columns.
    DEVICE void multiply(const char* tile, const char* inputs, PartialSums& sums) const {
        TileFragments<kFormat> fragments;
        fragments.load(tile, lane);
        uint4 low[kColumnTiles], high[kColumnTiles];
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n) {
            low[n] = *reinterpret_cast<const uint4*>(inputs + n * 8 * Ring::pitch);
            high[n] = *reinterpret_cast<const uint4*>(inputs + n * 8 * Ring::pitch + 64);
        }
        u32 a[4];
        fragments.template fragment<0>(a);
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n) mma_16x8x16(sums[0][n], a, low[n].x, low[n].y);
        fragments.template fragment<1>(a);
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n) mma_16x8x16(sums[kSets - 1][n], a, low[n].z, low[n].w);
        fragments.template fragment<2>(a);
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n) mma_16x8x16(sums[0][n], a, high[n].x, high[n].y);
        fragments.template fragment<3>(a);
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n) mma_16x8x16(sums[kSets - 1][n], a, high[n].z, high[n].w);
    }

    /// The same for this warp's slabs of a chunk.
    DEVICE void multiply_chunk(const char* stage, int slabs, PartialSums& sums) const {
        constexpr int share = Ring::chunk / kWarpsAlong, step = kWarpsAlong;
        const char* tiles = stage + tile * tile_bytes(kFormat) + along * slab_bytes(kFormat);
        const char* inputs = stage + Ring::weightBytes + lane / 4 % (kRows < 8 ? kRows : 8) * Ring::pitch +
                             lane % 4 * 16 + along * Ring::columnBytes;
        if (Ring::chunk % kWarpsAlong == 0 && slabs == Ring::chunk) {
#pragma unroll
            for (int i = 0; i < share; ++i)
                multiply(tiles + i * step * slab_bytes(kFormat), inputs + i * step * Ring::columnBytes, sums);
        } else {
#pragma unroll 1
            for (int slab = along; slab < slabs; slab += step) {
                multiply(tiles, inputs, sums);
                tiles += step * slab_bytes(kFormat), inputs += step * Ring::columnBytes;
            }
        }
    }

    /// The sums of the next `count` slabs, complete in the first four warps; false in the others.
    DEVICE bool sum(u32 count, Sums& total) {
        PartialSums sums = {};
        for (u32 slab = 0; slab < count; slab += Ring::chunk) {
            barrier_wait(ring.full(cursor.stage), cursor.parity);
            TRACE_FIRST();
#ifndef STREAM_NOMATH
            multiply_chunk(ring.stage(cursor.stage), min((u32)Ring::chunk, count - slab), sums);
#endif
            __syncwarp();
            if (lane == 0) barrier_arrive(ring.empty(cursor.stage));
            cursor.advance();
        }
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) total[n][i] = kSets == 2 ? sums[0][n][i] + sums[1][n][i] : sums[0][n][i];
        if (kWarpsAlong == 1) return true;

        float4* slots = exchange + (turn & 1) * (kWarpsAlong - 1) * 4 * 32 * kColumnTiles + lane;
        ++turn;
        if (along > 0)
#pragma unroll
            for (int n = 0; n < kColumnTiles; ++n)
                slots[(((along - 1) * 4 + tile) * kColumnTiles + n) * 32] =
                    make_float4(total[n][0], total[n][1], total[n][2], total[n][3]);
        named_barrier_sync(1, 32 * kConsumers);
        if (along > 0) return false;
        for (int other = 0; other < kWarpsAlong - 1; ++other)
#pragma unroll
            for (int n = 0; n < kColumnTiles; ++n)
                add(total[n], slots[((other * 4 + tile) * kColumnTiles + n) * 32]);
        return true;
    }

    static DEVICE void add(float (&sums)[4], float4 part) {
        sums[0] += part.x, sums[1] += part.y, sums[2] += part.z, sums[3] += part.w;
    }

    // --- Sums that span CTAs ---

    DEVICE float* partial(u32 cta) const { return arguments.partials + (u64)(cta * 4 + tile) * kPartialFloats; }

    DEVICE void publish_partial() const {
        __syncwarp();
        if (lane == 0) store_release(arguments.flags + blockIdx.x * 4 + tile, 1);
    }

    /// Calls `body` with the parts of a unit that ends at `end`, in order, as they become complete.
    template <class Work, class Body>
    DEVICE void each_partial(const Work& work, u32 end, Body body) const {
        for (u32 cta = blockIdx.x + 1; cta < gridDim.x && work.share(cta) < end; ++cta) {
            if (work.share(cta) == work.share(cta + 1)) continue;
            u32* flag = arguments.flags + cta * 4 + tile;
            while (load_acquire(flag) == 0) {}
            __syncwarp();
            body(reinterpret_cast<const float4*>(partial(cta)));
            if (lane == 0) *flag = 0;
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
        factors.block = arguments.routing.list->blocks[rowBlock];
        factors.biases[0] = factors.biases[1] = 0;
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n)
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                const u32 row = factors.block.firstRow + min(row_in_block(n, i), factors.block.rowCount - 1);
                factors.weights[n][i] = weighted ? row_weight(arguments.routing, row) : 1.0f;
                factors.tokens[n][i] = row_token(arguments.routing, row);
            }
    }

    // --- First product: gate and up, activation ---

    DEVICE void consume_up(u32 blockCount) {
        const UpWork work(blockCount, gridDim.x);
        for (StreamWalk<UpWork> walk(work, blockIdx.x); walk.remains();) {
            const u32 first = walk.first, column = walk.weightBlock * 32 + tile * 8 + lane / 4;
            const u32 count = walk.ahead(UpWork::slabs), unitEnd = walk.position - first + UpWork::slabs;
            Factors factors;
            if (along == 0) load_up_factors(factors, walk.rowBlock, column);
            walk.advance(count);
            Sums sums;
            if (!sum(count, sums)) continue;
            if (first > 0) {
                float4* part = reinterpret_cast<float4*>(partial(blockIdx.x)) + lane;
#pragma unroll
                for (int n = 0; n < kColumnTiles; ++n)
                    part[n * 32] = make_float4(sums[n][0], sums[n][1], sums[n][2], sums[n][3]);
                publish_partial();
                continue;
            }
            if (count < UpWork::slabs)
                each_partial(work, unitEnd, [&](const float4* part) {
#pragma unroll
                    for (int n = 0; n < kColumnTiles; ++n) add(sums[n], __ldcg(part + n * 32 + lane));
                });
            store_hidden(column, factors, sums);
        }
    }

    DEVICE void load_up_factors(Factors& factors, u32 rowBlock, u32 column) const {
        load_block(factors, rowBlock, arguments.weightsRowsOnInput);
        const u32 expert = factors.block.expert, pitch = arguments.down.inputPitch;
        const float2 scale = arguments.upScales ? arguments.upScales[expert] : make_float2(1, 1);
        factors.scales[0] = scale.x * accumulator_factor(kFormat), factors.scales[1] = scale.y * accumulator_factor(kFormat);
        if (arguments.upBiases)
#pragma unroll
            for (int half = 0; half < 2; ++half)
                factors.biases[half] = bf16_value(arguments.upBiases[((u64)expert * 2 + half) * pitch + column]);
    }

    DEVICE void store_hidden(u32 column, const Factors& factors, const Sums& sums) const {
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n)
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                if (row_in_block(n, i) >= factors.block.rowCount) continue;
                const float weight = factors.weights[n][i];
                const float gate = sums[n][i] * (weight * factors.scales[0]) + factors.biases[0];
                const float up = sums[n][2 + i] * (weight * factors.scales[1]) + factors.biases[1];
                arguments.hidden[(u64)(factors.block.firstRow + row_in_block(n, i)) * arguments.down.inputPitch + column] =
                    bf16_bits(gated<kActivation>(gate, up, arguments.constants));
            }
        if (kDownBlocks == 0) return;
        __syncwarp();
        if (lane == 0) add_release(arguments.flags + 4 * gridDim.x, 1);
    }

    // --- Second product: down, router weights, residual ---

    DEVICE void consume_down(u32 blockCount) {
        const DownWork work(blockCount, gridDim.x);
        const u32 begin = work.share(blockIdx.x);
        if (along == 0) clear_outputs();
        for (StreamWalk<DownWork> walk(work, blockIdx.x); walk.remains();) {
            const u32 weightBlock = walk.weightBlock, count = walk.ahead(DownWork::slabs);
            const u32 unit = weightBlock * work.unitSlabs(), unitEnd = unit + work.unitSlabs();
            Factors factors;
            if (along == 0) load_down_factors(factors, walk.rowBlock, weightBlock, walk.first == 0);
            walk.advance(count);
            Sums sums;
            if (!sum(count, sums)) continue;
            add_outputs(factors, sums);
            if (walk.position < unitEnd && walk.remains()) continue;
            if (begin > unit) {
                store_partial_outputs();
            } else {
                if (walk.position < unitEnd)
                    each_partial(work, unitEnd, [&](const float4* part) { add_partial_outputs(part); });
                store_outputs(weightBlock);
            }
            clear_outputs();
        }
    }

    DEVICE void load_down_factors(Factors& factors, u32 rowBlock, u32 weightBlock, bool biased) const {
        load_block(factors, rowBlock, !arguments.weightsRowsOnInput);
        const u32 expert = factors.block.expert, row = weightBlock * SLAB_ROWS + tile * TILE_ROWS + lane / 4;
        factors.scales[0] = accumulator_factor(kFormat) * (arguments.downScales ? arguments.downScales[expert] : 1.0f);
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
                output[8] += factors.weights[n][i] * (sums[n][2 + i] * factors.scales[0] + factors.biases[1]);
            }
        __syncwarp();
    }

    DEVICE u32 output_quads() const { return arguments.tokenCount * (TILE_ROWS / 4); }

    DEVICE void clear_outputs() const {
        for (u32 i = lane; i < output_quads(); i += 32) reinterpret_cast<float4*>(outputs)[i] = make_float4(0, 0, 0, 0);
        __syncwarp();
    }

    DEVICE void store_partial_outputs() const {
        float4* part = reinterpret_cast<float4*>(partial(blockIdx.x));
        for (u32 i = lane; i < output_quads(); i += 32) part[i] = reinterpret_cast<const float4*>(outputs)[i];
        publish_partial();
    }

    DEVICE void add_partial_outputs(const float4* part) const {
        for (u32 i = lane; i < output_quads(); i += 32) {
            float4& quad = reinterpret_cast<float4*>(outputs)[i];
            const float4 other = __ldcg(part + i);
            quad = make_float4(quad.x + other.x, quad.y + other.y, quad.z + other.z, quad.w + other.w);
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

    DEVICE void run() {
        if (threadIdx.x == 0) ring.init(kConsumers);
        __syncthreads();
        if (threadIdx.x == 32 * kConsumers) {
            copy_weights();
        } else if (threadIdx.x >= 32 * (kConsumers + 1)) {
            copy_inputs();
        } else if (threadIdx.x < 32 * kConsumers) {
            wait_for_previous_kernel();
            const u32 blockCount = arguments.routing.list->count;
            if (kUpBlocks > 0) consume_up(blockCount);
            TRACE(7);
            if (kDownBlocks > 0) consume_down(blockCount);
            TRACE(8);
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

// The experts of an MoE layer for few tokens an expert (1 to about 40), and any linear layer for few tokens.
//
//   hidden[r, :] = activation(gate · x[token(r)], up · x[token(r)])      x [T, H] BF16, gate and up [E, I, H]
//   y[t, :]      = residual[t, :] + Σ weight(r) · (down · hidden[r, :])  down [E, H, I]; over the rows r of token t
//
// Data flow   weights: global → shared, bulk copies into a ring filled by one warp → registers → BF16 → mma.sync, weights
//             as the 16-row operand, 8 tokens a product, FP32 sums; activations: the same way, beside their weights.
//             Sums over the contracted dimension: registers, then shared memory among warps, then global memory among CTAs
//             (fixed order, so results repeat bit for bit).
// Bytes       0.5625 (NVFP4) or 0.53125 (MXFP4) a weight of the experts hit, once; bound by bandwidth.
// One launch  does both products: while the last CTAs finish the first, the ring of every CTA fills with weights of the
//             second. All CTAs must therefore be resident at once: the grid is SMs x CTAs an SM.
// Source      weight layout and arithmetic: common/tiles.cuh; division of work: common/stream.cuh.
#include "../common/activation.cuh"
#include "../common/stream.cuh"

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
    static constexpr int kThreads = 32 * (kConsumers + 1);

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
    u32 blockCount;

    DEVICE MoeStream(const MoeStreamArguments& arguments, char* memory)
        : arguments(arguments), ring{memory}, lane(threadIdx.x % 32), tile(threadIdx.x / 32 % 4),
          along(threadIdx.x / 128), turn(0) {
        exchange = reinterpret_cast<float4*>(memory + Ring::bytes);
        outputs = reinterpret_cast<float*>(memory + Ring::bytes + kExchangeBytes) + tile * TILE_ROWS * kTokens;
    }

    // --- The warp that copies ---

    DEVICE void produce() {
        const u32 cta = blockIdx.x, ctas = gridDim.x;
        bool waited = false;
        auto previousKernel = [&] {
            if (!waited) wait_for_previous_kernel();
            waited = true;
        };
        if (!arguments.routingIsEarly) previousKernel();
        blockCount = *arguments.routing.blockCount;
        u32* finished = arguments.flags + 4 * ctas;
        if (kUpBlocks > 0) {
            const UpWork work{blockCount};
            stream_in<Ring, UpWork, true>(ring, cursor, work, kUpBlocks, work.share(cta, ctas), work.share(cta + 1, ctas),
                                          arguments.up, arguments.routing, previousKernel);
        }
        if (kDownBlocks > 0) {
            const DownWork work{blockCount};
            stream_in<Ring, DownWork, false>(
                ring, cursor, work, kDownBlocks, work.share(cta, ctas), work.share(cta + 1, ctas), arguments.down,
                arguments.routing, [&] {
                    previousKernel();
                    if (kUpBlocks > 0) {
                        while (load_acquire(finished) != 4u * kUpBlocks * blockCount) {}
                        fence_async_proxy();
                    }
                });
        }
        launch_next_kernel();
        if (kUpBlocks > 0 && kDownBlocks > 0 && lane == 0 && take_ticket(finished + 1, ctas) == ctas - 1)
            store_release(finished, 0);
    }

    // --- The warps that multiply ---

    /// Adds the products of this warp's share of a chunk.
    DEVICE void multiply(const char* stage, int slabs, float (&sums)[kSets][kColumnTiles][4]) const {
        const int row = lane / 4 % (kRows < 8 ? kRows : 8);
        const char* weights = stage + tile * tile_bytes(kFormat);
        const char* inputs = stage + Ring::weightBytes + row * Ring::pitch + lane % 4 * 16;
#pragma unroll 2
        for (int slab = along; slab < slabs; slab += kWarpsAlong) {
            TileFragments<kFormat> fragments;
            fragments.load(weights + slab * slab_bytes(kFormat), lane);
            uint4 low[kColumnTiles], high[kColumnTiles];
#pragma unroll
            for (int n = 0; n < kColumnTiles; ++n) {
                const char* columns = inputs + n * 8 * Ring::pitch + slab * Ring::columnBytes;
                low[n] = *reinterpret_cast<const uint4*>(columns);
                high[n] = *reinterpret_cast<const uint4*>(columns + 64);
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
    }

    /// The sums of a span, complete in the first four warps; false in the others.
    DEVICE bool sum(const Span& span, Sums& total) {
        float sums[kSets][kColumnTiles][4] = {};
        for (u32 first = span.first; first < span.last; first += Ring::chunk) {
            barrier_wait(ring.full(cursor.stage), cursor.parity);
            multiply(ring.stage(cursor.stage), min((u32)Ring::chunk, span.last - first), sums);
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
        for (u32 cta = blockIdx.x + 1; cta < gridDim.x && work.share(cta, gridDim.x) < end; ++cta) {
            if (work.share(cta, gridDim.x) == work.share(cta + 1, gridDim.x)) continue;
            u32* flag = arguments.flags + cta * 4 + tile;
            while (load_acquire(flag) == 0) {}
            __syncwarp();
            body(reinterpret_cast<const float4*>(partial(cta)));
            if (lane == 0) *flag = 0;
        }
    }

    // --- First product: gate and up, activation ---

    DEVICE void consume_up() {
        const UpWork work{blockCount};
        const u32 end = work.share(blockIdx.x + 1, gridDim.x);
        for (u32 position = work.share(blockIdx.x, gridDim.x); position < end;) {
            const Span span = span_at(work, position, end);
            position += span.count();
            Sums sums;
            if (!sum(span, sums)) continue;
            if (span.first > 0) {
                float4* part = reinterpret_cast<float4*>(partial(blockIdx.x)) + lane;
#pragma unroll
                for (int n = 0; n < kColumnTiles; ++n)
                    part[n * 32] = make_float4(sums[n][0], sums[n][1], sums[n][2], sums[n][3]);
                publish_partial();
                continue;
            }
            if (span.last < UpWork::slabs)
                each_partial(work, position - span.last + UpWork::slabs, [&](const float4* part) {
#pragma unroll
                    for (int n = 0; n < kColumnTiles; ++n) add(sums[n], __ldcg(part + n * 32 + lane));
                });
            store_hidden(span, sums);
        }
    }

    DEVICE void store_hidden(const Span& span, const Sums& sums) const {
        const RowBlock block = arguments.routing.blocks[span.rowBlock];
        const u32 pitch = arguments.down.inputPitch, column = span.weightBlock * 32 + tile * 8 + lane / 4;
        const float2 scale = arguments.upScales ? arguments.upScales[block.expert] : make_float2(1, 1);
        float gateBias = 0, upBias = 0;
        if (arguments.upBiases) {
            const u16* biases = arguments.upBiases + (u64)block.expert * 2 * pitch + column;
            gateBias = bf16_value(biases[0]), upBias = bf16_value(biases[pitch]);
        }
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n)
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                const u32 row = n * 8 + lane % 4 * 2 + i;
                if (row >= block.rowCount) continue;
                float factor = accumulator_factor(kFormat);
                if (arguments.weightsRowsOnInput) factor *= row_weight(arguments.routing, block.firstRow + row);
                const float gate = sums[n][i] * (factor * scale.x) + gateBias;
                const float up = sums[n][2 + i] * (factor * scale.y) + upBias;
                arguments.hidden[(u64)(block.firstRow + row) * pitch + column] =
                    bf16_bits(gated<kActivation>(gate, up, arguments.constants));
            }
        if (kDownBlocks == 0) return;
        __syncwarp();
        if (lane == 0) {
            fence_async_proxy();
            __threadfence();
            add_release(arguments.flags + 4 * gridDim.x, 1);
        }
    }

    // --- Second product: down, router weights, residual ---

    DEVICE void consume_down() {
        const DownWork work{blockCount};
        const u32 begin = work.share(blockIdx.x, gridDim.x), end = work.share(blockIdx.x + 1, gridDim.x);
        if (along == 0) clear_outputs();
        for (u32 position = begin; position < end;) {
            const Span span = span_at(work, position, end);
            const u32 unit = span.weightBlock * work.unitSlabs(), unitEnd = unit + work.unitSlabs();
            position += span.count();
            Sums sums;
            if (!sum(span, sums)) continue;
            add_outputs(span, sums);
            if (position < unitEnd && position < end) continue;
            if (begin > unit) {
                store_partial_outputs();
            } else {
                if (position < unitEnd) each_partial(work, unitEnd, [&](const float4* part) { add_partial_outputs(part); });
                store_outputs(span.weightBlock);
            }
            clear_outputs();
        }
    }

    DEVICE u32 output_quads() const { return arguments.tokenCount * (TILE_ROWS / 4); }

    DEVICE void clear_outputs() const {
        for (u32 i = lane; i < output_quads(); i += 32) reinterpret_cast<float4*>(outputs)[i] = make_float4(0, 0, 0, 0);
        __syncwarp();
    }

    DEVICE void add_outputs(const Span& span, const Sums& sums) const {
        const RowBlock block = arguments.routing.blocks[span.rowBlock];
        const u32 weightRow = span.weightBlock * SLAB_ROWS + tile * TILE_ROWS + lane / 4;
        const float factor = accumulator_factor(kFormat) * (arguments.downScales ? arguments.downScales[block.expert] : 1.0f);
        float bias[2] = {0, 0};
        if (arguments.downBiases && span.first == 0)
#pragma unroll
            for (int half = 0; half < 2; ++half)
                if (weightRow + 8 * half < kOutputs)
                    bias[half] = bf16_value(arguments.downBiases[(u64)block.expert * kOutputs + weightRow + 8 * half]);
#pragma unroll
        for (int n = 0; n < kColumnTiles; ++n)
#pragma unroll
            for (int i = 0; i < 2; ++i) {
                const u32 row = n * 8 + lane % 4 * 2 + i;
                if (row >= block.rowCount) continue;
                const u32 token = row_token(arguments.routing, block.firstRow + row);
                const float weight =
                    arguments.weightsRowsOnInput ? 1.0f : row_weight(arguments.routing, block.firstRow + row);
                float* output = outputs + token * TILE_ROWS + lane / 4;
                output[0] += weight * (sums[n][i] * factor + bias[0]);
                output[8] += weight * (sums[n][2 + i] * factor + bias[1]);
            }
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
        if (threadIdx.x >= 32 * kConsumers) {
            produce();
        } else {
            wait_for_previous_kernel();
            blockCount = *arguments.routing.blockCount;
            if (kUpBlocks > 0) consume_up();
            if (kDownBlocks > 0) consume_down();
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

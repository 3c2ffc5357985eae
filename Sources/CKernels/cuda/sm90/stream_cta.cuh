// The shape of a streaming kernel and what its warps share: the ring of stages, the sums on their way, the routing.
#pragma once
#include "sm90/stream_arguments.cuh"
#include "sm90/stream_routing.cuh"

constexpr int least_common_multiple(int a, int b) {
    int multiple = a;
    while (multiple % b != 0) multiple += a;
    return multiple;
}

/// kUpBlocks, kDownBlocks: blocks of 64 weight rows; 0 leaves that product out. kUpSlabs, kDownSlabs: slabs of 64 columns.
template <int kFormat_, int kUpBlocks_, int kUpSlabs_, int kDownBlocks_, int kDownSlabs_, int kOutputs_, int kActivation_,
          int kRows_, int kTokens_, int kChunk_, int kStages_, int kInFlight_, int kLead_, int kMiddle_, int kWarpTiles_,
          int kSlabTurns_, int kChunkTurns_, int kInputCopiers_, bool kPhases_, bool kPackets_, int kGatheredRows_, class Choice>
struct StreamShape {
    static constexpr int kFormat = kFormat_, kUpBlocks = kUpBlocks_, kDownBlocks = kDownBlocks_, kOutputs = kOutputs_;
    static constexpr int kActivation = kActivation_;
    static constexpr bool kGated = is_gated(kActivation);
    static constexpr int kHiddenColumns = kGated ? 32 : 64;  ///< of a block of the first product's weight rows
    static constexpr int kRows = kRows_;      ///< token rows of a block: 1, 2, 4, or a multiple of 8
    static constexpr int kTokens = kTokens_;  ///< tokens at most
    static constexpr bool kPackets = kPackets_;  ///< whether `hidden` is sent in packets
    /// Both products in two phases: the first slabs of `hidden` that the second contracts, and the rest. What the first phase
    /// of one product has computed is known by the time that the second phase has been. Or in one, which counts as the second.
    static constexpr bool kPhases = kPhases_;
    static constexpr int kFirstPhase = kPhases ? 0 : 1;
    /// The rows of `hidden`, at most, where each CTA gathers all of them and has whole sums (sm90/stream_gathered.cuh); or 0.
    static constexpr int kGatheredRows = kGatheredRows_;
    static_assert(kGatheredRows == 0 || (kTokens == 1 && kPackets && !kPhases && kWarpTiles_ == 1), "one token's rows");
    static constexpr int kSlabBlocks = SLAB_COLUMNS / kHiddenColumns;  ///< blocks of the first product that make a slab
    static_assert(!kPhases || (kDownSlabs_ > 1 && kUpBlocks > (kDownSlabs_ - 1) * kSlabBlocks), "each phase has work");
    static constexpr int kInFlight = kInFlight_, kLead = kLead_, kMiddle = kMiddle_;  ///< of `WeightStream`
    /// A warp multiplies kWarpTiles of the four tiles of a slab; kTileWarps warps a whole slab.
    static constexpr int kWarpTiles = kWarpTiles_, kTileWarps = 4 / kWarpTiles;
    /// Warps that share tiles: kSlabTurns take turns at the slabs of a chunk, kChunkTurns at the chunks.
    static constexpr int kSlabTurns = kSlabTurns_, kChunkTurns = kChunkTurns_, kTurns = kSlabTurns * kChunkTurns;
    static_assert(kStages_ % kChunkTurns == 0, "a stage must belong to the same warps each time round");
    static constexpr int kColumnTiles = kRows <= 8 ? 1 : kRows / 8;
    static constexpr int kMultipliers = kTileWarps * kTurns, kFinishers = 4;
    static_assert(kMultipliers % 4 == 0, "the warps that finish are whole groups of four");
    static constexpr int kWeightCopier = kMultipliers + kFinishers, kInputCopier = kWeightCopier + 1;  ///< warps
    static constexpr int kInputCopiers = kInputCopiers_;
    /// A barrier tells apart only rounds of the ring that follow each other, so who waits for a stage must know that the round
    /// before the last is over there. A copier of inputs has waited for the chunk that is a ring and some of its own turns
    /// before; if that chunk's warps are this stage's and it is not older than two rounds, they have emptied this stage too.
    static_assert(least_common_multiple(kInputCopiers, kChunkTurns) <= kStages_, "a copier could overtake a group of warps");
    /// The copier of weights looks at a chunk's arrival that many chunks later at most; its stage must not have been filled
    /// twice since.
    static_assert(kInFlight <= kStages_ && kLead <= kStages_ && kMiddle <= kStages_, "arrivals could be missed");
    static constexpr int kThreads = 32 * (kInputCopier + kInputCopiers);

    typedef StreamRing<kFormat, kRows, kChunk_, kStages_> Ring;
    typedef RingCursor<kStages_> Cursor;
    static constexpr int kGrain = kPhases ? 2 : 4;  ///< of shares: what is left over counts twice in two phases
    typedef StreamWork<kUpSlabs_ == 0 ? 1 : kUpSlabs_, false, kGrain> UpWork;
    typedef StreamWork<kDownSlabs_ == 0 ? 1 : kDownSlabs_, true, kGrain> DownWork;
    typedef StreamWalk<UpWork> UpWalk;
    typedef StreamWalk<DownWork> DownWalk;

    /// Sums pass from the multiplying to the finishing warps in two buffers: [turn][tile][column tile][g][lanes of g].
    static constexpr int kSumLanes = kRows >= 8 ? 4 : (kRows + 1) / 2;  ///< lanes of four that hold columns in use
    static constexpr int kBufferQuads = kTurns * 4 * kColumnTiles * 8 * kSumLanes;
    static constexpr int kOutputSlots = kPhases ? 2 : 1;  ///< weight blocks of the second product whose sums are not complete
    static constexpr int kOutputFloats = 4 * TILE_ROWS * kTokens;  ///< of a slot
    static constexpr int kOutputBytes = kDownBlocks == 0 ? 0 : kOutputSlots * kOutputFloats * 4;
    static constexpr int kExchangeBytes = 2 * kBufferQuads * 16 + kOutputBytes + 6 * 8;
    typedef StreamRouting<Choice, kTokens, kRows> Routed;
    static constexpr int kGatheredBytes =  ///< rows, two barriers, the rows' factors, the number of the launch
        kGatheredRows == 0 ? 0 : (kGatheredRows * (kDownSlabs_ * Ring::columnBytes + 4) + 2 * 8 + 4 + 15) / 16 * 16;
    static constexpr int kSharedBytes = Ring::bytes + kExchangeBytes + Routed::bytes + kGatheredBytes;
    static constexpr int kUpPart = 128 * kColumnTiles, kDownPart = kTokens * TILE_ROWS;
    /// The parts of the second phase's first product have a place of their own, for those of the first may not have been
    /// taken; the second product's have not begun by then, or those of the first phase have been taken.
    static_assert(!kPhases || kDownPart <= kUpPart, "parts of the second product are not where the second phase's are");
    static constexpr int kPartialFloats = kPhases ? 2 * kUpPart : kUpPart > kDownPart ? kUpPart : kDownPart;
};

/// One CTA as any of its threads sees it.
template <class Shape>
struct StreamCta {
    typedef typename Shape::Routed Routed;

    const MoeStreamArguments& arguments;
    typename Shape::Ring ring;
    float4* buffers;
    float* outputs;  ///< of a finishing warp: its 16 rows of an output block, [kTokens][16]; further slots behind those of all
    u64* exchange;   ///< barriers: buffers full, buffers empty, `hidden` known to the copiers of inputs in each phase
    char* routed;    ///< memory of `Routed`, then that of `StreamGathered`
    Routing routing;
    bool isEarly;    ///< routing is known before the previous kernel has ended
    int lane, tile;  ///< that a finishing warp has

    DEVICE StreamCta(const MoeStreamArguments& arguments, char* memory)
        : arguments(arguments), ring{memory}, lane(threadIdx.x % 32), tile(threadIdx.x / 32 % 4) {
        buffers = reinterpret_cast<float4*>(memory + Shape::Ring::bytes);
        char* rest = memory + Shape::Ring::bytes + 2 * Shape::kBufferQuads * 16;
        outputs = reinterpret_cast<float*>(rest) + tile * TILE_ROWS * Shape::kTokens;
        exchange = reinterpret_cast<u64*>(rest + Shape::kOutputBytes);
        routed = memory + Shape::Ring::bytes + Shape::kExchangeBytes;
        routing = arguments.routing;
        isEarly = arguments.routingIsEarly;
    }

    /// By one thread.
    DEVICE void init_barriers() const {
        for (int i = 0; i < 2; ++i) {
            barrier_init(exchange + i, Shape::kMultipliers * WARP_ARRIVALS);
            barrier_init(exchange + 2 + i, Shape::kFinishers * WARP_ARRIVALS);
            barrier_init(exchange + 4 + i, WARP_ARRIVALS);
        }
        ring.init(Shape::kTileWarps * Shape::kSlabTurns);
    }

    /// By all threads, before they `route`.
    DEVICE void prepare_routing() const {
        if constexpr (Routed::bytes > 0)
            if constexpr (!Routed::kAreFew) Routed(routed).choices.clear();
            else if (threadIdx.x == 0) Routed(routed).init_barriers();
    }

    /// Routes the tokens if that is left to this launch.
    DEVICE void route() {
        if constexpr (Routed::bytes > 0) {
            if (!arguments.logits) return;
            const Routed routes(routed);
            if constexpr (Routed::kAreFew) {
                route_few(routes);
            } else {
                routes.route(arguments.logits, arguments.routerBiases, arguments.routerFactor, arguments.tokenCount);
            }
            routing = {routes.list, routes.rows.tokens, routes.rows.weights};
        }
    }

    /// By a warp a token: the one that copies weights, which lists the rows and goes on at once, and those before it.
    DEVICE void route_few(const Routed& routes) const {
        constexpr u32 tokens = Shape::kTokens;
        static_assert(tokens <= Shape::kWeightCopier + 1, "a warp for each token");
        const u32 token = Shape::kWeightCopier - threadIdx.x / 32, tokenCount = tokens == 1 ? 1 : arguments.tokenCount;
        typename Routed::LaneChoice choice;
        if (token < tokens) {
            const typename Routed::Router router(arguments.logits, arguments.routerBiases, arguments.routerFactor);
            wait_for_previous_kernel();
            if (token < tokenCount) {
                choice = routes.choose(router, token);
                if (tokens > 1) routes.choices.store(token, choice);
            }
        }
        if (token == 0) {
            if (tokens > 1) {
                barrier_wait(routes.chosen(), 0);
                choice = routes.choices.of_slot(min((u32)lane, Routed::kRowCount - 1));
            }
            routes.list_rows(choice, tokenCount);
            warp_arrive(routes.listed());
        } else {
            if (token < tokens) warp_arrive(routes.chosen());
            barrier_wait(routes.listed(), 0);
        }
    }

    DEVICE float4* buffer(u32 index, int turn, int tile) const {
        const int first = (turn * 4 + tile) * Shape::kColumnTiles * 8;
        return buffers + index * Shape::kBufferQuads + (first + lane / 4) * Shape::kSumLanes + lane % 4;
    }

    /// The blocks of token rows, once they are known.
    DEVICE u32 block_count() const {
        if (!isEarly) wait_for_previous_kernel();
        return routing.list->count;
    }

    /// The first phase of the first product, in blocks of weight rows.
    DEVICE u32 up_cut() const { return Shape::kPhases ? arguments.cut * Shape::kSlabBlocks : 0; }

    /// The first product of a phase.
    DEVICE typename Shape::UpWork up_work(u32 blockCount, int phase) const {
        const u32 first = up_cut();
        return {phase == 0 ? 0 : first, phase == 0 ? first : Shape::kUpBlocks - first, blockCount, gridDim.x};
    }
    DEVICE typename Shape::UpWalk up_walk(u32 blockCount, int phase) const {
        return {up_work(blockCount, phase), blockIdx.x};
    }

    DEVICE typename Shape::DownWork down_work(u32 blockCount) const { return {0, Shape::kDownBlocks, blockCount, gridDim.x}; }

    /// A phase of the share of the second product. All is in one phase where sums would be of too many weight blocks.
    DEVICE typename Shape::DownWalk down_walk(const typename Shape::DownWork& work, int phase) const {
        constexpr u32 slabs = Shape::DownWork::slabs;
        const u32 first = Shape::kPhases && work.is_within_two_units() ? arguments.cut : 0;
        return {work, blockIdx.x, phase == 0 ? 0 : first, phase == 0 ? first : slabs};
    }
};

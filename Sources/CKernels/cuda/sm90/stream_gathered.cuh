// The second product of one token of a few short rows: every CTA gathers all of `hidden` and has whole sums, of 16 outputs
// at a time. Otherwise CTAs have parts of sums over the experts, which wait for each other, and of `hidden` what one or a few
// warps receive, chunk by chunk; where a CTA has little to multiply, both take longer than that (docs/kernels-gpu-notes.md).
//
// Data flow   weights: global → ring, tiles of 16 x 64 (common/tiles.cuh), a copy each; a CTA's blocks of 16 outputs one after
//             the other, of each all rows, of each row all slabs.
//             hidden: packets → shared, by all other warps, as soon as most of it has been sent.
//             Warps take turns at tiles; a tile's sums are multiplied with what its row needs (router weight, global scale),
//             and pass through shared memory to a warp that adds them up.
#pragma once
#include "common/packets.cuh"
#include "sm90/stream_cta.cuh"

template <class Shape>
struct StreamGathered {
    typedef typename Shape::Ring Ring;
    static constexpr u32 slabTiles = SLAB_ROWS / TILE_ROWS;
    static constexpr u32 slabs = Shape::DownWork::slabs, blocks = Shape::kDownBlocks * slabTiles;  ///< of 16 outputs
    static constexpr u32 tileBytes = tile_bytes(Shape::kFormat), slabBytes = slab_bytes(Shape::kFormat);
    static constexpr u32 rowBytes = slabs * tileBytes;  ///< of the weights of 16 outputs that are multiplied with one row
    static constexpr u32 stageRows = Ring::chunk * slabTiles / slabs, stageTiles = stageRows * slabs;
    static_assert(stageRows > 0, "a stage has room for a row's tiles");
    static constexpr u32 threads = Shape::kThreads - 32;  ///< that receive: all but the warp that copies weights
    static constexpr u32 groupWarps = Shape::kTileWarps * Shape::kSlabTurns;  ///< that share a chunk
    static constexpr u32 rowPieces = slabs * SLAB_COLUMNS / 4;                ///< of four numbers
    static constexpr u32 lanePieces = 4;                                      ///< on their way at once

    const StreamCta<Shape>& cta;
    const u32 rows;
    uint2* pieces;     ///< [rows][rowPieces], BF16
    u64* announced;    ///< barrier: the number of the launch is there
    u64* received;     ///< barrier: all of `hidden` is
    float* factors;    ///< [rows]
    u32* launch;       ///< the number of this one

    DEVICE StreamGathered(const StreamCta<Shape>& cta, u32 rowCount) : cta(cta), rows(rowCount) {
        pieces = reinterpret_cast<uint2*>(cta.routed + Shape::Routed::bytes);
        announced = reinterpret_cast<u64*>(pieces + Shape::kGatheredRows * rowPieces);
        received = announced + 1;
        factors = reinterpret_cast<float*>(received + 1);
        launch = reinterpret_cast<u32*>(factors + Shape::kGatheredRows);
    }

    /// By one thread.
    DEVICE void init_barriers() const {
        barrier_init(announced, 1);
        barrier_init(received, threads / 32 * WARP_ARRIVALS);
    }

    DEVICE const RowBlock& block_of(u32 row) const { return cta.routing.list->blocks[row]; }

    /// Issues the copies of the weights, by one thread: of each row and block of outputs a tile from each slab.
    template <class WeightStream>
    DEVICE void issue(WeightStream& stream) const {
        const u64 policy = evict_first_policy();
        int issued = 0;
        for (u32 block = blockIdx.x; block < blocks; block += gridDim.x) {
            const char* weights = cta.arguments.down.weights + block / slabTiles * (slabs * slabBytes) +
                                  block % slabTiles * tileBytes;
            for (u32 first = 0; first < rows; first += stageRows, ++issued) {
                const u32 end = min(first + stageRows, rows);
                const u32 stage = stream.open_stage(issued < Ring::stages ? Shape::kMiddle : Shape::kInFlight,
                                                    (end - first) * rowBytes);
                char* out = cta.ring.stage(stage);
                for (u32 row = first; row < end; ++row, out += rowBytes) {
                    const char* source = weights + (u64)block_of(row).expert * (blocks * rowBytes);
#pragma unroll
                    for (u32 slab = 0; slab < slabs; ++slab)
                        bulk_copy(out + slab * tileBytes, source + slab * slabBytes, tileBytes, cta.ring.weightsFull(stage),
                                  policy);
                }
            }
        }
    }

    /// Tells the number of the launch, before it receives, by a thread that knows that most of `hidden` has been sent.
    DEVICE void announce(u32 number) const {
        *launch = number;
        barrier_arrive(announced);
    }

    /// Receives all of `hidden`, by all warps but the one that copies weights.
    DEVICE void receive() const {
        barrier_wait(announced, 0);
        const u32 number = *launch, pitch = cta.arguments.down.inputPitch;
        const u32 thread = threadIdx.x < 32 * Shape::kWeightCopier ? threadIdx.x : threadIdx.x - 32;
        if (thread < rows) load_factor(thread);
        const u32 count = blockIdx.x < blocks ? rows * rowPieces : 0;
        for (u32 first = thread; first < count; first += lanePieces * threads) {
            auto is_sent = [&](u32 index) {
                return index < count && index % rowPieces * 4 < Shape::kUpBlocks * Shape::kHiddenColumns;
            };
            auto load = [&](u32 index) {
                const u64 place = (u64)block_of(index / rowPieces).firstRow * pitch + index % rowPieces * 4;
                return load_packets(cta.arguments.packets + place / 2);
            };
            PacketPair pairs[lanePieces];
#pragma unroll
            for (u32 i = 0; i < lanePieces; ++i)
                if (is_sent(first + i * threads)) pairs[i] = load(first + i * threads);
#pragma unroll
            for (u32 i = 0; i < lanePieces; ++i) {
                const u32 index = first + i * threads;
                while (is_sent(index) && !pairs[i].is_of(number)) pairs[i] = load(index);
                if (index < count) pieces[index] = is_sent(index) ? pairs[i].values() : make_uint2(0, 0);
            }
        }
        warp_arrive(received);
        barrier_wait(received, 0);
    }

    /// What sums of a row are multiplied with.
    DEVICE void load_factor(u32 row) const {
        const RowBlock block = block_of(row);
        const float scale = cta.arguments.downScales ? cta.arguments.downScales[block.expert] : 1.0f;
        factors[row] = scale * accumulator_factor(Shape::kFormat) * output_weight(block);
    }

    DEVICE float output_weight(const RowBlock& block) const {
        return cta.arguments.weightsRowsOnInput ? 1.0f : row_weight(cta.routing, block.firstRow);
    }

    /// Multiplies this CTA's tiles, by a warp that has the `place`-th of every `groupWarps` in the chunks of its turn, and
    /// passes its sums on, one set for each block of outputs.
    template <class Operands, class Cursor>
    DEVICE void multiply(Cursor& cursor, u32& chunksUntilTurn, u32& passed, u32 place) const {
        const u32 tiles = rows * slabs, chunks = (rows + stageRows - 1) / stageRows;
        for (u32 block = blockIdx.x; block < blocks; block += gridDim.x, ++passed) {
            float low = 0, high = 0;  // of rows g and g + 8 of the weights
            for (; chunksUntilTurn < chunks; chunksUntilTurn += Shape::kChunkTurns) {
                const u32 first = chunksUntilTurn * stageTiles;
                barrier_wait(cta.ring.weightsFull(cursor.stage), cursor.parity);
                multiply_chunk<Operands>(cta.ring.stage(cursor.stage), first, min(stageTiles, tiles - first), place, low, high);
                warp_arrive(cta.ring.empty(cursor.stage));
                cursor.advance(Shape::kChunkTurns);
            }
            chunksUntilTurn -= chunks;
            barrier_wait(cta.exchange + 2 + passed % 2, passed / 2 % 2 ^ 1);
            float* sums = buffer(passed) + threadIdx.x / 32 * TILE_ROWS + cta.lane / 4;
            if (cta.lane % 4 == 0) sums[0] = low, sums[8] = high;
            warp_arrive(cta.exchange + passed % 2);
        }
    }

    template <class Operands>
    DEVICE void multiply_chunk(const char* stage, u32 first, u32 count, u32 place, float& low, float& high) const {
        auto load = [&](Operands& operands, u32 tile) {
            const char* columns = reinterpret_cast<const char*>(pieces) + (first + tile) * Ring::columnBytes;
            operands.load(stage + tile * tileBytes, columns + cta.lane % 4 * 32, cta.lane);
        };
        auto multiply = [&](Operands& operands, u32 tile) {
            typename Operands::Sums sums = {};
            operands.multiply(sums);
            const float factor = factors[(first + tile) / slabs];
            low += factor * (sums[0][0][0][0] + sums[0][1][0][0]);
            high += factor * (sums[0][0][0][2] + sums[0][1][0][2]);
        };
        constexpr u32 share = stageTiles / groupWarps;
        if (stageTiles % groupWarps == 0 && count == stageTiles) {
            Operands operands[2];
            load(operands[0], place);
#pragma unroll
            for (u32 i = 0; i < share; ++i) {
                const u32 tile = place + i * groupWarps;
                if (i + 1 < share) load(operands[(i + 1) % 2], tile + groupWarps);
                multiply(operands[i % 2], tile);
            }
        } else {
#pragma unroll 1
            for (u32 tile = place; tile < count; tile += groupWarps) {
                Operands operands;
                load(operands, tile);
                multiply(operands, tile);
            }
        }
    }

    DEVICE float* buffer(u32 passed) const {
        return reinterpret_cast<float*>(cta.buffers + passed % 2 * Shape::kBufferQuads);
    }

    /// Adds the warps' sums, the rows' biases and the residual, and stores the outputs, by the first of the warps that finish.
    DEVICE void finish(u32& passed) const {
        for (u32 block = blockIdx.x; block < blocks; block += gridDim.x, ++passed) {
            const u32 column = block * TILE_ROWS + cta.lane % TILE_ROWS;
            float value = 0;
            if (cta.tile == 0) value = addend(column);
            barrier_wait(cta.exchange + passed % 2, passed / 2 % 2);
            if (cta.tile == 0) {
#pragma unroll
                for (int warp = 0; warp < Shape::kMultipliers; ++warp)
                    value += buffer(passed)[warp * TILE_ROWS + cta.lane % TILE_ROWS];
                const u32 pair = pack_bf16x2(value, __shfl_down_sync(ALL_LANES, value, 1));
                if (cta.lane < TILE_ROWS && cta.lane % 2 == 0 && column < Shape::kOutputs)
                    *reinterpret_cast<u32*>(cta.arguments.output + column) = pair;
            }
            warp_arrive(cta.exchange + 2 + passed % 2);
        }
    }

    /// What is added to an output's sum: the residual, and its bias for each row.
    DEVICE float addend(u32 column) const {
        if (column >= Shape::kOutputs) return 0;
        float value = cta.arguments.residual ? bf16_value(cta.arguments.residual[column]) : 0;
        if (cta.arguments.downBiases)
            for (u32 row = 0; row < rows; ++row) {
                const RowBlock block = block_of(row);
                const u16 bias = cta.arguments.downBiases[(u64)block.expert * Shape::kOutputs + column];
                value += output_weight(block) * bf16_value(bias);
            }
        return value;
    }
};

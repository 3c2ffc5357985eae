// Numbers that all CTAs wait for, sent without a fence, a flag, and a trip through memory for each: a packet is two BF16
// and the number of the launch that wrote them, which one access reads or writes.
//
// The number grows by one with every launch that sends packets, so what an earlier launch left is never taken for this
// one's (until 2^32 launches later).
#pragma once
#include "common/stream.cuh"

DEVICE u64 packet(u32 pair, u32 launch) { return (u64)launch << 32 | pair; }

DEVICE void store_packet(u64* address, u64 packet) {
    asm volatile("st.relaxed.gpu.global.u64 [%0], %1;" ::"l"(address), "l"(packet) : "memory");
}

/// Four BF16.
struct PacketPair {
    u64 packets[2];

    DEVICE void load(const u64* address) {
        asm volatile("ld.relaxed.gpu.global.v2.u64 {%0, %1}, [%2];"
                     : "=l"(packets[0]), "=l"(packets[1]) : "l"(address) : "memory");
    }

    DEVICE bool is_of(u32 launch) const { return (u32)(packets[0] >> 32) == launch && (u32)(packets[1] >> 32) == launch; }
    DEVICE uint2 values() const { return make_uint2((u32)packets[0], (u32)packets[1]); }
};

/// Brings the rows of a share from packets into the ring, by one warp. Loads of one row are on their way while the row before
/// is waited for. Columns from `columns` on are zero.
template <class Ring, class Work>
struct PacketReceiver {
    static constexpr u32 pieces = Ring::chunk * SLAB_COLUMNS / 4;  ///< of a row of a stage: four BF16 each
    static constexpr u32 lanePieces = (pieces + 31) / 32;

    static DEVICE u32 piece(u32 i) { return i * 32 + threadIdx.x % 32; }

    /// A row's columns in one stage.
    struct Row {
        PacketPair pairs[lanePieces];
        u32 column, end;
        const u64* packets;
        u32 index;
        bool isFirst, isLast;  ///< of the stage

        DEVICE bool is_sent(u32 i) const { return column + piece(i) * 4 < end; }

        DEVICE void load(u32 i) { pairs[i].load(packets + column / 2 + piece(i) * 2); }

        DEVICE void load() {
#pragma unroll
            for (u32 i = 0; i < lanePieces; ++i)
                if (is_sent(i)) load(i);
        }

        DEVICE void await(u32 launch) {
            for (bool remains = true; remains;) {
                remains = false;
#pragma unroll
                for (u32 i = 0; i < lanePieces; ++i)
                    if (is_sent(i) && !pairs[i].is_of(launch)) load(i), remains = true;
            }
        }
    };

    const Ring& ring;
    const Routing& routing;
    StreamWalk<Work> walk;
    const u64* packets;
    u32 pitch, columns, launch;
    RowBlock block;
    u32 rowBlock = ~0u, row = 0;

    DEVICE PacketReceiver(const Ring& ring, const Work& work, const Routing& routing, const u64* packets, u32 pitch,
                          u32 columns, u32 launch)
        : ring(ring), routing(routing), walk(work, blockIdx.x), packets(packets), pitch(pitch), columns(columns),
          launch(launch) {}

    /// The next row, its loads under way; false if there is none.
    DEVICE bool next(Row& next) {
        if (!walk.remains()) return false;
        if (walk.rowBlock != rowBlock) rowBlock = walk.rowBlock, block = routing.list->blocks[rowBlock];
        const u32 count = walk.ahead(Ring::chunk);
        next.column = walk.first * SLAB_COLUMNS;
        next.end = min(columns, next.column + count * SLAB_COLUMNS);
        next.packets = packets + (u64)(block.firstRow + row) * (pitch / 2);
        next.index = row;
        next.isFirst = row == 0, next.isLast = row + 1 == block.rowCount;
        next.load();
        if (++row == block.rowCount) row = 0, walk.advance(count);
        return true;
    }

    /// Waits for a row and puts it into its stage.
    DEVICE void receive(Row& row, RingCursor<Ring::stages>& cursor) const {
        if (row.isFirst) barrier_wait(ring.empty(cursor.stage), cursor.parity ^ 1);
        row.await(launch);
        uint2* out = reinterpret_cast<uint2*>(ring.stage(cursor.stage) + Ring::weightBytes + row.index * Ring::pitch);
#pragma unroll
        for (u32 i = 0; i < lanePieces; ++i)
            if (piece(i) < pieces) out[piece(i)] = row.is_sent(i) ? row.pairs[i].values() : make_uint2(0, 0);
        if (!row.isLast) return;
        barrier_arrive(ring.inputsFull(cursor.stage));
        cursor.advance();
    }

    DEVICE void run(RingCursor<Ring::stages>& cursor) {
        Row even, odd;  // two, for a copy of one would wait for its loads
        for (bool remains = next(even); remains;) {
            remains = next(odd);
            receive(even, cursor);
            if (!remains) return;
            remains = next(even);
            receive(odd, cursor);
        }
    }
};

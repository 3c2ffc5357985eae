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

    DEVICE bool is_of(u32 launch) const { return (u32)(packets[0] >> 32) == launch && (u32)(packets[1] >> 32) == launch; }
    DEVICE uint2 values() const { return make_uint2((u32)packets[0], (u32)packets[1]); }
};

DEVICE PacketPair load_packets(const u64* address) {
    PacketPair pair;
    asm volatile("ld.relaxed.gpu.global.v2.u64 {%0, %1}, [%2];"
                 : "=l"(pair.packets[0]), "=l"(pair.packets[1]) : "l"(address) : "memory");
    return pair;
}

/// Brings the rows of a share from packets into the ring, by some warps that take turns at chunks. Columns from `columns` on
/// are zero.
template <class Ring>
struct PacketReceiver {
    static constexpr u32 pieces = Ring::chunk * SLAB_COLUMNS / 4;  ///< of a row of a stage: four BF16 each
    static constexpr u32 lanePieces = pieces < 128 ? (pieces + 31) / 32 : 4;  ///< on their way at once

    const Ring& ring;
    const Routing& routing;
    const u64* packets;  ///< [rows, pitch / 2]
    u32 pitch, columns, launch;

    template <class Cursor, class Work>
    DEVICE void receive(Cursor& cursor, StreamWalk<Work> walk) const {
        for (; walk.remains(); cursor.ring.advance()) {
            const u32 count = walk.ahead(Ring::chunk), column = walk.first * SLAB_COLUMNS, rowBlock = walk.rowBlock;
            walk.advance(count);
            if (!cursor.takes()) continue;
            const RowBlock block = routing.list->blocks[rowBlock];
            const u32 end = min(columns, column + count * SLAB_COLUMNS);
            for (u32 row = 0; row < block.rowCount; ++row)
                receive_row(packets + ((u64)(block.firstRow + row) * pitch + column) / 2, (int)(end - column), row, cursor.ring);
            barrier_arrive(ring.inputsFull(cursor.ring.stage));
        }
    }

    /// So many columns of a row; none if the number is negative.
    DEVICE void receive_row(const u64* row, int columnCount, u32 index, const RingCursor<Ring::stages>& place) const {
        char* out = ring.stage(place.stage) + Ring::weightBytes + index * Ring::pitch;
#pragma unroll 1
        for (u32 first = threadIdx.x % 32; first < pieces; first += 32 * lanePieces) {
            auto is_sent = [&](u32 i) { return (int)(first + 32 * i) * 4 < columnCount; };
            auto load = [&](u32 i) { return load_packets(row + (first + 32 * i) * 2); };
            PacketPair pairs[lanePieces];
#pragma unroll
            for (u32 i = 0; i < lanePieces; ++i)
                if (is_sent(i)) pairs[i] = load(i);
            if (index == 0 && first < 32) barrier_wait(ring.empty(place.stage), place.parity ^ 1);
#pragma unroll
            for (u32 i = 0; i < lanePieces; ++i) {
                while (is_sent(i) && !pairs[i].is_of(launch)) pairs[i] = load(i);
                if (first + 32 * i < pieces)
                    reinterpret_cast<uint2*>(out)[first + 32 * i] = is_sent(i) ? pairs[i].values() : make_uint2(0, 0);
            }
        }
    }
};

// The layout of activations that the grouped GEMM reads: what wgmma wants in shared memory, so that bulk copies bring it.
//
// Rows lie in "slots". The rows of block b of a list (common/moe.cuh) lie in consecutive slots from first_slot(b) on, a
// multiple of 8; so a block is a stretch of whole groups of eight, and no prefix sum is needed. A list of full blocks, but
// for an expert's last one, fits in rows / 8 * 8 + blocks * 8 slots. Storage is
//
//   [slabs of 64 columns][slots][128 bytes]
//
// The eight 16-byte pieces of a row and slab: piece c holds columns 16t + 2c + {0, 1}, t = 0...3, which are the k-step c / 2
// of the slab (common/tiles.cuh spreads the columns of a k-step that way); it lies at position c ^ slot % 8, wgmma's
// 128-byte swizzle.
//
// Tokens that are gathered lie in the same way, [slabs][tokens][128 bytes], but with piece c at position c.
#pragma once
#include "common/moe.cuh"

constexpr int PACKED_BYTES = 128;  ///< of a row and slab
constexpr int SLOT_GROUP = 8;

DEVICE u32 first_slot(const RowBlock& block, u32 index) {
    return block.firstRow / SLOT_GROUP * SLOT_GROUP + index * SLOT_GROUP;
}

/// Slots that a block's rows take, with those that fill the last group.
DEVICE u32 slot_count(u32 rowCount) { return (rowCount + SLOT_GROUP - 1) / SLOT_GROUP * SLOT_GROUP; }

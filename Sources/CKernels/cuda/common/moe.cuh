// What the routing kernel leaves in memory and the expert kernels read.
//
// A "row" is one (token, expert) pair. Rows are sorted by expert, and by token within an expert; rows of one expert name
// distinct tokens (routing adds up the weights of an expert that a token names twice).
#pragma once
#include "common/ptx.cuh"

/// Consecutive rows of one expert, at most as many as a kernel takes at once. Blocks of one expert are adjacent; they are
/// as few as can be, and about equal (common/grouping.cuh).
struct RowBlock {
    u32 expert;
    u32 firstRow;
    u32 rowCount;
    u32 unused;
};

/// The count lies before the blocks, so that one read from memory brings both.
struct RowBlockList {
    u32 count;
    u32 unused[3];
    RowBlock blocks[1];
};

struct Routing {
    const RowBlockList* list;
    const u32* rowTokens;     ///< [rows]; null: row r is token r
    const float* rowWeights;  ///< [rows], router weights; null: 1
};

/// How many blocks there are; without a list every token has a row, of one expert, in blocks of `limit`.
DEVICE u32 block_count(const Routing& routing, u32 tokens, u32 limit) {
    return routing.list ? routing.list->count : (tokens + limit - 1) / limit;
}

DEVICE RowBlock row_block(const Routing& routing, u32 index, u32 expert, u32 tokens, u32 limit) {
    if (routing.list) return routing.list->blocks[index];
    return {expert, index * limit, min(limit, tokens - index * limit), 0};
}

DEVICE u32 row_token(const Routing& routing, u32 row) { return routing.rowTokens ? routing.rowTokens[row] : row; }
DEVICE float row_weight(const Routing& routing, u32 row) { return routing.rowWeights ? routing.rowWeights[row] : 1.0f; }

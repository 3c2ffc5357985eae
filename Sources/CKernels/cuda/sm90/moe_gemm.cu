// The experts of an MoE layer for many tokens an expert, and any linear layer for many tokens.
//
//   hidden[r, :] = activation(gate · x[token(r)], up · x[token(r)])      x [T, H] BF16, gate and up [E, I, H]
//   y[r, :]      = weight(r) · (down · hidden[r, :])                     down [E, H, I]
//   output[t, :] = residual[t, :] + Σ y[r, :] over the rows r of token t: here where a token has one row, else by
//                  any/moe_combine.cu
//
// Data flow   weights: global → shared (bulk copies) → registers → BF16 fragments, the A operand of wgmma; activations,
//             packed by any/moe_pack.cu: global → shared (bulk copies, or 16 bytes a thread), the B operand; FP32 sums in
//             registers. The first product's epilogue makes `hidden` in the same packed layout, shared → global by bulk
//             copies; the second one's turns matrices of 8 x 8 on their way to global memory.
// Work        an item is 6 (kRows 64 or 96, FP4) or 4 blocks of 64 weight rows x one block of up to kRows token rows, all
//             slabs; three warpgroups (64) or two take two blocks each, or two take three (96), with as many token columns
//             as the block needs, of those that there are products for. Items of both products are one queue, ordered by
//             expert, weight rows, token rows: an expert's weights come from memory once. CTAs take numbers from the queue;
//             an item of the second product waits for its token rows' `hidden`, which are ahead in the queue. The last
//             items' slabs are divided among CTAs, so that all have work until the end; items behind them add the parts up,
//             on all CTAs. A sum has one order whoever computes it, so results repeat bit for bit.
// Bytes       0.5625 (NVFP4) or 0.53125 (MXFP4) a weight of the experts hit, from memory once, from L2 once for every block
//             of token rows; the activations of a block once for every item of its expert, from L2. Bound by memory up to
//             some 32 rows an expert, by the matrix units from some 128 on.
// Limits      kOutputs a multiple of 8; biases have zeros beyond the matrix's rows
// Launch      any/moe_pack.cu, then this with MoeGemm::kThreads threads, MoeGemm::kSharedBytes of dynamic shared memory and
//             as many CTAs as SMs (or fewer), then any/moe_combine.cu unless kOneRow. All may be programmatic launches,
//             this one only if the kernel before it lets it start after waiting for the one before that, as
//             any/moe_pack.cu does: the list, the weights and the counters are read without waiting.
//             kRows 64 is fastest up to 56 rows an expert, 96 up to 80 and from 148 to 180, else 144, and 128 where rows
//             are all tokens; kGathers where tokens have several rows, and experts more than 56 or few items.
// Files       moe_gemm_shape.cuh: arguments, constants, shared memory; _cta: what its warps share; _items: the warp that
//             takes items; _copies: those that copy weights and activations; _products: those that multiply, with
//             _activation and _outputs, the epilogues; _hidden: storing `hidden`; _parts: divided items
// Source      weight layout and arithmetic: common/tiles.cuh; activations: common/packed.cuh.
#include "sm90/moe_gemm_activation.cuh"
#include "sm90/moe_gemm_copies.cuh"
#include "sm90/moe_gemm_items.cuh"
#include "sm90/moe_gemm_parts.cuh"
#include "sm90/moe_gemm_products.cuh"

/// Multiplies with the fewest token columns that suffice, of some numbers of them.
template <int kPerGroup, class Gemm, int N, int... kMore>
DEVICE void multiply(const GemmCta<Gemm>& cta, const typename Gemm::Item& item, typename Gemm::Cursor& cursor,
                     typename Gemm::Sums& sums, Columns<N, kMore...>) {
    if constexpr (sizeof...(kMore) > 0)
        if (item.rowCount > N) return multiply<kPerGroup>(cta, item, cursor, sums, Columns<kMore...>());
    const bool isGathered = Gemm::kGathers && (Gemm::kUpBlocks == 0 || item.up);
    GemmProducts<Gemm, N, kPerGroup>{cta}.multiply(sums, cursor, item.slabs, isGathered);
}

/// An item's products and their epilogue, which is one for all numbers of columns and blocks: it is most of the code,
/// and the compiler's time grows faster than that.
template <class Gemm>
DEVICE void process(const GemmCta<Gemm>& cta, const typename Gemm::Item& item, typename Gemm::Cursor& cursor) {
    typename Gemm::Sums sums;
#pragma unroll
    for (int m = 0; m < Gemm::kBlocksOfGroup; ++m) {
#pragma unroll
        for (int n = 0; n < Gemm::kRows / 8; ++n) sums[m][n][0] = sums[m][n][1] = sums[m][n][2] = sums[m][n][3] = 0;
        wgmma_hold(sums[m]);  // zeros are set here, not before the loops of every number of columns
    }
    const u32 perGroup = item.blocks > Gemm::kGroups ? Gemm::kBlocksOfGroup : 1;
    if (perGroup > 1) multiply<Gemm::kBlocksOfGroup>(cta, item, cursor, sums, ColumnsOf<Gemm::kRows>());
    else multiply<1>(cta, item, cursor, sums, Columns<Gemm::kRows>());
    const GemmCta<Gemm> same = cta.with_unknown_lane();
    if (item.up) {
        stage_hidden(same, item, sums, perGroup);
    } else if (item.parts == 1) {
        store_outputs(same, item, sums, perGroup);
    } else {
        store_part(same, item, sums, perGroup);
    }
}

/// The warps that multiply.
template <class Gemm>
DEVICE void process_items(const GemmCta<Gemm>& cta) {
    typename Gemm::Cursor cursor{0, 0};
    for (u32 index = 0;; ++index) {
        const typename Gemm::Item& item = cta.await_item(index);
        if (item.blocks == 0) return;
        if (item.shares > 0) sum_parts(cta, item);
        else process(cta, item, cursor);
        cta.release_item(index);
    }
}

/// The body of the kernel. The host writes the instantiation: an extern "C" __global__ function with
/// __launch_bounds__(Gemm::kThreads, 1), its argument `const __grid_constant__ MoeGemmArguments`.
template <class Gemm>
DEVICE void moe_gemm(const MoeGemmArguments& arguments) {
    extern __shared__ __align__(1024) char memory[];
    const GemmCta<Gemm> cta(arguments, memory);
    if (threadIdx.x == 0) cta.init_barriers();
    __syncthreads();
    launch_next_kernel();
    if (cta.warp < Gemm::kMultipliers) {
        increase_registers<Gemm::kRegisters>();
        process_items(cta);
    } else {
        decrease_registers<Gemm::kOtherRegisters>();
        if (cta.warp == Gemm::kWeightCopier) {
            copy_weights(cta);
        } else if (cta.warp == Gemm::kTaker) {
            take_items(cta);
        } else if (cta.warp < Gemm::kFirstCopier + Gemm::kCopiers) {
            wait_for_previous_kernel();
            copy_inputs(cta);
        } else if (cta.lane == 0) {
            store_hidden(cta);
        }
    }
}

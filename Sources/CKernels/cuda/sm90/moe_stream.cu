// The experts of an MoE layer for few tokens an expert, and any linear layer for few tokens.
//
//   hidden[r, :] = activation(gate · x[token(r)], up · x[token(r)])      x [T, H] BF16, gate and up [E, I, H]
//   y[t, :]      = residual[t, :] + Σ weight(r) · (down · hidden[r, :])  down [E, H, I]; over the rows r of token t
//
// Data flow   weights: global → shared, bulk copies into a ring filled by one thread → registers → BF16 → mma.sync,
//             weights as the 16-row operand, 8 tokens a product, FP32 sums; activations: global → shared beside their
//             weights, by warps that alone wait for what wrote them. Four more warps finish the sums, so that no
//             warp that multiplies ever waits for global memory.
//             Router logits, if there are any: every CTA chooses the experts of all tokens and lists the rows in its shared
//             memory, with the code and the results of any/route.cu.
//             Sums over the contracted dimension: registers, then shared memory among warps, then global memory among CTAs
//             (fixed order, so results repeat bit for bit).
// Bytes       0.5625 (NVFP4) or 0.53125 (MXFP4) a weight of the experts hit, from memory once, from L2 again for every
//             further block of token rows; bound by bandwidth.
// One launch  does both products: while the last CTAs finish the first, the ring of every CTA fills with weights of the
//             second. All CTAs must therefore be resident at once: the grid is one CTA an SM.
//             Of one token of small experts, every CTA has whole outputs: sm90/stream_gathered.cuh.
// Source      weight layout and arithmetic: common/tiles.cuh; division of work: common/stream.cuh; routing:
//             common/choice.cuh.
#include "sm90/stream_copy.cuh"
#include "sm90/stream_hidden.cuh"
#include "sm90/stream_multiply.cuh"
#include "sm90/stream_outputs.cuh"

/// The body of the kernel. The host writes the instantiation: an extern "C" __global__ function with
/// __launch_bounds__(Shape::kThreads, CTAs an SM) and Shape::kSharedBytes of dynamic shared memory.
template <class Shape>
DEVICE void moe_stream(const MoeStreamArguments& arguments) {
    extern __shared__ __align__(128) char memory[];
    const u32 warp = threadIdx.x / 32;
    StreamCta<Shape> cta(arguments, memory);
    StreamWeightCopier<Shape> weights(cta);
    if (threadIdx.x == 0) {
        cta.init_barriers();
        if constexpr (Shape::kGatheredRows > 0) StreamGathered<Shape>(cta, 0).init_barriers();
    }
    cta.prepare_routing();
    __syncthreads();
    // Where the routing is still to come, counting must not delay the warp that waits for it.
    if (warp == (cta.isEarly ? Shape::kWeightCopier : Shape::kInputCopier) && elect_one()) weights.begin();
    __syncwarp();
    cta.route();
    if (warp < Shape::kMultipliers) {
        StreamMultiplier<Shape>(cta).run();
    } else if (warp < Shape::kWeightCopier) {
        wait_for_previous_kernel();
        u32 passed = 0;
        const u32 blockCount = cta.routing.list->count;
        if (Shape::kUpBlocks > 0) StreamHidden<Shape>(cta).run(blockCount, passed);
        if constexpr (Shape::kGatheredRows > 0) {
            const StreamGathered<Shape> gathered(cta, blockCount);
            gathered.receive();
            gathered.finish(passed);
        } else if (Shape::kDownBlocks > 0) {
            StreamOutputs<Shape>(cta).run(blockCount, passed);
        }
    } else if (warp >= Shape::kInputCopier) {
        StreamInputCopier<Shape>{cta}.run();
    } else if (elect_one()) {
        weights.run();
    }
}

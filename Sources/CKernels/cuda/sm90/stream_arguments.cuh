// What the host gives a launch of the streaming kernel.
#pragma once
#include "common/activation.cuh"
#include "common/stream.cuh"

struct MoeStreamArguments {
    Routing routing;            ///< unless there are logits
    const char* logits;         ///< [T, experts], aligned to 16 bytes: each CTA routes the tokens by itself; or null
    const float* routerBiases;  ///< [experts], BIASED_SIGMOID only
    StreamOperands up;    ///< gate and up rows in turns of 8, or up rows alone; inputs are the layer's, [T, ..]
    StreamOperands down;  ///< inputs are `hidden`
    u16* hidden;          ///< BF16 [rows, down.inputPitch]; columns beyond the first product's are zero and stay so; unless
                          ///< there are packets
    u16* output;          ///< BF16 [T, kOutputs]
    u64* packets;         ///< `hidden` of kernels that send packets, [rows, down.inputPitch / 2]; zero before the first launch
    const u16* residual;  ///< the same shape, or null
    const float2* upScales;   ///< [E], global scales of gate and up; null: 1
    const float* downScales;  ///< [E]; null: 1
    const float* rowScales;   ///< [kOutputs], of the rows of one expert's down, FP8 only; null: 1
    const u16* upBiases;      ///< BF16 [E, 2, down.inputPitch], gate then up (up alone in the first half), or null
    const u16* downBiases;    ///< BF16 [E, kOutputs], or null
    ActivationConstants constants;
    float* partials;  ///< [CTAs][4][kPartialFloats], parts of sums that another CTA completes; all bits 1 between launches
    StreamState* state;
    u32 tokenCount;
    u32 routingIsEarly;      ///< routing was complete before the previous kernel began
    float routerFactor;      ///< multiplies all weights that logits give
    u32 weightsRowsOnInput;  ///< the router weight multiplies the first product's sums, not the second's (Llama 4)
    u32 cut;                 ///< of two phases: the slabs of `hidden` of the first, one at least and not all
};

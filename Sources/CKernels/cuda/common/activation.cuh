// The activations of the experts, in FP32.
#pragma once
#include "common/ptx.cuh"

enum Activation { SWIGLU = 0, CLAMPED_SWIGLU = 1, GEGLU = 2, RELU2 = 3 };

/// Whether there is a gate projection beside the up projection, whose rows then take turns of eight.
__host__ __device__ constexpr bool is_gated(int activation) { return activation != RELU2; }

struct ActivationConstants {
    float limit;  ///< of gate and up, CLAMPED_SWIGLU
    float slope;  ///< of the sigmoid's argument, CLAMPED_SWIGLU
};

DEVICE float sigmoid(float x) { return __fdividef(1.0f, 1.0f + __expf(-x)); }

/// SWIGLU           gate · sigmoid(gate) · up
/// CLAMPED_SWIGLU   g · sigmoid(slope · g) · (u + 1) with g = min(gate, limit), u = up clamped to ± limit (gpt-oss);
///                  NaN stays NaN
/// GEGLU            gate · (1 + tanh(√(2/π) (gate + 0.044715 gate³))) / 2 · up
template <int activation>
DEVICE float gated(float gate, float up, ActivationConstants constants) {
    if (activation == CLAMPED_SWIGLU) {
        gate = gate > constants.limit ? constants.limit : gate;
        up = up > constants.limit ? constants.limit : up < -constants.limit ? -constants.limit : up;
        return gate * sigmoid(constants.slope * gate) * (up + 1.0f);
    }
    if (activation == GEGLU) {
        float inner = 0.7978845608f * (gate + 0.044715f * gate * gate * gate);
        return gate * sigmoid(2.0f * inner) * up;
    }
    return gate * sigmoid(gate) * up;
}

/// RELU2   max(up, 0)²; NaN stays NaN
DEVICE float ungated(float up) {
    const float positive = up < 0.0f ? 0.0f : up;
    return positive * positive;
}

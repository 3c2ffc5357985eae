#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// The state of a row's softmax while its scores arrive in blocks: everything so far is relative to `maximum`.
typedef struct {
    /// The largest score so far.
    float maximum;
    /// The sum of `exp(score - maximum)`.
    float sum;
} nibble_softmax_state;

/// Operations on float32 rows, compiled for one instruction set. Counts are in values; rows need no alignment.
typedef struct {
    /// `c[m, n] += a[m, k] · b[k, n]`: a and c are row-major with the given row strides; b lies in panels `[k, 16]` of
    /// 16 columns each, from one to the next `b_stride` values.
    void (*multiply_add)(
        size_t m, size_t panel_count, size_t k, const float *a, size_t a_stride, const float *b, size_t b_stride,
        float *c, size_t c_stride);

    /// `value = exp(value - offset)` in place.
    void (*exponentials)(float *values, size_t count, float offset);

    /// Takes a block of scores into a row's softmax: the scores become `exp(score - maximum)`, the state and the output
    /// row, a sum of values weighted by the earlier ones, become relative to the new maximum (Milakov and Gimelshein
    /// 2018).
    void (*online_softmax)(
        float *scores, size_t count, float *output, size_t output_count, nibble_softmax_state *state);

    /// `output = input / sqrt(mean(input²) + epsilon) * weight`; without a weight if null; in place if equal.
    void (*rms_norm)(const float *input, const float *_Nullable weight, size_t count, float epsilon, float *output);

    /// Turns the pairs `(2j, 2j + 1)` of a head of `2 * pair_count` values in place.
    void (*rotate_interleaved)(float *head, const float *cosines, const float *sines, size_t pair_count);

    /// Turns the pairs `(j, j + pair_count)` of a head of `2 * pair_count` values in place.
    void (*rotate_half_split)(float *head, const float *cosines, const float *sines, size_t pair_count);

    /// `output = input * factor`; in place if equal.
    void (*scale)(const float *input, size_t count, float factor, float *output);

    /// `output += input * factor`.
    void (*add_scaled)(const float *input, size_t count, float factor, float *output);
} nibble_vector_kernels;

/// What every processor of this architecture can run (SSE2, NEON).
const nibble_vector_kernels *nibble_vector_kernels_plain(void);

#if defined(__x86_64__)
/// Needs AVX2 and FMA.
const nibble_vector_kernels *nibble_vector_kernels_avx2(void);

/// Needs AVX-512 F and FMA.
const nibble_vector_kernels *nibble_vector_kernels_avx512(void);
#endif

#pragma clang assume_nonnull end

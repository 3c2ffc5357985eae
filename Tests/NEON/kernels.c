// Compares the NEON kernels, and the operations on rows as they are compiled for the same processors, with sums in double
// precision. For machines that cannot run the Swift tests: Scripts/check-neon runs this in an emulator.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "CCPUKernels.h"

// MARK: Random matrices as checkpoints have them

static uint64_t state = 1;

static uint32_t draw(void) { // PCG (O'Neill 2014)
    uint64_t old = state;
    state = old * 6364136223846793005u + 1442695040888963407u;
    uint32_t mixed = (uint32_t)((old >> 18 ^ old) >> 27), turn = old >> 59;
    return mixed >> turn | mixed << (-turn & 31);
}

static float draw_float(void) { return ((int32_t)draw() >> 8) * 0x1p-23f; }

static void *allocate(size_t bytes) {
    void *memory = aligned_alloc(64, (bytes + 64) / 64 * 64);
    if (!memory) abort();
    return memory;
}

typedef struct {
    nibble_matrix_source source;
    double *values;   // [rows, columns]
    uint8_t *blocks;  // of 16 rows
    nibble_aside *asides;
    size_t block_bytes, block_count;
} matrix;

static double e2m1(int code) {
    static const double magnitudes[8] = {0, 0.5, 1, 1.5, 2, 3, 4, 6};
    return code & 8 ? -magnitudes[code & 7] : magnitudes[code & 7];
}

static double e4m3(uint8_t byte) {
    int exponent = byte >> 3 & 15, mantissa = byte & 7;
    double value = exponent == 0 ? ldexp(mantissa, -9) : ldexp(8 + mantissa, exponent - 10);
    return byte & 128 ? -value : value;
}

static double half(uint16_t bits) {
    int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    double value = exponent == 0 ? ldexp(mantissa, -24) : ldexp(1024 + mantissa, exponent - 25);
    return bits & 0x8000 ? -value : value;
}

static matrix make_matrix(nibble_format format, size_t rows, size_t columns) {
    const int is_packed = format == NIBBLE_NVFP4 || format == NIBBLE_MXFP4;
    const size_t group = format == NIBBLE_NVFP4 ? 16 : 32, groups = columns / group;
    const size_t element_bytes = format == NIBBLE_FLOAT32 ? 4 : 2;
    const size_t row_bytes = is_packed ? columns / 2 : columns * element_bytes;
    uint8_t *elements = allocate(rows * row_bytes), *scales = allocate(rows * groups);
    matrix result = {.values = allocate(rows * columns * 8), .block_count = (rows + 15) / 16};
    for (size_t i = 0; is_packed && i < rows * groups; i++) {
        do scales[i] = format == NIBBLE_NVFP4 ? draw() : 110 + draw() % 24;
        while (format == NIBBLE_NVFP4 && (scales[i] & 127) == 127); // NaN
    }
    for (size_t row = 0; row < rows; row++) {
        for (size_t column = 0; column < columns; column++) {
            double *value = result.values + row * columns + column;
            uint8_t *element = elements + row * row_bytes + (is_packed ? column / 2 : column * element_bytes);
            if (is_packed) {
                const int code = draw() & 15;
                const uint8_t scale = scales[row * groups + column / group];
                *element = column % 2 ? *element | code << 4 : code;
                *value = e2m1(code) * (format == NIBBLE_NVFP4 ? e4m3(scale) : ldexp(1, scale - 127));
            } else if (format == NIBBLE_FLOAT16) {
                uint16_t bits = draw() & 0xbfff; // below 2
                memcpy(element, &bits, 2);
                *value = half(bits);
            } else {
                // Now and then a number outside of a compact block's window.
                float number = draw_float() * (draw() % 256 == 0 ? 0x1p-40f : 1);
                uint32_t bits;
                memcpy(&bits, &number, 4);
                if (format != NIBBLE_FLOAT32) bits &= 0xffff0000;
                memcpy(element, (uint8_t *)&bits + 4 - element_bytes, element_bytes);
                memcpy(&number, &bits, 4);
                *value = number;
            }
        }
    }
    const ptrdiff_t step = is_packed ? 1 : (ptrdiff_t)element_bytes;
    result.source = (nibble_matrix_source){
        format == NIBBLE_COMPACT_BFLOAT16 ? NIBBLE_BFLOAT16 : format, rows, columns, elements, (ptrdiff_t)row_bytes, step,
        scales, (ptrdiff_t)groups, 1};
    result.block_bytes = nibble_block_bytes(format, columns);
    result.blocks = allocate(result.block_bytes * result.block_count);
    result.asides = calloc(result.block_count, sizeof *result.asides);
    for (size_t i = 0; i < result.block_count; i++) {
        uint8_t *block = result.blocks + i * result.block_bytes;
        const int is_good = format == NIBBLE_COMPACT_BFLOAT16
            ? nibble_pack_compact_block(&result.source, 16 * i, block, result.asides + i)
            : nibble_pack_block(&result.source, 16 * i, block);
        if (!is_good) abort();
    }
    return result;
}

static void free_matrix(matrix *m) {
    for (size_t i = 0; i < m->block_count; i++) free(m->asides[i].bytes);
    free(m->asides), free(m->blocks), free(m->values);
    free((void *)m->source.elements), free((void *)m->source.scales);
}

// MARK: Comparisons

static size_t comparisons, failures;
static double largest_error; // as a share of what is tolerated

static void compare(const char *what, int format, size_t columns, size_t rows, double found, double expected, double limit) {
    const double error = fabs(found - expected) / limit;
    comparisons++;
    if (error <= 1) {
        largest_error = fmax(largest_error, error);
    } else if (failures++ < 20) {
        printf("FAILED %s, format %d, %zu columns, %zu rows: %g, expected %g within %g\n", what, format, columns, rows,
               found, expected, limit);
    }
}

typedef struct {
    size_t count, columns;
    float *values;
    const float **rows;
} activations;

static activations make_activations(size_t count, size_t columns) {
    activations result = {count, columns, allocate(count * columns * 4 + 64), allocate(count * sizeof(float *))};
    for (size_t i = 0; i < count * columns; i++) result.values[i] = 3 * draw_float();
    for (size_t i = 0; i < count; i++) result.rows[i] = result.values + i * columns;
    return result;
}

static void free_activations(activations *x) { free(x->values), free(x->rows); }

// The sums of a block in place of the 16 columns' own products.
static void compare_sums(const char *what, const matrix *m, size_t block, const activations *x, const float *sums) {
    for (size_t row = 0; row < x->count; row++) {
        for (size_t output = 0; output < 16; output++) {
            double sum = 0, magnitude = 1e-30;
            for (size_t column = 0; column < x->columns && 16 * block + output < m->source.rows; column++) {
                const double weight = m->values[(16 * block + output) * x->columns + column];
                sum += weight * x->rows[row][column], magnitude += fabs(weight * x->rows[row][column]);
            }
            compare(what, m->source.format, x->columns, x->count, sums[row * 16 + output], sum, 1e-6 * magnitude);
        }
    }
}

static void check_products(const nibble_matrix_kernels *kernels, nibble_format format, const matrix *m, size_t row_count) {
    activations x = make_activations(row_count, m->source.columns);
    float *sums = allocate(row_count * 64), *panel = allocate(64 * NIBBLE_PANEL_DEPTH);
    float *tiles = allocate(row_count * NIBBLE_PANEL_DEPTH * 4), read[m->source.columns];
    for (size_t i = 0; i < m->block_count; i++) {
        const uint8_t *block = m->blocks + i * m->block_bytes;
        kernels->multiply_rows(format, block, x.columns, x.rows, row_count, sums);
        compare_sums("a few rows", m, i, &x, sums);
        memset(sums, 0, row_count * 64);
        for (size_t first = 0; first < x.columns; first += NIBBLE_PANEL_DEPTH) {
            const size_t rest = x.columns - first, depth = rest < NIBBLE_PANEL_DEPTH ? rest : NIBBLE_PANEL_DEPTH;
            kernels->decode_panel(format, block, first, depth, 1, panel);
            kernels->pack_tiles(x.rows, row_count, first, depth, tiles);
            kernels->multiply_panel(panel, depth, tiles, row_count, sums);
        }
        compare_sums("a panel", m, i, &x, sums);
        for (size_t row = 0; row < 16 && 16 * i + row < m->source.rows; row++) {
            nibble_read_row(format, block, x.columns, row, read);
            for (size_t column = 0; column < x.columns; column++) {
                const double value = m->values[(16 * i + row) * x.columns + column];
                compare("a row read", format, x.columns, 1, read[column], value, 1e-30);
            }
        }
    }
    free_activations(&x), free(sums), free(panel), free(tiles);
}

// One digit: the integers and sums of the plain kernels, which the Swift tests compare with their oracle.
static void check_bytes(const nibble_matrix_kernels *kernels, nibble_format format, const matrix *m, size_t row_count) {
    const nibble_matrix_kernels *plain = nibble_matrix_kernels_plain();
    activations x = make_activations(row_count, m->source.columns);
    const size_t stride = NIBBLE_INT8_BLOCK_BYTES, row_bytes = x.columns / 16 * stride;
    uint8_t *bytes[2] = {allocate(row_count * row_bytes), allocate(row_count * row_bytes)};
    const uint8_t **rows = allocate(row_count * sizeof *rows);
    const size_t sum_count = m->block_count * row_count * 16;
    float *sums[2] = {allocate(sum_count * 4), allocate(sum_count * 4)};
    for (int i = 0; i < 2; i++) {
        const nibble_matrix_kernels *table = i == 0 ? kernels : plain;
        for (size_t row = 0; row < row_count; row++) {
            rows[row] = bytes[i] + row * row_bytes;
            table->split_row(NIBBLE_INT8_DIGITS, x.rows[row], x.columns, bytes[i] + row * row_bytes, stride);
        }
        table->multiply_split_rows(
            NIBBLE_INT8_DIGITS, format, m->blocks, m->block_bytes, m->block_count, x.columns, rows, stride, row_count,
            sums[i]);
    }
    compare("integers", format, x.columns, row_count, memcmp(bytes[0], bytes[1], row_count * row_bytes), 0, 0.5);
    for (size_t i = 0; i < sum_count; i++) {
        compare("sums of integers", format, x.columns, row_count, sums[0][i], sums[1][i], 1e-6 * fabs(sums[1][i]) + 1e-30);
    }
    free_activations(&x), free(rows);
    for (int i = 0; i < 2; i++) free(bytes[i]), free(sums[i]);
}

static void check_results(const nibble_matrix_kernels *kernels, size_t row_count, size_t count) {
    const size_t blocks = (count + 15) / 16, pitch = count + 3;
    activations g = make_activations(blocks * row_count, 16), u = make_activations(blocks * row_count, 16);
    activations out = make_activations(row_count, pitch), old = make_activations(row_count, pitch);
    activations factors = make_activations(1, row_count), bias = make_activations(2, blocks * 16);
    memcpy(old.values, out.values, row_count * pitch * 4);
    kernels->store(g.values, row_count, 0.75f, bias.values, factors.values, true, (float **)out.rows, 3, count);
    for (size_t row = 0; row < row_count; row++) {
        for (size_t i = 0; i < pitch; i++) {
            double value = old.rows[row][i];
            const size_t column = i - 3;
            if (i >= 3) value += factors.values[row] * (0.75 * g.values[(column / 16 * row_count + row) * 16 + column % 16]
                                                        + bias.values[column]);
            compare("results", 0, count, row_count, out.rows[row][i], value, 1e-5);
        }
    }
    for (int clamped = 0; clamped < 2; clamped++) {
        const nibble_gate gate = {0.5f, 2, bias.values, bias.rows[1], clamped, 1.702f, 1.5f};
        kernels->store_gated(g.values, u.values, row_count, &gate, (float **)out.rows, 0, count);
        for (size_t row = 0; row < row_count; row++) {
            for (size_t column = 0; column < count; column++) {
                const size_t place = (column / 16 * row_count + row) * 16 + column % 16;
                double left = 0.5 * g.values[place] + bias.values[column], right = 2 * u.values[place] + bias.rows[1][column];
                if (clamped) left = fmin(left, 1.5), right = fmax(-1.5, fmin(right, 1.5)) + 1;
                const double slope = clamped ? (double)1.702f * left : left;
                compare("gated results", clamped, count, row_count, out.rows[row][column],
                        right * left / (1 + exp(-slope)), 1e-5);
            }
        }
    }
    free_activations(&g), free_activations(&u), free_activations(&out), free_activations(&old);
    free_activations(&factors), free_activations(&bias);
}

static void check_rows(size_t count) {
    const nibble_vector_kernels *kernels = nibble_vector_kernels_plain();
    activations x = make_activations(4, count);
    const float *in = x.rows[0], *weight = x.rows[1];
    float *out = (float *)x.rows[2], *third = (float *)x.rows[3];
    double squares = 0;
    for (size_t i = 0; i < count; i++) squares += (double)in[i] * in[i];
    kernels->rms_norm(in, weight, count, 1e-5f, out);
    for (size_t i = 0; i < count; i++) {
        compare("a norm", 0, count, 1, out[i], in[i] / sqrt(squares / count + 1e-5) * weight[i], 1e-5);
    }
    memcpy(out, in, count * 4);
    kernels->exponentials(out, count, 0.5f);
    for (size_t i = 0; i < count; i++) compare("exp", 0, count, 1, out[i], exp((double)in[i] - 0.5), 1e-5);
    memcpy(out, weight, count * 4);
    kernels->add_scaled(in, count, 0.25f, out);
    for (size_t i = 0; i < count; i++) compare("a sum", 0, count, 1, out[i], weight[i] + 0.25 * in[i], 1e-5);
    // The scores of a row in two blocks.
    float *scores = allocate(count * 4), before[count];
    nibble_softmax_state softmax = {-INFINITY, 0};
    memcpy(before, third, sizeof before), memcpy(scores, in, count * 4);
    kernels->online_softmax(scores, count, third, count, &softmax);
    const double first = softmax.maximum;
    memcpy(before, third, sizeof before), memcpy(scores, weight, count * 4);
    kernels->online_softmax(scores, count, third, count, &softmax);
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += exp(in[i] - softmax.maximum) + exp(weight[i] - softmax.maximum);
    compare("a softmax's sum", 0, count, 1, softmax.sum, sum, 1e-5 * sum);
    for (size_t i = 0; i < count; i++) {
        compare("a softmax's score", 0, count, 1, scores[i], exp(weight[i] - softmax.maximum), 1e-5);
        compare("a softmax's output", 0, count, 1, third[i], before[i] * exp(first - softmax.maximum), 1e-4);
    }
    free(scores), free_activations(&x);
}

static void check_multiply_add(size_t m, size_t panels, size_t k) {
    activations a = make_activations(m, k + 1), b = make_activations(panels, 16 * k), c = make_activations(m, 16 * panels);
    float before[m * 16 * panels];
    memcpy(before, c.values, sizeof before);
    nibble_vector_kernels_plain()->multiply_add(m, panels, k, a.values, k + 1, b.values, 16 * k, c.values, 16 * panels);
    for (size_t row = 0; row < m; row++) {
        for (size_t column = 0; column < 16 * panels; column++) {
            double sum = before[row * 16 * panels + column];
            for (size_t i = 0; i < k; i++) sum += (double)a.rows[row][i] * b.rows[column / 16][16 * i + column % 16];
            compare("a product of rows", 0, k, m, c.rows[row][column], sum, 1e-6 * (k + 1) * 9);
        }
    }
    free_activations(&a), free_activations(&b), free_activations(&c);
}

static const nibble_matrix_kernels *kernels(void) {
#if defined(__aarch64__)
    return nibble_matrix_kernels_neon();
#else
    return nibble_matrix_kernels_plain(); // to try this program
#endif
}

int main(void) {
    printf("processor: %s\n", nibble_cpu_feature_names());
    static const size_t row_counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 33}, outputs[] = {1, 16, 37};
    static const size_t whole[] = {32, 64, 96, 544}, odd[] = {1, 2, 5, 131, 259};
    for (int format = NIBBLE_NVFP4; format <= NIBBLE_COMPACT_BFLOAT16; format++) {
        const int is_packed = format == NIBBLE_NVFP4 || format == NIBBLE_MXFP4;
        for (size_t i = 0; i < 4 + (is_packed ? 0 : 5); i++) {
            for (size_t j = 0; j < 3; j++) {
                matrix m = make_matrix(format, outputs[j], i < 4 ? whole[i] : odd[i - 4]);
                for (size_t k = 0; k < 11; k++) {
                    check_products(kernels(), format, &m, row_counts[k]);
                    if (is_packed) check_bytes(kernels(), format, &m, row_counts[k]);
                }
                free_matrix(&m);
            }
        }
    }
    for (size_t k = 0; k < 11; k++) {
        for (size_t count = 1; count < 50; count += 8) check_results(kernels(), row_counts[k], count);
        check_multiply_add(row_counts[k], 1 + k % 3, 1 + 7 * k);
    }
    for (size_t count = 1; count < 150; count += 13) check_rows(count);
    printf("%zu comparisons, %zu failed, largest error %.2f of what is tolerated\n", comparisons, failures, largest_error);
    return failures > 0;
}

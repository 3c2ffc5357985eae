// One array and one row for each file below cuda/; a test tells which one is missing.
#include "CKernels.h"

static const char any_compare[] = {
#embed "cuda/any/compare.cu"
};
static const char any_copy[] = {
#embed "cuda/any/copy.cu"
};
static const char any_moe_combine[] = {
#embed "cuda/any/moe_combine.cu"
};
static const char any_moe_pack[] = {
#embed "cuda/any/moe_pack.cu"
};
static const char any_quantize[] = {
#embed "cuda/any/quantize.cu"
};
static const char any_quantize_rows[] = {
#embed "cuda/any/quantize_rows.cu"
};
static const char any_read[] = {
#embed "cuda/any/read.cu"
};
static const char any_repack_weights[] = {
#embed "cuda/any/repack_weights.cu"
};
static const char any_route[] = {
#embed "cuda/any/route.cu"
};
static const char common_activation[] = {
#embed "cuda/common/activation.cuh"
};
static const char common_choice[] = {
#embed "cuda/common/choice.cuh"
};
static const char common_grouping[] = {
#embed "cuda/common/grouping.cuh"
};
static const char common_moe[] = {
#embed "cuda/common/moe.cuh"
};
static const char common_nvfp4[] = {
#embed "cuda/common/nvfp4.cuh"
};
static const char common_packed[] = {
#embed "cuda/common/packed.cuh"
};
static const char common_packets[] = {
#embed "cuda/common/packets.cuh"
};
static const char common_ptx[] = {
#embed "cuda/common/ptx.cuh"
};
static const char common_stream[] = {
#embed "cuda/common/stream.cuh"
};
static const char common_tiles[] = {
#embed "cuda/common/tiles.cuh"
};
static const char common_wgmma[] = {
#embed "cuda/common/wgmma.cuh"
};
static const char sm90_moe_gemm[] = {
#embed "cuda/sm90/moe_gemm.cu"
};
static const char sm90_moe_gemm_activation[] = {
#embed "cuda/sm90/moe_gemm_activation.cuh"
};
static const char sm90_moe_gemm_copies[] = {
#embed "cuda/sm90/moe_gemm_copies.cuh"
};
static const char sm90_moe_gemm_cta[] = {
#embed "cuda/sm90/moe_gemm_cta.cuh"
};
static const char sm90_moe_gemm_hidden[] = {
#embed "cuda/sm90/moe_gemm_hidden.cuh"
};
static const char sm90_moe_gemm_items[] = {
#embed "cuda/sm90/moe_gemm_items.cuh"
};
static const char sm90_moe_gemm_outputs[] = {
#embed "cuda/sm90/moe_gemm_outputs.cuh"
};
static const char sm90_moe_gemm_parts[] = {
#embed "cuda/sm90/moe_gemm_parts.cuh"
};
static const char sm90_moe_gemm_products[] = {
#embed "cuda/sm90/moe_gemm_products.cuh"
};
static const char sm90_moe_gemm_shape[] = {
#embed "cuda/sm90/moe_gemm_shape.cuh"
};
static const char sm90_moe_stream[] = {
#embed "cuda/sm90/moe_stream.cu"
};
static const char sm90_multiply_peak[] = {
#embed "cuda/sm90/multiply_peak.cu"
};
static const char sm90_read_bulk[] = {
#embed "cuda/sm90/read_bulk.cu"
};
static const char sm90_stream_arguments[] = {
#embed "cuda/sm90/stream_arguments.cuh"
};
static const char sm90_stream_copy[] = {
#embed "cuda/sm90/stream_copy.cuh"
};
static const char sm90_stream_cta[] = {
#embed "cuda/sm90/stream_cta.cuh"
};
static const char sm90_stream_gathered[] = {
#embed "cuda/sm90/stream_gathered.cuh"
};
static const char sm90_stream_hidden[] = {
#embed "cuda/sm90/stream_hidden.cuh"
};
static const char sm90_stream_multiply[] = {
#embed "cuda/sm90/stream_multiply.cuh"
};
static const char sm90_stream_outputs[] = {
#embed "cuda/sm90/stream_outputs.cuh"
};
static const char sm90_stream_routing[] = {
#embed "cuda/sm90/stream_routing.cuh"
};
static const char sm90_stream_sums[] = {
#embed "cuda/sm90/stream_sums.cuh"
};

static const kernel_source sources[] = {
    {"any/compare.cu", any_compare, sizeof any_compare},
    {"any/copy.cu", any_copy, sizeof any_copy},
    {"any/moe_combine.cu", any_moe_combine, sizeof any_moe_combine},
    {"any/moe_pack.cu", any_moe_pack, sizeof any_moe_pack},
    {"any/quantize.cu", any_quantize, sizeof any_quantize},
    {"any/quantize_rows.cu", any_quantize_rows, sizeof any_quantize_rows},
    {"any/read.cu", any_read, sizeof any_read},
    {"any/repack_weights.cu", any_repack_weights, sizeof any_repack_weights},
    {"any/route.cu", any_route, sizeof any_route},
    {"common/activation.cuh", common_activation, sizeof common_activation},
    {"common/choice.cuh", common_choice, sizeof common_choice},
    {"common/grouping.cuh", common_grouping, sizeof common_grouping},
    {"common/moe.cuh", common_moe, sizeof common_moe},
    {"common/nvfp4.cuh", common_nvfp4, sizeof common_nvfp4},
    {"common/packed.cuh", common_packed, sizeof common_packed},
    {"common/packets.cuh", common_packets, sizeof common_packets},
    {"common/ptx.cuh", common_ptx, sizeof common_ptx},
    {"common/stream.cuh", common_stream, sizeof common_stream},
    {"common/tiles.cuh", common_tiles, sizeof common_tiles},
    {"common/wgmma.cuh", common_wgmma, sizeof common_wgmma},
    {"sm90/moe_gemm.cu", sm90_moe_gemm, sizeof sm90_moe_gemm},
    {"sm90/moe_gemm_activation.cuh", sm90_moe_gemm_activation, sizeof sm90_moe_gemm_activation},
    {"sm90/moe_gemm_copies.cuh", sm90_moe_gemm_copies, sizeof sm90_moe_gemm_copies},
    {"sm90/moe_gemm_cta.cuh", sm90_moe_gemm_cta, sizeof sm90_moe_gemm_cta},
    {"sm90/moe_gemm_hidden.cuh", sm90_moe_gemm_hidden, sizeof sm90_moe_gemm_hidden},
    {"sm90/moe_gemm_items.cuh", sm90_moe_gemm_items, sizeof sm90_moe_gemm_items},
    {"sm90/moe_gemm_outputs.cuh", sm90_moe_gemm_outputs, sizeof sm90_moe_gemm_outputs},
    {"sm90/moe_gemm_parts.cuh", sm90_moe_gemm_parts, sizeof sm90_moe_gemm_parts},
    {"sm90/moe_gemm_products.cuh", sm90_moe_gemm_products, sizeof sm90_moe_gemm_products},
    {"sm90/moe_gemm_shape.cuh", sm90_moe_gemm_shape, sizeof sm90_moe_gemm_shape},
    {"sm90/moe_stream.cu", sm90_moe_stream, sizeof sm90_moe_stream},
    {"sm90/multiply_peak.cu", sm90_multiply_peak, sizeof sm90_multiply_peak},
    {"sm90/read_bulk.cu", sm90_read_bulk, sizeof sm90_read_bulk},
    {"sm90/stream_arguments.cuh", sm90_stream_arguments, sizeof sm90_stream_arguments},
    {"sm90/stream_copy.cuh", sm90_stream_copy, sizeof sm90_stream_copy},
    {"sm90/stream_cta.cuh", sm90_stream_cta, sizeof sm90_stream_cta},
    {"sm90/stream_gathered.cuh", sm90_stream_gathered, sizeof sm90_stream_gathered},
    {"sm90/stream_hidden.cuh", sm90_stream_hidden, sizeof sm90_stream_hidden},
    {"sm90/stream_multiply.cuh", sm90_stream_multiply, sizeof sm90_stream_multiply},
    {"sm90/stream_outputs.cuh", sm90_stream_outputs, sizeof sm90_stream_outputs},
    {"sm90/stream_routing.cuh", sm90_stream_routing, sizeof sm90_stream_routing},
    {"sm90/stream_sums.cuh", sm90_stream_sums, sizeof sm90_stream_sums},
};

const kernel_source *kernel_sources(size_t *count) {
    *count = sizeof sources / sizeof sources[0];
    return sources;
}

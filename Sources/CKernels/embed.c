// One array and one row for each file below cuda/; a test tells which one is missing.
#include "CKernels.h"

static const char any_copy[] = {
#embed "cuda/any/copy.cu"
};
static const char any_stream_read[] = {
#embed "cuda/any/stream_read.cu"
};
static const char common_ptx[] = {
#embed "cuda/common/ptx.cuh"
};
static const char sm90_stream_read_bulk[] = {
#embed "cuda/sm90/stream_read_bulk.cu"
};

static const kernel_source sources[] = {
    {"any/copy.cu", any_copy, sizeof any_copy},
    {"any/stream_read.cu", any_stream_read, sizeof any_stream_read},
    {"common/ptx.cuh", common_ptx, sizeof common_ptx},
    {"sm90/stream_read_bulk.cu", sm90_stream_read_bulk, sizeof sm90_stream_read_bulk},
};

const kernel_source *kernel_sources(size_t *count) {
    *count = sizeof sources / sizeof sources[0];
    return sources;
}

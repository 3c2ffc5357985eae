#pragma once
#include <stddef.h>

#pragma clang assume_nonnull begin

/// A file of kernels in CUDA C++, embedded as text.
typedef struct {
    /// Its path below `cuda/`: `any/copy.cu`.
    const char *path;
    /// Its text in UTF-8, not terminated.
    const char *bytes;
    /// The size of the text.
    size_t count;
} kernel_source;

/// All files; there are `*count`.
const kernel_source *kernel_sources(size_t *count);

#pragma clang assume_nonnull end

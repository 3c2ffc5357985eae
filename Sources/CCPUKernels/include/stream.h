#pragma once
#include <stddef.h>
#include <stdint.h>

/// Reads `count` bytes once, front to back, and returns a value that depends on all of them. `bytes` is 64-byte aligned
/// and `count` a multiple of 64.
uint64_t nibble_stream_read(const void *_Nonnull bytes, size_t count);

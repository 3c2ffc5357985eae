// The entry point of libFuzzer for programs with a main of their own.
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerRunDriver(
    int *_Nonnull argument_count, char *_Nullable *_Nonnull *_Nonnull arguments,
    int (*_Nonnull test_one_input)(const uint8_t *_Nullable data, size_t size));

// A driver and a run-time compiler without a GPU, which the tests open in place of the real ones.
//
// It hands out handles and memory of the host, keeps account of what is alive, refuses what the real driver refuses as
// far as Nibble could get it wrong, and lets any call fail. These functions steer it; tests look them up by name.
#pragma once
#include "CCUDA.h"

#pragma clang assume_nonnull begin

// Forgets everything, as in a new process. Memory and handles that are still alive become invalid.
void fake_reset(void);
// Lets the call of this number after the reset, from 1, fail with a code, and if asked for all later ones too, as when
// the GPU is lost; 0 for none. Error texts do not count.
void fake_fail_call(int number, int code, int andLater);
// How many calls there were, and the name of one by its number.
int fake_call_count(void);
const char *fake_call_name(int number);
// How many handles and allocations are alive.
int fake_live_count(void);
// What was done that must never be done, a double free say; null if nothing was.
const char *_Nullable fake_misuse(void);

// What the machine is: its driver's version (12040), its compiler's (13, 0), its GPUs and their memory.
void fake_set_driver_version(int version);
void fake_set_compiler_version(int major, int minor);
void fake_set_devices(int count, int major, int minor, size_t memoryByteCount);
// The clock of their memory, in kHz, and the width of its bus, in bits.
void fake_set_memory(int clockRate, int busWidth);
// Called in place of the kernel for each launch that is executed, with the launch's index.
void fake_set_kernel(void (*_Nullable kernel)(int launch));

// The launches since the reset, captured ones too; they are counted from 0.
int fake_launch_count(void);
const char *fake_launch_kernel(int launch);
// Grid, block and cluster (0 for none), three numbers each, dynamic shared memory, and two truths: whether it overlaps
// the kernel before, and whether it was captured.
void fake_launch_shape(int launch, unsigned int shape[_Nonnull 12]);
// Copies a parameter and returns its size; 0 if there is no such parameter.
size_t fake_launch_parameter(int launch, int index, unsigned char bytes[_Nonnull 256]);

#pragma clang assume_nonnull end

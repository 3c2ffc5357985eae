#include "cpu_features.h"

#include <stdio.h>

#if defined(__x86_64__)
#include <cpuid.h>

// Which registers the operating system saves (Intel SDM, vol. 1, 13.3 and 14.3).
static uint64_t saved_state(void) {
    uint32_t eax, edx;
    __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    return (uint64_t)edx << 32 | eax;
}

uint32_t nibble_cpu_features(void) {
    enum { XMM_YMM = 0x6, OPMASK_ZMM = 0xe0 };
    uint32_t eax, ebx, ecx, edx;
    uint32_t found = 0;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE)) return 0;
    uint64_t state = saved_state();
    if ((state & XMM_YMM) != XMM_YMM || !(ecx & bit_AVX)) return 0;
    if (ecx & bit_FMA) found |= NIBBLE_CPU_FMA;
    if (ecx & bit_F16C) found |= NIBBLE_CPU_F16C;

    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return found;
    uint32_t subleaves = eax;
    if (ebx & bit_AVX2) found |= NIBBLE_CPU_AVX2;
    if ((state & OPMASK_ZMM) != OPMASK_ZMM || !(ebx & bit_AVX512F)) return found;
    found |= NIBBLE_CPU_AVX512F;
    if (ebx & bit_AVX512BW) found |= NIBBLE_CPU_AVX512BW;
    if (ebx & bit_AVX512VL) found |= NIBBLE_CPU_AVX512VL;
    if (ebx & bit_AVX512DQ) found |= NIBBLE_CPU_AVX512DQ;
    if (ecx & bit_AVX512VBMI) found |= NIBBLE_CPU_AVX512VBMI;
    if (ecx & bit_AVX512VNNI) found |= NIBBLE_CPU_AVX512VNNI;
    if (subleaves >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax & bit_AVX512BF16)) {
        found |= NIBBLE_CPU_AVX512BF16;
    }
    return found;
}
#elif defined(__aarch64__)
uint32_t nibble_cpu_features(void) { return NIBBLE_CPU_NEON; } // part of the base architecture
#else
uint32_t nibble_cpu_features(void) { return 0; }
#endif

static const struct {
    uint32_t feature;
    const char *name;
} names[] = {
    {NIBBLE_CPU_AVX2, "avx2"},
    {NIBBLE_CPU_FMA, "fma"},
    {NIBBLE_CPU_F16C, "f16c"},
    {NIBBLE_CPU_AVX512F, "avx512f"},
    {NIBBLE_CPU_AVX512BW, "avx512bw"},
    {NIBBLE_CPU_AVX512VL, "avx512vl"},
    {NIBBLE_CPU_AVX512DQ, "avx512dq"},
    {NIBBLE_CPU_AVX512VBMI, "avx512vbmi"},
    {NIBBLE_CPU_AVX512VNNI, "avx512vnni"},
    {NIBBLE_CPU_AVX512BF16, "avx512bf16"},
    {NIBBLE_CPU_NEON, "neon"},
};

const char *nibble_cpu_feature_names(void) {
    static _Thread_local char list[sizeof(names) / sizeof(names[0]) * 16];
    uint32_t features = nibble_cpu_features();
    size_t length = 0;
    list[0] = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!(features & names[i].feature)) continue;
        length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%s", length ? " " : "", names[i].name);
    }
    return list;
}

// Matrix products of a warpgroup: c += a · b, a 64x16 in registers (one 16x16 fragment a warp), b 16xN in shared memory,
// c 64xN, N = 16 ... 144. Asynchronous: a and c are in use until wgmma_wait. Source: PTX ISA 9.0, wgmma.
#pragma once
#include "common/ptx.cuh"

#if __CUDA_ARCH_FEAT_SM90_ALL

/// Orders this thread's writes of a and c before the products that follow.
DEVICE void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

/// Waits until at most `pending` of the last groups are unfinished.
template <int pending>
DEVICE void wgmma_wait() { asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory"); }

/// b as rows of 128 bytes (64 of k), swizzled, groups of eight rows contiguous; a k-step further is 2 more.
DEVICE u64 wgmma_descriptor(const void* shared) {
    return (u64)(shared_address(shared) >> 4 & 0x3FFF) | (u64)1 << 16 | (u64)64 << 32 | (u64)1 << 62;
}

/// Keeps the compiler from moving reads of c up to where it is still being written.
template <int count>
DEVICE void wgmma_hold(float (&c)[count][4]) {
#pragma unroll
    for (int i = 0; i < count; ++i) asm volatile("" : "+f"(c[i][0]), "+f"(c[i][1]), "+f"(c[i][2]), "+f"(c[i][3])::"memory");
}

#define SUMS(i) "+f"(c[i][0]), "+f"(c[i][1]), "+f"(c[i][2]), "+f"(c[i][3])
#define SUMS2(i) SUMS(i), SUMS(i + 1)
#define WGMMA(shape, sums, a0, a1, a2, a3, b, ...)                                                                     \
    asm volatile("wgmma.mma_async.sync.aligned." shape ".f32.bf16.bf16 {" sums "}, {" a0 ", " a1 ", " a2 ", " a3 "}, " \
                 b ", 1, 1, 1, 0;"                                                                                     \
                 : __VA_ARGS__                                                                                         \
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b_))

#define SUMS_8 "%0, %1, %2, %3"
#define SUMS_16 SUMS_8 ", %4, %5, %6, %7"
#define SUMS_24 SUMS_16 ", %8, %9, %10, %11"
#define SUMS_32 SUMS_24 ", %12, %13, %14, %15"
#define SUMS_40 SUMS_32 ", %16, %17, %18, %19"
#define SUMS_48 SUMS_40 ", %20, %21, %22, %23"
#define SUMS_56 SUMS_48 ", %24, %25, %26, %27"
#define SUMS_64 SUMS_56 ", %28, %29, %30, %31"
#define SUMS_72 SUMS_64 ", %32, %33, %34, %35"
#define SUMS_80 SUMS_72 ", %36, %37, %38, %39"
#define SUMS_88 SUMS_80 ", %40, %41, %42, %43"
#define SUMS_96 SUMS_88 ", %44, %45, %46, %47"
#define SUMS_104 SUMS_96 ", %48, %49, %50, %51"
#define SUMS_112 SUMS_104 ", %52, %53, %54, %55"
#define SUMS_120 SUMS_112 ", %56, %57, %58, %59"
#define SUMS_128 SUMS_120 ", %60, %61, %62, %63"
#define SUMS_136 SUMS_128 ", %64, %65, %66, %67"
#define SUMS_144 SUMS_136 ", %68, %69, %70, %71"

/// c holds, lane 4g + t of warp w, rows 16w + g and 16w + g + 8 at column pair n * 8 + 2t: c[n][0, 1] and c[n][2, 3].
template <int N, int count>
DEVICE void wgmma(float (&c)[count][4], const u32 (&a)[4], u64 b_) {
    static_assert(N % 8 == 0 && N >= 16 && N <= 144 && N <= 8 * count, "the shapes below");
    if constexpr (N == 16)
        WGMMA("m64n16k16", SUMS_16, "%8", "%9", "%10", "%11", "%12", SUMS2(0));
    else if constexpr (N == 24)
        WGMMA("m64n24k16", SUMS_24, "%12", "%13", "%14", "%15", "%16", SUMS2(0), SUMS(2));
    else if constexpr (N == 32)
        WGMMA("m64n32k16", SUMS_32, "%16", "%17", "%18", "%19", "%20", SUMS2(0), SUMS2(2));
    else if constexpr (N == 40)
        WGMMA("m64n40k16", SUMS_40, "%20", "%21", "%22", "%23", "%24", SUMS2(0), SUMS2(2), SUMS(4));
    else if constexpr (N == 48)
        WGMMA("m64n48k16", SUMS_48, "%24", "%25", "%26", "%27", "%28", SUMS2(0), SUMS2(2), SUMS2(4));
    else if constexpr (N == 56)
        WGMMA("m64n56k16", SUMS_56, "%28", "%29", "%30", "%31", "%32", SUMS2(0), SUMS2(2), SUMS2(4), SUMS(6));
    else if constexpr (N == 64)
        WGMMA("m64n64k16", SUMS_64, "%32", "%33", "%34", "%35", "%36", SUMS2(0), SUMS2(2), SUMS2(4), SUMS2(6));
    else if constexpr (N == 72)
        WGMMA("m64n72k16", SUMS_72, "%36", "%37", "%38", "%39", "%40", SUMS2(0), SUMS2(2), SUMS2(4), SUMS2(6), SUMS(8));
    else if constexpr (N == 80)
        WGMMA("m64n80k16", SUMS_80, "%40", "%41", "%42", "%43", "%44", SUMS2(0), SUMS2(2), SUMS2(4), SUMS2(6), SUMS2(8));
    else if constexpr (N == 88)
        WGMMA("m64n88k16", SUMS_88, "%44", "%45", "%46", "%47", "%48", SUMS2(0), SUMS2(2), SUMS2(4), SUMS2(6), SUMS2(8), SUMS(10));
    else if constexpr (N == 96)
        WGMMA("m64n96k16", SUMS_96, "%48", "%49", "%50", "%51", "%52", SUMS2(0), SUMS2(2), SUMS2(4), SUMS2(6), SUMS2(8), SUMS2(10));
    else if constexpr (N == 104)
        WGMMA("m64n104k16", SUMS_104, "%52", "%53", "%54", "%55", "%56", SUMS2(0), SUMS2(2), SUMS2(4), SUMS2(6), SUMS2(8), SUMS2(10), SUMS(12));
    else if constexpr (N == 112)
        WGMMA("m64n112k16", SUMS_112, "%56", "%57", "%58", "%59", "%60", SUMS2(0), SUMS2(2), SUMS2(4), SUMS2(6), SUMS2(8), SUMS2(10), SUMS2(12));
    else if constexpr (N == 120)
        WGMMA("m64n120k16", SUMS_120, "%60", "%61", "%62", "%63", "%64", SUMS2(0), SUMS2(2), SUMS2(4), SUMS2(6), SUMS2(8), SUMS2(10), SUMS2(12), SUMS(14));
    else if constexpr (N == 128)
        WGMMA("m64n128k16", SUMS_128, "%64", "%65", "%66", "%67", "%68", SUMS2(0), SUMS2(2), SUMS2(4), SUMS2(6), SUMS2(8), SUMS2(10), SUMS2(12), SUMS2(14));
    else if constexpr (N == 136)
        WGMMA("m64n136k16", SUMS_136, "%68", "%69", "%70", "%71", "%72", SUMS2(0), SUMS2(2), SUMS2(4), SUMS2(6), SUMS2(8), SUMS2(10), SUMS2(12), SUMS2(14), SUMS(16));
    else if constexpr (N == 144)
        WGMMA("m64n144k16", SUMS_144, "%72", "%73", "%74", "%75", "%76", SUMS2(0), SUMS2(2), SUMS2(4), SUMS2(6), SUMS2(8), SUMS2(10), SUMS2(12), SUMS2(14), SUMS2(16));
}

#undef WGMMA
#undef SUMS_8
#undef SUMS_16
#undef SUMS_24
#undef SUMS_32
#undef SUMS_40
#undef SUMS_48
#undef SUMS_56
#undef SUMS_64
#undef SUMS_72
#undef SUMS_80
#undef SUMS_88
#undef SUMS_96
#undef SUMS_104
#undef SUMS_112
#undef SUMS_120
#undef SUMS_128
#undef SUMS_136
#undef SUMS_144
#undef SUMS2
#undef SUMS

/// Gives registers back to the SM, or takes some: of every warp of a warpgroup.
template <int registers>
DEVICE void decrease_registers() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(registers)); }
template <int registers>
DEVICE void increase_registers() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(registers)); }

#endif

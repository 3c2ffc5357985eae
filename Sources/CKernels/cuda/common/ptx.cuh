// The PTX that the kernels use, one instruction a function: barriers in shared memory, bulk copies, programmatic launch,
// flags between CTAs, matrix products. Source: PTX ISA 9.0.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define DEVICE __device__ __forceinline__

DEVICE u32 shared_address(const void* pointer) { return (u32)__cvta_generic_to_shared(pointer); }

// --- Loads and stores of 16 bytes that are used once ---

/// Does not displace what the L1 cache holds.
DEVICE uint4 load_once(const uint4* address) {
    uint4 value;
    asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w) : "l"(address));
    return value;
}

/// The first to leave the caches.
DEVICE void store_once(uint4* address, uint4 value) {
    asm volatile("st.global.cs.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(address), "r"(value.x), "r"(value.y), "r"(value.z),
                 "r"(value.w) : "memory");
}

#if __CUDA_ARCH__ >= 900

// --- Barriers in shared memory (mbarrier) ---

DEVICE void barrier_init(u64* barrier, u32 arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals) : "memory");
}

/// Makes the initialised barriers visible to the copy engine.
DEVICE void fence_barrier_init() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }

DEVICE void barrier_arrive(u64* barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
}

/// The lanes of a warp that arrive where all of them have done their part: one is enough after __syncwarp().
/// compute-sanitizer's racecheck knows only what the lane that arrives has done; Scripts/sanitize-kernels makes it 32.
constexpr u32 WARP_ARRIVALS = 1;

DEVICE void warp_arrive(u64* barrier) {
    __syncwarp();
    if (threadIdx.x % 32 < WARP_ARRIVALS) barrier_arrive(barrier);
}

/// Arrives, and holds the barrier's phase open until `bytes` more bytes have been copied.
DEVICE void barrier_arrive_expecting(u64* barrier, u32 bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)), "r"(bytes)
                 : "memory");
}

/// Waits, asleep where it takes long: spinning would take issue slots from the warps that compute.
DEVICE void barrier_wait(u64* barrier, u32 parity) {
    asm volatile(
        "{\n\t.reg .pred done;\n\t"
        "again: mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1, 0x989680;\n\t"
        "@!done bra again;\n\t}" ::"r"(shared_address(barrier)),
        "r"(parity)
        : "memory");
}

/// Whether the phase with this parity is over.
DEVICE bool barrier_test(u64* barrier, u32 parity) {
    u32 done;
    asm volatile(
        "{\n\t.reg .pred done;\n\t"
        "mbarrier.test_wait.parity.shared::cta.b64 done, [%1], %2;\n\t"
        "selp.u32 %0, 1, 0, done;\n\t}"
        : "=r"(done) : "r"(shared_address(barrier)), "r"(parity) : "memory");
    return done != 0;
}

/// The same, but waits a little for it.
DEVICE bool barrier_poll(u64* barrier, u32 parity) {
    u32 done;
    asm volatile(
        "{\n\t.reg .pred done;\n\t"
        "mbarrier.try_wait.parity.shared::cta.b64 done, [%1], %2;\n\t"
        "selp.u32 %0, 1, 0, done;\n\t}"
        : "=r"(done) : "r"(shared_address(barrier)), "r"(parity) : "memory");
    return done != 0;
}

/// Four 8x8 matrices of 16-bit elements between registers and shared memory, transposed: lane 4g + t holds the elements
/// (g; 2t, 2t + 1) of each; lane 8i + j names the 16 bytes of column j of matrix i.
DEVICE void store_transposed(void* column, const u32 (&pairs)[4]) {
    asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};" ::"r"(shared_address(column)),
                 "r"(pairs[0]), "r"(pairs[1]), "r"(pairs[2]), "r"(pairs[3]) : "memory");
}
DEVICE void load_transposed(u32 (&pairs)[4], const void* column) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(pairs[0]), "=r"(pairs[1]), "=r"(pairs[2]), "=r"(pairs[3]) : "r"(shared_address(column)) : "memory");
}

/// One lane of a warp whose lanes are all here, always the same, known to the compiler as such.
DEVICE bool elect_one() {
    u32 elected;
    asm volatile("{.reg .pred p; elect.sync _|p, 0xffffffff; selp.u32 %0, 1, 0, p;}" : "=r"(elected));
    return elected;
}

/// The value of the first lane, which the compiler then knows to be the same in all.
DEVICE u32 same_in_all(u32 value) { return __shfl_sync(~0u, value, 0); }

/// All of so many threads, whole warps, arrive and wait.
template <int index, int threads>
DEVICE void barrier_named() {
    asm volatile("bar.sync %0, %1;" ::"n"(index), "n"(threads) : "memory");
}

// --- Bulk copies, global to shared ---

/// An L2 policy for bytes that are read once.
DEVICE u64 evict_first_policy() {
    u64 policy;
    asm volatile("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
    return policy;
}

/// An L2 policy for bytes that are read many times.
DEVICE u64 evict_last_policy() {
    u64 policy;
    asm volatile("createpolicy.fractional.L2::evict_last.b64 %0, 1.0;" : "=l"(policy));
    return policy;
}

/// Copies `bytes`, a multiple of 16, between addresses that are multiples of 16; counts them off `barrier`.
DEVICE void bulk_copy(void* shared, const void* global, u32 bytes, u64* barrier, u64 policy) {
    asm volatile(
        "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1], %2, [%3], %4;" ::"r"(
            shared_address(shared)),
        "l"(global), "r"(bytes), "r"(shared_address(barrier)), "l"(policy)
        : "memory");
}

/// Whether shared memory is stored by bulk copies. compute-sanitizer's initcheck does not know what these have written;
/// Scripts/sanitize-kernels makes it false.
constexpr bool BULK_STORES = true;

/// Copies `bytes`, a multiple of 16, from shared to global memory, as part of this thread's current group of copies.
DEVICE void bulk_store(void* global, const void* shared, u32 bytes) {
    if (!BULK_STORES) {
        for (u32 i = 0; i < bytes / 16; ++i) static_cast<uint4*>(global)[i] = static_cast<const uint4*>(shared)[i];
        return;
    }
    asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(global), "r"(shared_address(shared)),
                 "r"(bytes)
                 : "memory");
}

DEVICE void bulk_store_commit() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }

/// Waits until this thread's bulk stores have read shared memory.
DEVICE void bulk_store_wait_read() { asm volatile("cp.async.bulk.wait_group.read 0;" ::: "memory"); }

/// Waits until this thread's bulk stores are in global memory.
DEVICE void bulk_store_wait() { asm volatile("cp.async.bulk.wait_group 0;" ::: "memory"); }

/// Orders ordinary accesses to memory and those of the copy engine and the matrix units.
DEVICE void fence_async() { asm volatile("fence.proxy.async;" ::: "memory"); }

/// The same for shared memory alone, which is far cheaper.
DEVICE void fence_async_shared() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

/// Arrives once this thread's 16-byte copies so far are complete; the arrival is one that `barrier` was initialised to
/// expect.
DEVICE void barrier_arrive_after_copies(u64* barrier) {
    asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(shared_address(barrier)) : "memory");
}

// --- Clusters ---

/// All threads of the cluster arrive and wait in turns; what they wrote to shared memory before they arrived is visible to
/// those that have waited.
DEVICE void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
DEVICE void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }

/// Writes a word of another CTA's shared memory, which lies there as `word` does here.
DEVICE void store_in_cta(u32* word, u32 value, u32 cta) {
    asm volatile(
        "{\n\t.reg .b32 address;\n\t"
        "mapa.shared::cluster.u32 address, %0, %1;\n\t"
        "st.shared::cluster.u32 [address], %2;\n\t}" ::"r"(shared_address(word)),
        "r"(cta), "r"(value)
        : "memory");
}

#endif

// --- Copies of 16 bytes a thread, global to shared ---

DEVICE void copy_16(void* shared, const void* global) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(shared)), "l"(global) : "memory");
}

// --- Programmatic dependent launch ---

/// Waits until the kernels before this one have finished and their stores are visible. Nothing before Hopper.
DEVICE void wait_for_previous_kernel() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

/// Lets the next kernel's CTAs start beside this one's, once every CTA has said so or ended. Nothing before Hopper.
DEVICE void launch_next_kernel() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// --- Flags and counters in global memory, between CTAs ---

DEVICE u32 load_acquire(const u32* pointer) {
    u32 value;
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(value) : "l"(pointer) : "memory");
    return value;
}

/// In no order with other accesses.
DEVICE void add_relaxed(u32* pointer, u32 value) {
    asm volatile("red.relaxed.gpu.global.add.u32 [%0], %1;" ::"l"(pointer), "r"(value) : "memory");
}

DEVICE void add_release(u32* pointer, u32 value) {
    asm volatile("red.release.gpu.global.add.u32 [%0], %1;" ::"l"(pointer), "r"(value) : "memory");
}

/// Reads and writes that neither the compiler nor L1 may serve from elsewhere.
DEVICE uint4 load_volatile(const uint4* pointer) {
    uint4 value;
    asm volatile("ld.volatile.global.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w) : "l"(pointer) : "memory");
    return value;
}

DEVICE void store_volatile(uint4* pointer, uint4 value) {
    asm volatile("st.volatile.global.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(pointer), "r"(value.x), "r"(value.y),
                 "r"(value.z), "r"(value.w) : "memory");
}

/// Counts, in no order with other accesses: takes the next of the numbers 0 ..< count, after which they begin again.
DEVICE u32 count_up(u32* counter, u32 count) {
    u32 number;
    asm volatile("atom.relaxed.gpu.global.inc.u32 %0, [%1], %2;" : "=r"(number) : "l"(counter), "r"(count - 1) : "memory");
    return number;
}

/// The same, after all accesses before it and before all after it.
DEVICE u32 take_number(u32* counter, u32 count) {
    u32 number;
    asm volatile("atom.acq_rel.gpu.global.inc.u32 %0, [%1], %2;" : "=r"(number) : "l"(counter), "r"(count - 1) : "memory");
    return number;
}

// --- Arithmetic ---

/// c += a · b with a 16x16 (row-major fragments), b 16x8, c 16x8; lane = 4 g + t holds c[g][2t, 2t+1] and c[g+8][2t, 2t+1].
DEVICE void mma_16x8x16(float (&c)[4], const u32 (&a)[4], u32 b0, u32 b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Both halves of `pair`, times the low (`half` 0) or high BF16 of `scales`.
template <int half>
DEVICE u32 multiply_bf16x2(u32 pair, u32 scales) {
    u32 product;
    if (half == 0)
        asm("{.reg .b16 l, h; .reg .b32 s; mov.b32 {l, h}, %2; mov.b32 s, {l, l}; mul.rn.bf16x2 %0, %1, s;}"
            : "=r"(product) : "r"(pair), "r"(scales));
    else
        asm("{.reg .b16 l, h; .reg .b32 s; mov.b32 {l, h}, %2; mov.b32 s, {h, h}; mul.rn.bf16x2 %0, %1, s;}"
            : "=r"(product) : "r"(pair), "r"(scales));
    return product;
}

/// Two FP32 numbers as BF16, rounded to nearest even; `low` in the low half.
DEVICE u32 pack_bf16x2(float low, float high) {
    u32 pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
}

DEVICE float bf16_value(u16 bits) { return __uint_as_float((u32)bits << 16); }

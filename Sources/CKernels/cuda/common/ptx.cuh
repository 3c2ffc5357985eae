// Single instructions that CUDA C++ has no words for, under the names of the PTX ISA.
//
// Shared memory is addressed by 32-bit offsets, as PTX does: shared_address() gives them.
#pragma once

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

__device__ __forceinline__ u32 shared_address(const void* pointer) {
    return static_cast<u32>(__cvta_generic_to_shared(pointer));
}

// Programmatic dependent launch: waits until the grids before this one have ended and their writes are visible. Every
// kernel that is launched with overlap executes it before it touches what others write. Nothing before Hopper.
__device__ __forceinline__ void wait_for_previous_grid() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Programmatic dependent launch: lets the next grid begin as soon as all blocks of this one have said so.
__device__ __forceinline__ void allow_next_grid() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;");
#endif
}

// 16 bytes that are read once: they do not displace what the L1 cache holds.
__device__ __forceinline__ uint4 load_once(const uint4* address) {
    uint4 value;
    asm volatile("ld.global.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(value.x), "=r"(value.y), "=r"(value.z), "=r"(value.w)
                 : "l"(address));
    return value;
}

// 16 bytes that are not read again soon: they are the first to leave the caches.
__device__ __forceinline__ void store_once(uint4* address, uint4 value) {
    asm volatile("st.global.cs.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(address), "r"(value.x), "r"(value.y), "r"(value.z),
                 "r"(value.w)
                 : "memory");
}

#if __CUDA_ARCH__ >= 900

// mbarrier: arrivals and bytes are counted; a phase ends when both are complete. Parity is that of the phase, from 0.

__device__ __forceinline__ void mbarrier_init(u32 barrier, u32 arrival_count) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(arrival_count) : "memory");
}

// Makes initialised barriers visible to the copy engine.
__device__ __forceinline__ void fence_mbarrier_init() {
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

__device__ __forceinline__ void mbarrier_arrive(u32 barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}

__device__ __forceinline__ void mbarrier_arrive_expect_tx(u32 barrier, u32 byte_count) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(byte_count) : "memory");
}

__device__ __forceinline__ void mbarrier_wait(u32 barrier, u32 parity) {
    asm volatile(
        "{\n"
        ".reg .pred done;\n"
        "again:\n"
        "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
        "@!done bra again;\n"
        "}\n" ::"r"(barrier),
        "r"(parity)
        : "memory");
}

// Copies to shared memory and then adds the bytes to a barrier; addresses and size are multiples of 16.
__device__ __forceinline__ void bulk_copy_to_shared(u32 destination, const void* source, u32 byte_count, u32 barrier) {
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(
                     destination),
                 "l"(__cvta_generic_to_global(source)), "r"(byte_count), "r"(barrier)
                 : "memory");
}

#endif

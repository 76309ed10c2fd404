/*
 * Which kernel tables this CPU runs: asked of the CPU, and of the operating system, which must save
 * the wide registers before they can be trusted (XGETBV). The only file that looks at the CPU.
 */
#include "kernels/kernels.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>

struct cpu {
    bool avx2_fma; /* AVX2, FMA, F16C and PCLMULQDQ, and the system saves ymm */
    bool avx512;   /* F, BW, DQ and VL, and the system saves zmm and masks */
    bool vnni;     /* AVX-512 VNNI, and all of that */
};

static uint64_t read_xcr0(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static struct cpu detect(void) {
    unsigned a, b, c, d;
    struct cpu cpu = {0};
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX) || !(c & bit_FMA) ||
        !(c & bit_F16C) || !(c & bit_PCLMUL))
        return cpu;
    uint64_t xcr0 = read_xcr0();
    if ((xcr0 & 0x06) != 0x06 || !__get_cpuid_count(7, 0, &a, &b, &c, &d))
        return cpu;
    cpu.avx2_fma = b & bit_AVX2;
    unsigned wide = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    cpu.avx512 = cpu.avx2_fma && (b & wide) == wide && (xcr0 & 0xe6) == 0xe6;
    cpu.vnni = cpu.avx512 && (c & bit_AVX512VNNI);
    return cpu;
}

const char *ms_cpu_features(void) {
    struct cpu cpu = detect();
    return cpu.vnni       ? "avx2 fma avx512 vnni"
           : cpu.avx512   ? "avx2 fma avx512"
           : cpu.avx2_fma ? "avx2 fma"
                          : "";
}

const struct ms_kernels *const *ms_kernels_available(void) {
    static const struct ms_kernels *const plain[] = {&ms_kernels_reference, NULL};
    static const struct ms_kernels *const avx2[] = {&ms_kernels_reference, &ms_kernels_avx2, NULL};
    static const struct ms_kernels *const avx512[] = {&ms_kernels_reference, &ms_kernels_avx2,
                                                      &ms_kernels_avx512, NULL};
    static const struct ms_kernels *const vnni[] = {&ms_kernels_reference, &ms_kernels_avx2,
                                                    &ms_kernels_avx512, &ms_kernels_vnni, NULL};
    struct cpu cpu = detect();
    return cpu.vnni ? vnni : cpu.avx512 ? avx512 : cpu.avx2_fma ? avx2 : plain;
}

/* The brand string (CPUID 0x80000002 to 4), and family and model, because virtual machines hide
 * much of the first. */
const char *ms_cpu_name(char name[80]) {
    unsigned words[12], a, b, c, d;
    char brand[sizeof words + 1] = {0};
    name[0] = '\0';
    for (unsigned i = 0; i < 3; i++)
        if (!__get_cpuid(0x80000002 + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2],
                         &words[4 * i + 3]))
            return name;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return name;
    memcpy(brand, words, sizeof words);
    for (size_t end = strlen(brand); end > 0 && brand[end - 1] == ' '; end--)
        brand[end - 1] = '\0';
    unsigned family = (a >> 8 & 15) + (a >> 20 & 255), model = (a >> 4 & 15) + (a >> 12 & 0xf0);
    snprintf(name, 80, "%s, family %u, model %u", brand + strspn(brand, " "), family, model);
    return name;
}

#else

/* None that a program could ask for. */
const char *ms_cpu_name(char name[80]) {
    name[0] = '\0';
    return name;
}

#if defined(__aarch64__)

const char *ms_cpu_features(void) {
    return "neon";
}

const struct ms_kernels *const *ms_kernels_available(void) {
    static const struct ms_kernels *const neon[] = {&ms_kernels_reference, &ms_kernels_neon, NULL};
    return neon;
}

#elif defined(__arm__)
#include <asm/hwcap.h>
#include <sys/auxv.h>

static bool has_vfpv4(void) {
    return getauxval(AT_HWCAP) & HWCAP_VFPv4;
}

const char *ms_cpu_features(void) {
    return has_vfpv4() ? "vfpv4" : "";
}

const struct ms_kernels *const *ms_kernels_available(void) {
    static const struct ms_kernels *const plain[] = {&ms_kernels_reference, NULL};
    static const struct ms_kernels *const vfpv4[] = {&ms_kernels_reference, &ms_kernels_vfpv4,
                                                     NULL};
    return has_vfpv4() ? vfpv4 : plain;
}

#else

const char *ms_cpu_features(void) {
    return "";
}

const struct ms_kernels *const *ms_kernels_available(void) {
    static const struct ms_kernels *const plain[] = {&ms_kernels_reference, NULL};
    return plain;
}

#endif
#endif

const struct ms_kernels *ms_kernels_choose(const char *name) {
    const struct ms_kernels *chosen = NULL;
    for (const struct ms_kernels *const *table = ms_kernels_available(); *table; table++)
        if (!name || strcmp(name, (*table)->name) == 0)
            chosen = *table;
    return chosen;
}

/*
 * The floating-point environment that the numbers need: round to nearest, subnormal numbers kept,
 * no traps. A caller may run with another one; every function that computes brackets its work.
 */
#ifndef MS_BASE_FLOAT_ENV_H
#define MS_BASE_FLOAT_ENV_H

#if defined(__x86_64__)
/* All arithmetic here is SSE's, whose control register is one instruction away; <fenv.h> would have
 * every program load libm. */
#include <xmmintrin.h>

struct ms_float_env {
    unsigned saved;
};

/* Keeps the caller's environment and sets the needed one. */
static inline void ms_float_env_enter(struct ms_float_env *env) {
    env->saved = _mm_getcsr();
    _mm_setcsr(_MM_MASK_MASK | _MM_ROUND_NEAREST);
}

static inline void ms_float_env_leave(const struct ms_float_env *env) {
    _mm_setcsr(env->saved);
}
#else
#include <fenv.h>

struct ms_float_env {
    fenv_t saved;
};

static inline void ms_float_env_enter(struct ms_float_env *env) {
    fegetenv(&env->saved);
    fesetenv(FE_DFL_ENV);
}

static inline void ms_float_env_leave(const struct ms_float_env *env) {
    fesetenv(&env->saved);
}
#endif

#endif

/*
 * The floating-point environment that the numbers need: round to nearest, subnormal numbers kept,
 * no traps. A caller may run with another one; every function that computes brackets its work.
 */
#ifndef MS_BASE_FLOAT_ENV_H
#define MS_BASE_FLOAT_ENV_H

#include <fenv.h>

struct ms_float_env {
    fenv_t saved;
};

/* Keeps the caller's environment and sets the needed one. */
static inline void ms_float_env_enter(struct ms_float_env *env) {
    fegetenv(&env->saved);
    fesetenv(FE_DFL_ENV);
}

static inline void ms_float_env_leave(const struct ms_float_env *env) {
    fesetenv(&env->saved);
}

#endif

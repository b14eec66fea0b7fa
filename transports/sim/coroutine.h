/* SPDX-License-Identifier: Apache-2.0
 *
 * Coroutines: functions, each with a stack of its own, that stop in the middle and go on later, all
 * in one thread.
 */
#ifndef MWI_SIM_COROUTINE_H
#define MWI_SIM_COROUTINE_H

#include <stdbool.h>
#include <stddef.h>

struct mwi_sim_coroutine;

/* The coroutines that are free to be used again, and the size of a new one's stack. All zero but
 * for stack_bytes at the start. */
struct mwi_sim_coroutine_pool {
    struct mwi_sim_coroutine *idle;
    size_t stack_bytes;
};

/* A coroutine that will run `run(context)` from the first resume on; the caller must put it back.
 * Borrows `context` until `run` returns. NULL out of memory. */
struct mwi_sim_coroutine *mwi_sim_coroutine_take(struct mwi_sim_coroutine_pool *pool,
                                                 void (*run)(void *context), void *context);

/* Puts a coroutine back that was never resumed, or whose function has returned. */
void mwi_sim_coroutine_put(struct mwi_sim_coroutine_pool *pool,
                           struct mwi_sim_coroutine *coroutine);

/* Frees the coroutines that were put back. */
void mwi_sim_coroutine_pool_fini(struct mwi_sim_coroutine_pool *pool);

/* Runs the coroutine on until it yields (true) or its function has returned (false). To be called
 * from any stack but its own. */
bool mwi_sim_coroutine_resume(struct mwi_sim_coroutine *coroutine);

/* Within the coroutine: goes back to its last mwi_sim_coroutine_resume, which returns true. */
void mwi_sim_coroutine_yield(struct mwi_sim_coroutine *coroutine);

#endif

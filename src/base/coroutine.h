/* SPDX-License-Identifier: Apache-2.0
 *
 * Coroutines: functions, each with a stack of its own, that stop in the middle and go on later, all
 * in one thread.
 */
#ifndef MWI_COROUTINE_H
#define MWI_COROUTINE_H

#include <stdbool.h>
#include <stddef.h>

struct mwi_coroutine;

/* All coroutines, those that are free to be used again, and the size of a stack. All zero but for
 * stack_bytes at the start, which then stays as it is. */
struct mwi_coroutine_pool {
    struct mwi_coroutine *idle;
    size_t stack_bytes;
    struct mwi_coroutine_arena *arenas; /* the newest first */
    size_t stacks_count, taken_count;
};

/* A coroutine that will run `run(context)` from the first resume on; the caller must put it back.
 * Borrows `context` until `run` returns. NULL out of memory. */
struct mwi_coroutine *mwi_coroutine_take(struct mwi_coroutine_pool *pool,
                                         void (*run)(void *context), void *context);

/* Puts a coroutine back that was never resumed, or whose function has returned. */
void mwi_coroutine_put(struct mwi_coroutine_pool *pool, struct mwi_coroutine *coroutine);

/* Frees the coroutines, which must all have been put back. */
void mwi_coroutine_pool_fini(struct mwi_coroutine_pool *pool);

/* Runs the coroutine on until it yields (true) or its function has returned (false). To be called
 * from any stack but its own. */
bool mwi_coroutine_resume(struct mwi_coroutine *coroutine);

/* Within the coroutine: goes back to its last mwi_coroutine_resume, which returns true. */
void mwi_coroutine_yield(struct mwi_coroutine *coroutine);

#endif

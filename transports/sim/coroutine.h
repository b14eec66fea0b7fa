/* SPDX-License-Identifier: Apache-2.0
 *
 * Coroutines: functions with a stack of their own that give way and go on later, in one thread.
 */
#ifndef MWI_COROUTINE_H
#define MWI_COROUTINE_H

#include <stdbool.h>
#include <stddef.h>

struct mwi_coroutine;

/* The coroutines that are free to be used again, and how large the stack of a new one is. All zero
 * but for stack_bytes at the start. */
struct mwi_coroutine_pool {
    struct mwi_coroutine *idle;
    size_t stack_bytes;
};

/* Gives a coroutine that will run `run(context)` from the first resume on; NULL out of memory. To
 * be put back. */
struct mwi_coroutine *mwi_coroutine_take(struct mwi_coroutine_pool *pool,
                                         void (*run)(void *context), void *context);

/* Puts a coroutine back that was never resumed, or whose function has returned. */
void mwi_coroutine_put(struct mwi_coroutine_pool *pool, struct mwi_coroutine *coroutine);

/* Frees those that were put back. */
void mwi_coroutine_pool_fini(struct mwi_coroutine_pool *pool);

/* Goes on with the coroutine until it yields (true) or its function has returned (false). From any
 * stack but its own. */
bool mwi_coroutine_resume(struct mwi_coroutine *coroutine);

/* Within the coroutine: back to whoever resumed it. */
void mwi_coroutine_yield(struct mwi_coroutine *coroutine);

#endif

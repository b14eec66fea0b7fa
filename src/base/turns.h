/* SPDX-License-Identifier: Apache-2.0
 *
 * Two programs that take turns in one thread, such as a master and its only slave. Each has a stack
 * of its own, and a side, which is the environment of its transports of scheme "inproc". A poll
 * that has nothing to hand out ends the turn. The front side was there first: it sleeps when
 * neither has anything to do. The back side gives way instead.
 */
#ifndef MWI_TURNS_H
#define MWI_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

struct mwi_turns_side {
    struct mwi_turns_side *other;
    bool is_front;
    /* Runs the other side until it gives way or has ended. Called by a poll of this side. */
    void (*give_way)(void *context);
    void *context;
    bool has_given_way; /* it is in give_way */
    bool is_over;       /* its polls fail, so that the program comes to its end */
    /* When it wants its next turn although nothing has arrived for it: INT64_MIN at once, INT64_MAX
     * never. Means something for the back side only. */
    int64_t due_ns;
    struct mwi_list transports; /* that the side has open */
    size_t arrived_count;       /* events that wait in them */
};

/* Joins two sides. The back side gets no turn before the caller sets its due_ns. The caller sets
 * give_way of both, and keeps them where they are. */
static inline void mwi_turns_init(struct mwi_turns_side *front, struct mwi_turns_side *back,
                                  void *context)
{
    *front = (struct mwi_turns_side){
        .other = back, .is_front = true, .context = context, .due_ns = INT64_MAX};
    *back = (struct mwi_turns_side){.other = front, .context = context, .due_ns = INT64_MAX};
    mwi_list_init(&front->transports);
    mwi_list_init(&back->transports);
}

/* Whether the side has something to do at `now_ns`. */
static inline bool mwi_turns_is_due(const struct mwi_turns_side *side, int64_t now_ns)
{
    return side->arrived_count > 0 || side->due_ns <= now_ns;
}

#endif

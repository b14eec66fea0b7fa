/* SPDX-License-Identifier: Apache-2.0
 *
 * The chores of a loop: work beside the engine that has times of its own, such as writing the
 * resource file again, or starting local slaves anew. Each is a row of one table; the loop tends
 * them all in each turn and waits no longer than the first deadline.
 */
#ifndef MWI_CHORES_H
#define MWI_CHORES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MWI_CHORES_MAX 8

/* All functions are mandatory. They are called outside of a transport's events, with `context`, and
 * must not wait, but for close. Times are those of mwi_loop_now. */
struct mwi_chore_entry {
    void *context;
    /* Does what is due. Called in each turn, before the loop waits: return at once if nothing is
     * due. */
    void (*tend)(void *context, int64_t now_ns);
    /* When tend must be called again at the latest; INT64_MAX: no time is known. */
    int64_t (*deadline)(const void *context);
    /* The farm ends: well (is_finished), or not. The chore begins nothing new from now on, but is
     * tended until it is closed, while the master waits for its slaves. */
    void (*stop)(void *context, bool is_finished);
    /* Ends what is under way, waiting for it until `deadline_ns` at the latest, and frees the
     * chore. Only here a chore may wait. */
    void (*close)(void *context, int64_t deadline_ns);
};

/* Zeroed: no chores. */
struct mwi_chores {
    struct mwi_chore_entry rows[MWI_CHORES_MAX];
    size_t count;
    bool is_stopped;
};

/* Copies the row into the table, which has room for MWI_CHORES_MAX. From now on the table owns the
 * context: close frees it. */
void mwi_chores_add(struct mwi_chores *chores, const struct mwi_chore_entry *chore);

/* Tends all, in the order in which they were added. */
void mwi_chores_tend(struct mwi_chores *chores, int64_t now_ns);

/* The earliest deadline, INT64_MAX if there is none. */
int64_t mwi_chores_deadline(const struct mwi_chores *chores);

/* Stops all, in the order in which they were added. The second call and later ones do nothing. */
void mwi_chores_stop(struct mwi_chores *chores, bool is_finished);

/* Closes all, in reverse order, and empties the table. */
void mwi_chores_close(struct mwi_chores *chores, int64_t deadline_ns);

#endif

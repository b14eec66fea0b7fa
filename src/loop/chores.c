/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of chores of a loop. A chore is added when it is opened, and may use those that were
 * added before it until its own close has returned: so they are closed in reverse order. The loop
 * tends them and asks for their deadlines; face/master_open stops and closes them.
 *
 * To add a chore, write a room like announce.c: its open ends with mwi_chores_add on the table of
 * its loop, and nothing else in the library needs to know of it.
 */
#include "loop/chores.h"

#include <assert.h>

#include "base/time.h"

void mwi_chores_add(struct mwi_chores *chores, const struct mwi_chore_entry *chore)
{
    assert(chores->count < MWI_CHORES_MAX && !chores->is_stopped);
    assert(chore->tend != NULL && chore->deadline != NULL);
    assert(chore->stop != NULL && chore->close != NULL);
    chores->rows[chores->count++] = *chore;
}

void mwi_chores_tend(struct mwi_chores *chores, int64_t now_ns)
{
    for (size_t i = 0; i < chores->count; i++)
        chores->rows[i].tend(chores->rows[i].context, now_ns);
}

int64_t mwi_chores_deadline(const struct mwi_chores *chores)
{
    int64_t deadline_ns = INT64_MAX;
    for (size_t i = 0; i < chores->count; i++)
        deadline_ns =
            mwi_time_earlier(deadline_ns, chores->rows[i].deadline(chores->rows[i].context));
    return deadline_ns;
}

void mwi_chores_stop(struct mwi_chores *chores, bool is_finished)
{
    if (chores->is_stopped)
        return;
    chores->is_stopped = true;
    for (size_t i = 0; i < chores->count; i++)
        chores->rows[i].stop(chores->rows[i].context, is_finished);
}

void mwi_chores_close(struct mwi_chores *chores, int64_t deadline_ns)
{
    while (chores->count > 0) {
        const struct mwi_chore_entry *last = &chores->rows[--chores->count];
        last->close(last->context, deadline_ns);
    }
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts the lines about strangers, second by second. membership and master_engine tell them here
 * and nowhere else, since anybody who reaches a master's port can cause them.
 *
 * Invariants: the timer runs exactly while strangers were left out and not summed up, so it wakes
 * no master whose trail is quiet. A second begins with a line, and never with the timer.
 *
 * A new line about somebody who is no slave asks may_tell first.
 */
#include "engine/strangers.h"

#include "base/time.h"
#include "engine/outgoing.h"

/* Whether `lines_count` more lines may be written in this second. */
static bool may_tell(struct mwi_master_engine *engine, unsigned lines_count)
{
    struct mwi_strangers *strangers = &engine->strangers;
    if (engine->now_ns >= mwi_time_after(strangers->since_ns, MWI_NS_PER_S)) {
        mwi_strangers_sum_up(engine);
        strangers->since_ns = engine->now_ns;
        strangers->lines_count = 0;
    }
    if (strangers->lines_count >= MWI_STRANGERS_LINES_MAX)
        return false;
    strangers->lines_count += lines_count;
    return true;
}

/* Counts a stranger that the trail does not tell of. Without memory for the timer the next line
 * tells of it. */
static void leave_out(struct mwi_master_engine *engine)
{
    struct mwi_strangers *strangers = &engine->strangers;
    int64_t left_ns = mwi_time_after(strangers->since_ns, MWI_NS_PER_S) - engine->now_ns;
    if (strangers->untold_count++ == 0)
        (void)mwi_master_state_start_timer(engine, &strangers->timer, MWI_TIMER_STRANGERS, left_ns);
}

void mwi_strangers_sum_up(struct mwi_master_engine *engine)
{
    struct mwi_strangers *strangers = &engine->strangers;
    mwi_timers_stop(&engine->timers, &strangers->timer);
    if (strangers->untold_count > 0)
        MWI_OUTGOING_AUDIT(engine, NULL, .kind = MWI_AUDIT_STRANGERS_MORE,
                           .count = strangers->untold_count);
    strangers->untold_count = 0;
}

static void tell_of_client(struct mwi_master_engine *engine, struct mwi_slave_entry *client)
{
    client->is_told = true;
    MWI_OUTGOING_AUDIT(engine, client, .kind = MWI_AUDIT_NEW_CLIENT, .transport = client->transport,
                       .address = client->address);
}

void mwi_strangers_come(struct mwi_master_engine *engine, struct mwi_slave_entry *client)
{
    if (may_tell(engine, 1))
        tell_of_client(engine, client);
}

void mwi_strangers_greeted(struct mwi_master_engine *engine, struct mwi_slave_entry *client)
{
    if (!client->is_told)
        tell_of_client(engine, client);
}

bool mwi_strangers_go(struct mwi_master_engine *engine, struct mwi_slave_entry *client,
                      const char *reason)
{
    if (!may_tell(engine, reason == NULL ? 1 : 2)) {
        leave_out(engine);
        return false;
    }
    enum mwi_audit_kind kind =
        engine->is_shutting_down ? MWI_AUDIT_CLIENT_LATE : MWI_AUDIT_CLIENT_REFUSED;
    if (reason != NULL)
        MWI_OUTGOING_AUDIT(engine, client, .kind = kind, .transport = client->transport,
                           .address = client->address, .reason = reason);
    return true;
}

void mwi_strangers_turned_away(struct mwi_master_engine *engine, const struct mwi_event *event)
{
    bool is_of_several = event->name[0] == '\0'; /* the transport has summed up already */
    if (is_of_several || may_tell(engine, 1))
        MWI_OUTGOING_AUDIT(engine, NULL, .kind = MWI_AUDIT_STRANGER, .transport = event->transport,
                           .address = event->name, .reason = event->reason);
    else
        leave_out(engine);
}

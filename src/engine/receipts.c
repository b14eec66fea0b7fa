/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts the results of each slave. A count goes through three stages, in this order:
 *
 *   kept_count    the master has these results, and has added them to the journal
 *   marked_count  these are durable once the journal is up to kept_mark; 0 while none is marked
 *   told_count    the slave was told of these
 *
 * A slave has one mark at a time: results that come meanwhile get the next one. It is in the list
 * `unconfirmed` from its first result that it was not told of until it was told of all. To tell
 * slaves of something else that must be durable first, count it here too. Called by master_engine
 * and offers, which note results, and in each tick.
 */
#include "engine/receipts.h"

#include "engine/outgoing.h"
#include "record/journal.h"

static void tell_kept(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                      uint64_t count)
{
    struct mwi_buffer buffer;
    slave->told_count = count;
    mwi_buffer_init(&buffer);
    mwi_message_write_number(&buffer, MWI_MESSAGE_KEPT, count);
    mwi_outgoing_send(engine, slave, &buffer);
}

void mwi_receipts_note(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                       size_t count)
{
    slave->kept_count += count;
    if (engine->journal == NULL)
        tell_kept(engine, slave, slave->kept_count);
    else if (mwi_list_is_empty(&slave->unconfirmed_link))
        mwi_list_append(&engine->unconfirmed, &slave->unconfirmed_link);
}

/* Whether the results that were marked are durable; without a journal they are in any case. */
static bool are_durable(const struct mwi_master_engine *engine, const struct mwi_slave_entry *slave)
{
    return engine->journal == NULL || mwi_journal_is_durable(engine->journal, slave->kept_mark);
}

void mwi_receipts_tell_durable(struct mwi_master_engine *engine)
{
    struct mwi_list *list = &engine->unconfirmed;
    if (mwi_list_is_empty(list))
        return;
    uint64_t mark = engine->journal == NULL ? 0 : mwi_journal_mark(engine->journal);
    for (struct mwi_list *link = list->next, *next; link != list; link = next) {
        struct mwi_slave_entry *slave =
            MWI_LIST_ENTRY(link, struct mwi_slave_entry, unconfirmed_link);
        next = link->next;
        if (slave->marked_count > 0 && !are_durable(engine, slave))
            continue;
        if (slave->marked_count > 0)
            tell_kept(engine, slave, slave->marked_count);
        slave->marked_count = slave->kept_count;
        slave->kept_mark = mark;
        if (slave->told_count == slave->kept_count) {
            slave->marked_count = 0;
            mwi_list_remove(link);
        }
    }
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * A list of messages, in the order in which they would have been sent. journaling begins it for a
 * slave, outgoing adds to it, and membership sends what it may at each tick. There is one list for
 * all slaves, and its first message decides: a journal becomes durable from its beginning on, so no
 * later mark is reached before an earlier one.
 *
 * Invariants: the messages of one slave leave in their order, since whatever is sent to a slave
 * that has one here is put here, too. A slave that is lost has none.
 */
#include "engine/withheld.h"

#include <assert.h>
#include <stdlib.h>

#include "base/body.h"
#include "record/journal.h"

struct withheld_frame {
    struct mwi_list link;
    struct mwi_slave_entry *slave;
    uint64_t mark;
    void *frame;
    size_t size;
    mw_body body;
};

static struct withheld_frame *frame_of(struct mwi_list *link)
{
    return MWI_LIST_ENTRY(link, struct withheld_frame, link);
}

/* The frame and its body are the caller's. */
static void remove_frame(struct withheld_frame *withheld)
{
    struct mwi_slave_entry *slave = withheld->slave;
    assert(slave->withheld_count > 0);
    if (--slave->withheld_count == 0)
        slave->withheld_mark = 0;
    mwi_list_remove(&withheld->link);
    free(withheld);
}

static void free_frame(struct withheld_frame *withheld)
{
    free(withheld->frame);
    mwi_body_release(&withheld->body);
    remove_frame(withheld);
}

void mwi_withheld_fini(struct mwi_master_engine *engine)
{
    while (!mwi_list_is_empty(&engine->withheld))
        free_frame(frame_of(engine->withheld.next));
}

void mwi_withheld_begin(struct mwi_slave_entry *slave, uint64_t mark, int64_t now_ns)
{
    assert(mark >= slave->withheld_mark);
    if (!mwi_withheld_is_due(slave))
        slave->withheld_ns = now_ns;
    slave->withheld_mark = mark;
}

void mwi_withheld_add(struct mwi_master_engine *engine, struct mwi_slave_entry *slave, void *frame,
                      size_t size, const mw_body *body)
{
    struct withheld_frame *withheld = frame == NULL ? NULL : malloc(sizeof *withheld);
    assert(mwi_withheld_is_due(slave));
    if (withheld == NULL) {
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
        free(frame);
        mwi_body_release(body);
        return;
    }
    *withheld = (struct withheld_frame){
        .slave = slave, .mark = slave->withheld_mark, .frame = frame, .size = size};
    if (body != NULL)
        withheld->body = *body;
    slave->withheld_count++;
    mwi_list_append(&engine->withheld, &withheld->link);
}

struct mwi_slave_entry *mwi_withheld_release(struct mwi_master_engine *engine)
{
    if (mwi_list_is_empty(&engine->withheld))
        return NULL;
    struct withheld_frame *withheld = frame_of(engine->withheld.next);
    struct mwi_slave_entry *slave = withheld->slave;
    if (engine->journal != NULL && !mwi_journal_is_durable(engine->journal, withheld->mark))
        return NULL;
    mwi_effects_send_body(&engine->effects, slave->peer, withheld->frame, withheld->size,
                          &withheld->body);
    remove_frame(withheld);
    return slave;
}

struct mwi_slave_entry *mwi_withheld_first(const struct mwi_master_engine *engine)
{
    return mwi_list_is_empty(&engine->withheld) ? NULL : frame_of(engine->withheld.next)->slave;
}

void mwi_withheld_forget(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    struct mwi_list *list = &engine->withheld;
    slave->withheld_mark = 0;
    if (slave->withheld_count == 0)
        return;
    for (struct mwi_list *link = list->next, *next; link != list; link = next) {
        next = link->next;
        if (frame_of(link)->slave == slave)
            free_frame(frame_of(link));
    }
}

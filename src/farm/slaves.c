/* SPDX-License-Identifier: Apache-2.0
 *
 * The store of slaves. membership changes their states, dispatch asks which slave can be sent
 * tasks.
 *
 * Invariants: a slave is in exactly one list by state, and the counts go with the lists. Of the
 * lists with_ordered, idle and with_room and the heap `unfit` it is in one at most, which
 * mwi_slaves_update chooses; keep_taker alone keeps the heap `takers`. A disconnected slave stays
 * in its list until it is reaped, because audit records of the same step still point to its
 * address.
 *
 * If something else decides whether a slave can be sent tasks, change mwi_slaves_update. Facts of a
 * slave's host belong to hosts.c, the work that it has ahead to load.c.
 */
#include "farm/slaves.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mwi_slave_entry *slave_of(struct mwi_list *link)
{
    return MWI_LIST_ENTRY(link, struct mwi_slave_entry, link);
}

static void enter(struct mwi_slaves *slaves, struct mwi_slave_entry *slave)
{
    mwi_list_append(&slaves->lists[slave->state], &slave->link);
    slaves->counts[slave->state]++;
}

/* Slaves that accept the largest messages come first. */
static void enter_heap(struct mwi_heap *heap, struct mwi_heap_node *node,
                       const struct mwi_slave_entry *slave)
{
    mwi_heap_put(heap, node, -(int64_t)slave->frame_bytes_max, slave->sid);
}

static void enter_idle(struct mwi_slaves *slaves, struct mwi_slave_entry *slave)
{
    mwi_list_append(&slaves->idle, &slave->ready_link);
    slave->is_in_idle = true;
    slaves->idle_count++;
}

void mwi_slaves_update(struct mwi_slaves *slaves, struct mwi_slave_entry *slave)
{
    bool is_idle = slave->state == MWI_SLAVE_IDLE;
    bool has_room = slave->state == MWI_SLAVE_BUSY && slave->load.has_room;
    mwi_list_remove(&slave->ready_link);
    slaves->idle_count -= slave->is_in_idle;
    slave->is_in_idle = false;
    if (slave->unfit_node.position > 0)
        mwi_heap_remove(&slaves->unfit, &slave->unfit_node);
    if ((!is_idle && !has_room) || slave->is_leaving || slave->is_offering)
        return;
    if (!mwi_list_is_empty(&slave->ordered))
        mwi_list_append(&slaves->with_ordered, &slave->ready_link);
    else if (slave->group == MWI_GROUP_ORDERED || slave->is_held)
        return;
    else if (has_room)
        mwi_list_append(&slaves->with_room, &slave->ready_link);
    else if (slave->is_unfit)
        enter_heap(&slaves->unfit, &slave->unfit_node, slave);
    else
        enter_idle(slaves, slave);
}

static bool is_ready(enum mwi_slave_state state)
{
    return state == MWI_SLAVE_IDLE || state == MWI_SLAVE_BUSY;
}

static void keep_in(struct mwi_heap *heap, struct mwi_heap_node *node,
                    const struct mwi_slave_entry *slave, bool is_in)
{
    if (!is_in)
        mwi_heap_remove(heap, node);
    else if (node->position == 0)
        enter_heap(heap, node, slave);
}

/* The slave takes tasks from the pool, or does so no more; or it is proven from now on. */
static void keep_taker(struct mwi_slaves *slaves, struct mwi_slave_entry *slave)
{
    bool is_taker =
        is_ready(slave->state) && slave->group != MWI_GROUP_ORDERED && !slave->is_leaving;
    keep_in(&slaves->takers, &slave->taker, slave, is_taker);
    keep_in(&slaves->proven, &slave->proven_node, slave, is_taker && slave->is_proven);
}

void mwi_slaves_prove(struct mwi_slaves *slaves, struct mwi_slave_entry *slave)
{
    assert(!slave->is_proven);
    slave->is_proven = true;
    slaves->proven_count++;
    keep_taker(slaves, slave);
}

void mwi_slaves_set_leaving(struct mwi_slaves *slaves, struct mwi_slave_entry *slave)
{
    slave->is_leaving = true;
    keep_taker(slaves, slave);
    mwi_slaves_update(slaves, slave);
}

void mwi_slaves_set_unfit(struct mwi_slaves *slaves, struct mwi_slave_entry *slave, bool is_unfit)
{
    assert(slave->state == MWI_SLAVE_IDLE);
    slave->is_unfit = is_unfit;
    mwi_slaves_update(slaves, slave);
}

void mwi_slaves_set_held(struct mwi_slaves *slaves, struct mwi_slave_entry *slave, bool is_held)
{
    slave->is_held = is_held;
    mwi_slaves_update(slaves, slave);
}

/* Nodes of different members of a slave lie in these heaps, so the sid says whose a node is. */
static struct mwi_slave_entry *slave_in(const struct mwi_slaves *slaves,
                                        const struct mwi_heap *heap, size_t place)
{
    return place < heap->count ? mwi_slaves_by_sid(slaves, (uint32_t)heap->entries[place].order)
                               : NULL;
}

struct mwi_slave_entry *mwi_slaves_largest_unfit(const struct mwi_slaves *slaves)
{
    return slave_in(slaves, &slaves->unfit, 0);
}

struct mwi_slave_entry *mwi_slaves_taker(const struct mwi_slaves *slaves, size_t place)
{
    return slave_in(slaves, &slaves->takers, place);
}

struct mwi_slave_entry *mwi_slaves_largest_proven(const struct mwi_slaves *slaves)
{
    return slave_in(slaves, &slaves->proven, 0);
}

size_t mwi_slaves_largest(const struct mwi_slaves *slaves)
{
    const struct mwi_slave_entry *largest = mwi_slaves_taker(slaves, 0);
    return largest == NULL ? 0 : largest->frame_bytes_max;
}

void mwi_slaves_init(struct mwi_slaves *slaves)
{
    *slaves = (struct mwi_slaves){0};
    mwi_map_init(&slaves->by_peer);
    for (int state = 0; state < MWI_SLAVE_STATES_COUNT; state++)
        mwi_list_init(&slaves->lists[state]);
    mwi_list_init(&slaves->with_ordered);
    mwi_list_init(&slaves->idle);
    mwi_list_init(&slaves->with_room);
    mwi_heap_init(&slaves->unfit);
    mwi_heap_init(&slaves->takers);
    mwi_heap_init(&slaves->proven);
}

static void free_list(struct mwi_slaves *slaves, enum mwi_slave_state state)
{
    while (!mwi_list_is_empty(&slaves->lists[state])) {
        struct mwi_slave_entry *slave = slave_of(slaves->lists[state].next);
        mwi_list_remove(&slave->link);
        slaves->counts[state]--;
        free(slave->address);
        free(slave);
    }
}

void mwi_slaves_fini(struct mwi_slaves *slaves)
{
    for (int state = 0; state < MWI_SLAVE_STATES_COUNT; state++)
        free_list(slaves, (enum mwi_slave_state)state);
    for (uint32_t sid = 0; sid < slaves->records_count; sid++)
        free(slaves->records[sid].name);
    free(slaves->records);
    mwi_heap_fini(&slaves->unfit);
    mwi_heap_fini(&slaves->takers);
    mwi_heap_fini(&slaves->proven);
    mwi_map_fini(&slaves->by_peer);
}

struct mwi_slave_entry *mwi_slaves_add(struct mwi_slaves *slaves, mw_peer peer,
                                       const char *transport, const char *address)
{
    struct mwi_slave_entry *slave = aligned_alloc(alignof(struct mwi_slave_entry), sizeof *slave);
    if (slave == NULL)
        return NULL;
    *slave = (struct mwi_slave_entry){0};
    slave->peer = peer;
    slave->transport = transport;
    slave->sid = MWI_NO_SID;
    slave->state = MWI_SLAVE_CONNECTING;
    slave->connected_ns = slave->heard_ns = slaves->now_ns;
    mwi_list_init(&slave->ready_link);
    mwi_list_init(&slave->held_link);
    mwi_list_init(&slave->ordered);
    mwi_list_init(&slave->copies);
    mwi_list_init(&slave->unconfirmed_link);
    slave->address = strdup(address);
    if (slave->address == NULL || !mwi_map_set(&slaves->by_peer, peer, slave)) {
        free(slave->address);
        free(slave);
        return NULL;
    }
    enter(slaves, slave);
    return slave;
}

struct mwi_slave_entry *mwi_slaves_find(const struct mwi_slaves *slaves, mw_peer peer)
{
    return mwi_map_get(&slaves->by_peer, peer);
}

static enum mwi_slave_group wanting_group(const struct mwi_slaves *slaves)
{
    if (slaves->acquired[MWI_GROUP_ORDERED] < slaves->wanted[MWI_GROUP_ORDERED])
        return MWI_GROUP_ORDERED;
    if (slaves->acquired[MWI_GROUP_INTERMINGLE] < slaves->wanted[MWI_GROUP_INTERMINGLE])
        return MWI_GROUP_INTERMINGLE;
    return MWI_GROUP_UNORDERED;
}

bool mwi_slaves_name(struct mwi_slaves *slaves, struct mwi_slave_entry *slave)
{
    uint32_t count = slaves->records_count;
    char name[24];
    if (count == MWI_NO_SID)
        return false;
    if (!mwi_heap_reserve(&slaves->unfit, slaves->by_peer.used_count) ||
        !mwi_heap_reserve(&slaves->takers, slaves->by_peer.used_count) ||
        !mwi_heap_reserve(&slaves->proven, slaves->by_peer.used_count))
        return false;
    if ((count & (count - 1)) == 0) {
        size_t capacity = count == 0 ? 1 : (size_t)count * 2;
        struct mwi_slave_record *records = realloc(slaves->records, capacity * sizeof *records);
        if (records == NULL)
            return false;
        slaves->records = records;
    }
    snprintf(name, sizeof name, "SLAVE-%u", (unsigned)count);
    char *kept = strdup(name);
    if (kept == NULL)
        return false;
    slaves->records[count] = (struct mwi_slave_record){kept, slave};
    slave->sid = slaves->records_count++;
    slave->group = wanting_group(slaves);
    slaves->acquired[slave->group]++;
    return true;
}

struct mwi_slave_entry *mwi_slaves_by_sid(const struct mwi_slaves *slaves, uint32_t sid)
{
    return sid < slaves->records_count ? slaves->records[sid].slave : NULL;
}

void mwi_slaves_regroup(struct mwi_slaves *slaves, struct mwi_slave_entry *slave,
                        enum mwi_slave_group group)
{
    slaves->acquired[slave->group]--;
    slave->group = group;
    slave->is_unfit = false;
    slaves->acquired[group]++;
    keep_taker(slaves, slave);
    mwi_slaves_update(slaves, slave);
}

static void forget(struct mwi_slaves *slaves, struct mwi_slave_entry *slave)
{
    mwi_map_remove(&slaves->by_peer, slave->peer);
    if (slave->sid == MWI_NO_SID)
        return;
    slaves->records[slave->sid].slave = NULL;
    slaves->acquired[slave->group]--;
}

static void change_state(struct mwi_slaves *slaves, struct mwi_slave_entry *slave,
                         enum mwi_slave_state state)
{
    enum mwi_slave_state from = slave->state;
    assert(mwi_state_slave_may_move(from, state));
    mwi_list_remove(&slave->link);
    assert(slaves->counts[slave->state] > 0);
    slaves->counts[slave->state]--;
    if (slave->state == MWI_SLAVE_BUSY)
        slave->busy_ns += slaves->now_ns - slave->busy_since_ns;
    if (state == MWI_SLAVE_BUSY)
        slave->busy_since_ns = slaves->now_ns;
    slave->state = state;
    slave->is_unfit = false;
    enter(slaves, slave);
    if (is_ready(from) != is_ready(state))
        keep_taker(slaves, slave);
    mwi_slaves_update(slaves, slave);
}

void mwi_slaves_move(struct mwi_slaves *slaves, struct mwi_slave_entry *slave,
                     enum mwi_slave_state state)
{
    assert(state != MWI_SLAVE_DISCONNECTED);
    change_state(slaves, slave, state);
}

void mwi_slaves_lose(struct mwi_slaves *slaves, struct mwi_slave_entry *slave, mw_loss loss)
{
    if (slave->sid == MWI_NO_SID)
        slaves->refused_count++;
    else if (slave->state == MWI_SLAVE_SHUTTING_DOWN && loss == MW_LOSS_CONNECTION)
        slaves->stopped_count++;
    else
        slaves->lost_counts[loss]++;
    change_state(slaves, slave, MWI_SLAVE_DISCONNECTED);
    forget(slaves, slave);
}

struct mwi_slave_entry *mwi_slaves_first(const struct mwi_slaves *slaves,
                                         enum mwi_slave_state state)
{
    const struct mwi_list *list = &slaves->lists[state];
    return mwi_list_is_empty(list) ? NULL : slave_of(list->next);
}

struct mwi_slave_entry *mwi_slaves_first_ready(const struct mwi_list *list)
{
    return mwi_list_is_empty(list) ? NULL
                                   : MWI_LIST_ENTRY(list->next, struct mwi_slave_entry, ready_link);
}

static size_t lacking_count(const struct mwi_slaves *slaves, enum mwi_slave_group group)
{
    size_t wanted = slaves->wanted[group], acquired = slaves->acquired[group];
    return wanted > acquired ? wanted - acquired : 0;
}

size_t mwi_slaves_needed(const struct mwi_slaves *slaves, size_t waiting_count)
{
    size_t lacking =
        lacking_count(slaves, MWI_GROUP_INTERMINGLE) + lacking_count(slaves, MWI_GROUP_UNORDERED);
    waiting_count -= waiting_count < slaves->idle_count ? waiting_count : slaves->idle_count;
    return lacking_count(slaves, MWI_GROUP_ORDERED) +
           (lacking > waiting_count ? lacking : waiting_count);
}

void mwi_slaves_reap(struct mwi_slaves *slaves)
{
    free_list(slaves, MWI_SLAVE_DISCONNECTED);
}

size_t mwi_slaves_ready_count(const struct mwi_slaves *slaves)
{
    return slaves->counts[MWI_SLAVE_IDLE] + slaves->counts[MWI_SLAVE_BUSY];
}

bool mwi_slaves_takes_ordered(const struct mwi_slave_entry *slave)
{
    return slave != NULL && slave->group != MWI_GROUP_UNORDERED && !slave->is_leaving &&
           (slave->state == MWI_SLAVE_IDLE || slave->state == MWI_SLAVE_BUSY);
}

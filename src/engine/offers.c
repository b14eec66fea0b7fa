/* SPDX-License-Identifier: Apache-2.0
 *
 * Gathers offered results, and finds their tasks in one pass over all tasks that wait or run. Many
 * slaves come back at once, and a pass takes long if many tasks wait, so results gather for a
 * while. master_engine calls this for the messages of slaves and for the timer.
 *
 * Invariants: an offered result ends one task at most, however often it is offered, and is
 * forgotten after its pass. A slave
 * that offers gets no tasks before its results were looked at: it might be sent their tasks. The
 * memory for them is bounded: beyond GATHERED_BYTES_MAX of payloads, or GATHERED_COUNT_MAX results,
 * the pass is made at once.
 *
 * The pass first pairs results with tasks and changes nothing; then the tasks of the pairs end. To
 * use an offered result in another way, add it to settle.
 */
#include "engine/offers.h"

#include <assert.h>
#include <stdlib.h>

#include "base/block.h"
#include "engine/journaling.h"
#include "engine/membership.h"
#include "engine/outgoing.h"
#include "engine/receipts.h"
#include "engine/task_ends.h"
#include "record/journal_take.h"
#include "wire/content.h"

#define GATHERED_BYTES_MAX ((size_t)64 << 20)
#define GATHERED_COUNT_MAX ((size_t)1 << 18)
/* About how long a pass takes for each task, and how long it is put off at least and at most.
 * Slaves that lose their master together make their first attempt within 100 ms. If those that come
 * first were sent tasks at once, these would be tasks whose results the others bring. */
#define TASK_NS INT64_C(100)
#define PAUSE_MIN_NS (200 * MWI_NS_PER_MS)
#define PAUSE_MAX_NS MWI_NS_PER_S
#define NOBODY UINT32_MAX

struct mwi_offer_entry {
    struct mwi_digest key;
    uint64_t run;
    uint64_t id;   /* of its task in that run */
    uint64_t task; /* in this run, when it is paired */
    struct mwi_message_item item;
    struct mwi_block *block; /* with the payload */
    uint32_t sid;
    bool is_candidate; /* of another run, and new: it may end a task of the same content */
    bool is_paired;
    bool is_running; /* there is no result yet: the slave still runs the task */
};

static void forget_all(struct mwi_offers *offers)
{
    for (size_t i = 0; i < offers->count; i++)
        mwi_block_unref(offers->entries[i].block);
    offers->count = 0;
    offers->payload_bytes = 0;
}

void mwi_offers_fini(struct mwi_offers *offers)
{
    forget_all(offers);
    free(offers->entries);
    offers->entries = NULL;
    mwi_map_fini(&offers->used);
}

static bool reserve(struct mwi_offers *offers, size_t more)
{
    if (offers->capacity - offers->count >= more)
        return true;
    size_t capacity = 2 * (offers->count + more);
    struct mwi_offer_entry *entries = realloc(offers->entries, capacity * sizeof *entries);
    if (entries == NULL)
        return false;
    offers->entries = entries;
    offers->capacity = capacity;
    return true;
}

static size_t open_tasks_count(const struct mwi_master_engine *engine)
{
    return mwi_tasks_waiting_count(&engine->tasks) + engine->tasks.counts[MWI_TASK_RUNNING];
}

/* Puts the pass off for about as long as it takes. */
static void start_timer(struct mwi_master_engine *engine)
{
    int64_t pause_ns = (int64_t)open_tasks_count(engine) * TASK_NS;
    if (mwi_timers_is_running(&engine->offers.timer))
        return;
    pause_ns = pause_ns < PAUSE_MIN_NS   ? PAUSE_MIN_NS
               : pause_ns > PAUSE_MAX_NS ? PAUSE_MAX_NS
                                         : pause_ns;
    if (!mwi_master_state_start_timer(engine, &engine->offers.timer, MWI_TIMER_OFFERS, pause_ns))
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
}

/* Why the offer is not that of an honest slave; NULL if it is. */
static const char *why_bad(const struct mwi_master_engine *engine,
                           const struct mwi_slave_entry *slave, const struct mwi_message *message)
{
    struct mwi_message_cursor cursor = {.group = &message->group};
    struct mwi_message_item item;
    if (!slave->is_offering || slave->has_offered || message->group.count > slave->offers_left)
        return "it offered more results than it had announced";
    while (mwi_message_next(&cursor, &item)) {
        if (item.algorithm >= engine->algorithms_count || item.form >= MWI_PAYLOAD_FAILED)
            return "it offered a result that cannot be one";
        if (!mwi_message_is_readable(&item))
            return "it offered a result whose values are not msgpack";
    }
    return NULL;
}

/* The number of a result in the map of those that were used. */
static uint64_t number_of(const struct mwi_offer_entry *offer)
{
    uint64_t number = mwi_content_mix(mwi_content_mix(offer->run) + offer->id);
    return number == 0 ? 1 : number;
}

static void add(struct mwi_offers *offers, const struct mwi_slave_entry *slave,
                const struct mwi_message *message, struct mwi_block *block)
{
    struct mwi_message_cursor cursor = {.group = &message->group};
    struct mwi_message_item item;
    for (size_t i = 0; mwi_message_next(&cursor, &item); i++) {
        offers->entries[offers->count++] =
            (struct mwi_offer_entry){.key = mwi_message_key(message, i),
                                     .run = message->run,
                                     .id = item.id,
                                     .item = item,
                                     .block = block,
                                     .sid = slave->sid};
        offers->payload_bytes += item.size;
        mwi_block_ref(block);
    }
}

void mwi_offers_take(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                     struct mwi_message *message, const struct mwi_event *event)
{
    struct mwi_offers *offers = &engine->offers;
    const unsigned char *received = event->frame->data;
    unsigned char *kept = NULL;
    struct mwi_block *block = NULL;
    const char *why = why_bad(engine, slave, message);
    if (why != NULL) {
        mwi_membership_drop(engine, slave, MW_LOSS_PROTOCOL, why);
        return;
    }
    if (reserve(offers, message->group.count))
        block = mwi_block_keep(event->frame, &kept);
    if (block == NULL) {
        mwi_membership_drop(engine, slave, MW_LOSS_CONNECTION, "the master is out of memory");
        return;
    }
    mwi_message_rebase(message, received, kept);
    slave->offers_left -= (uint32_t)message->group.count;
    slave->offers_open += (uint32_t)message->group.count;
    add(offers, slave, message, block);
    mwi_block_unref(block);
    if (offers->payload_bytes > GATHERED_BYTES_MAX || offers->count > GATHERED_COUNT_MAX)
        mwi_offers_match(engine);
    else
        start_timer(engine);
}

void mwi_offers_take_running(struct mwi_master_engine *engine, struct mwi_slave_entry *slave,
                             const struct mwi_message_running *running)
{
    struct mwi_offers *offers = &engine->offers;
    if (!slave->is_offering || slave->has_offered || slave->is_still_running ||
        slave->offers_left == 0) {
        mwi_membership_drop(engine, slave, MW_LOSS_PROTOCOL,
                            "it said that it runs a task, and had not announced its result");
        return;
    }
    if (!reserve(offers, 1)) {
        mwi_membership_drop(engine, slave, MW_LOSS_CONNECTION, "the master is out of memory");
        return;
    }
    slave->is_still_running = true;
    offers->entries[offers->count++] = (struct mwi_offer_entry){.key = running->key,
                                                                .run = running->run,
                                                                .id = running->id,
                                                                .sid = slave->sid,
                                                                .is_running = true};
    start_timer(engine);
}

/* The results of the slave so far were looked at. It gets tasks if there are no more. */
static void settle_slave(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    if (slave->offers_open > 0)
        mwi_receipts_note(engine, slave, slave->offers_open);
    slave->offers_open = 0;
    if (!slave->has_offered)
        return;
    MWI_OUTGOING_AUDIT(engine, slave, .kind = MWI_AUDIT_OFFER_TAKEN, .count = slave->offers_used,
                       .failed = slave->offers_unused);
    slave->is_offering = false;
    mwi_slaves_update(&engine->slaves, slave);
}

void mwi_offers_end(struct mwi_master_engine *engine, struct mwi_slave_entry *slave)
{
    if (!slave->is_offering || slave->has_offered) {
        mwi_membership_drop(engine, slave, MW_LOSS_PROTOCOL,
                            "it ended an offer that it was not to make");
        return;
    }
    slave->has_offered = true;
    if (slave->offers_open == 0)
        settle_slave(engine, slave);
}

/* The offered results by their keys, for the time of a pass: an open hash table of indices. */
struct pass {
    struct mwi_master_engine *engine;
    uint32_t *slots;
    size_t mask;
    size_t left_count; /* results without a task */
    uint64_t *names;   /* of the algorithms */
    uint64_t seeds[2]; /* of the last algorithm and scope that were asked for */
    uint64_t seeds_scope;
    uint16_t seeds_algorithm;
};

/* Whether this result has ended a task already, or is there twice, or an earlier run has recorded
 * it: a slave that loses the connection before it was told KEPT offers its results again. A journal
 * that has failed still knows what it gave to this run. */
static bool is_known(const struct mwi_master_engine *engine, const struct mwi_offer_entry *offer)
{
    return mwi_map_get(&engine->offers.used, number_of(offer)) != NULL ||
           (engine->earlier != NULL &&
            mwi_journal_knows(engine->earlier, offer->key, offer->run, offer->id));
}

static void enter(struct pass *pass, uint32_t index)
{
    size_t slot = (size_t)pass->engine->offers.entries[index].key.low & pass->mask;
    while (pass->slots[slot] != NOBODY)
        slot = (slot + 1) & pass->mask;
    pass->slots[slot] = index;
}

static void end_pass(struct pass *pass)
{
    free(pass->slots);
    free(pass->names);
}

/* Prepares a pass for all results that are not of this run. False out of memory. */
static bool begin_pass(struct pass *pass, struct mwi_master_engine *engine)
{
    struct mwi_offers *offers = &engine->offers;
    size_t slots_count = 16;
    while (slots_count < 2 * offers->count)
        slots_count *= 2;
    *pass = (struct pass){.engine = engine, .mask = slots_count - 1};
    pass->slots = malloc(slots_count * sizeof *pass->slots);
    pass->names = malloc((engine->algorithms_count + 1u) * sizeof *pass->names);
    if (pass->slots == NULL || pass->names == NULL) {
        end_pass(pass);
        return false;
    }
    for (size_t i = 0; i < slots_count; i++)
        pass->slots[i] = NOBODY;
    for (size_t i = 0; i < engine->algorithms_count; i++) {
        const char *name = engine->config.algorithms[i].name;
        pass->names[i] = mwi_content_name(name, strlen(name));
    }
    for (size_t i = 0; i < offers->count; i++) {
        struct mwi_offer_entry *offer = &offers->entries[i];
        if (offer->run == engine->config.run || is_known(engine, offer))
            continue;
        if (offer->is_running) {
            enter(pass, (uint32_t)i);
            pass->left_count++;
            continue;
        }
        /* The map is used as a set: any value but NULL does. */
        if (!mwi_map_set(&offers->used, number_of(offer), offers)) {
            end_pass(pass);
            return false;
        }
        offer->is_candidate = true;
        enter(pass, (uint32_t)i);
        pass->left_count++;
    }
    return true;
}

static uint64_t seed_of(struct pass *pass, uint64_t scope, uint16_t algorithm, bool is_bytes)
{
    if (pass->seeds_scope != scope || pass->seeds_algorithm != algorithm) {
        pass->seeds_scope = scope;
        pass->seeds_algorithm = algorithm;
        for (size_t i = 0; i < 2; i++)
            pass->seeds[i] = mwi_content_seed(scope, pass->names[algorithm], i == 1);
    }
    return pass->seeds[is_bytes];
}

/* Pairs the task of this id and content with a result, if there is one for it. */
static void pair(struct pass *pass, uint64_t id, struct mwi_digest key)
{
    size_t slot = (size_t)key.low & pass->mask;
    for (; pass->slots[slot] != NOBODY; slot = (slot + 1) & pass->mask) {
        struct mwi_offer_entry *offer = &pass->engine->offers.entries[pass->slots[slot]];
        if (offer->is_paired || !mwi_content_is_same(offer->key, key))
            continue;
        offer->is_paired = true;
        offer->task = id;
        pass->left_count--;
        return;
    }
}

static void visit_batch(struct pass *pass, const struct mwi_batch_entry *batch, bool is_waiting)
{
    uint32_t from = is_waiting ? batch->next : 0, end = is_waiting ? batch->count : batch->next;
    const struct mwi_task_policy *policy =
        &mwi_policies_get(&pass->engine->tasks.policies, batch->item.policy)->policy;
    uint64_t scope = mwi_policies_scope(policy);
    if (scope == MWI_CONTENT_NO_SCOPE)
        return;
    for (uint32_t place = from; place < end && pass->left_count > 0; place++) {
        const struct mwi_batch_task *task = &batch->tasks[place];
        if (task->is_gone)
            continue;
        uint64_t seed = seed_of(pass, scope, task->algorithm, task->is_bytes);
        pair(pass, mwi_batch_id(batch, place),
             mwi_content_key(seed, mwi_batch_data(batch, place), mwi_batch_size(batch, place)));
    }
}

static bool is_open(const struct mwi_task_entry *task, bool is_waiting)
{
    return is_waiting ? task->state == MWI_TASK_WAITING || task->state == MWI_TASK_ASIDE
                      : task->state == MWI_TASK_RUNNING;
}

static void visit_entry(struct pass *pass, const struct mwi_task_entry *task)
{
    uint64_t scope = mwi_policies_scope(mwi_tasks_policy(&pass->engine->tasks, task));
    if (scope == MWI_CONTENT_NO_SCOPE)
        return;
    uint64_t seed = seed_of(pass, scope, task->algorithm, task->is_bytes);
    pair(pass, task->id, mwi_content_key(seed, mwi_tasks_data(task), task->size));
}

/* Looks at all tasks that wait, or at all that run. */
static void sweep(struct pass *pass, bool is_waiting)
{
    const struct mwi_tasks *tasks = &pass->engine->tasks;
    const struct mwi_batch_entry *batch;
    const struct mwi_task_entry *task;
    size_t cursor = 0;
    while (pass->left_count > 0 && (batch = mwi_batches_next(&tasks->batches, &cursor)) != NULL)
        visit_batch(pass, batch, is_waiting);
    cursor = 0;
    while (pass->left_count > 0 && (task = mwi_tasks_next(tasks, &cursor)) != NULL)
        if (is_open(task, is_waiting))
            visit_entry(pass, task);
}

/* The entry of a task that waits or runs; one that lies in a batch is taken out. NULL if there is
 * no such task, or out of memory. */
static struct mwi_task_entry *find_open(struct mwi_master_engine *engine, uint64_t id)
{
    struct mwi_tasks *tasks = &engine->tasks;
    uint32_t place;
    struct mwi_batch_entry *batch = mwi_batches_find(&tasks->batches, id, &place);
    struct mwi_task_entry *task = mwi_tasks_find(tasks, id);
    if (task != NULL)
        return is_open(task, true) || is_open(task, false) ? task : NULL;
    if (batch == NULL || batch->tasks[place].is_gone)
        return NULL;
    if (place >= batch->next)
        return mwi_tasks_take_out(tasks, batch, place);
    struct mwi_copy *copy = mwi_copies_find_in_batch(&engine->copies, tasks, batch, place);
    return copy == NULL ? NULL : copy->task;
}

/* Whether the result ran for longer than the task may. The attempt has failed then. */
static bool has_overrun(const struct mwi_master_engine *engine, const struct mwi_task_entry *task,
                        const struct mwi_offer_entry *offer)
{
    int64_t limit_ns = mwi_master_state_limit_ns(engine, task);
    return limit_ns > 0 && offer->item.duration_ns > (uint64_t)limit_ns;
}

/* Records a result whose slave is gone. */
static void audit_orphan(struct mwi_master_engine *engine, const struct mwi_offer_entry *offer,
                         bool is_used)
{
    const struct mwi_audit_record record = {.kind = MWI_AUDIT_OFFER_TAKEN,
                                            .role = MWI_ROLE_MASTER,
                                            .time_ns = engine->now_ns,
                                            .sid = offer->sid,
                                            .count = is_used,
                                            .failed = !is_used};
    if (mwi_effects_wants(&engine->effects, record.kind))
        mwi_effects_audit(&engine->effects, &record);
}

/* Records a result. One of another run for which there is no task waits for one that is submitted
 * later. A usual submission does not look for such spares, since it takes the fast path: so the
 * batch that is open is usual no more. */
static void record(struct mwi_master_engine *engine, const struct mwi_offer_entry *offer,
                   const struct mwi_task_entry *task)
{
    struct mwi_batch_entry *open = engine->tasks.batches.open;
    if (!offer->is_candidate) {
        if (task != NULL)
            mwi_journaling_note_task(engine, task, &offer->item);
        return;
    }
    mwi_journaling_note_offered(engine, offer->key, offer->run, &offer->item);
    if (task != NULL) {
        mwi_journal_note_used(engine->journal, offer->key);
        return;
    }
    mwi_spares_add(&engine->spares, offer->key, &offer->item, offer->block);
    if (open != NULL)
        open->is_usual = false;
}

/* The task that a slave still runs waits behind all others. */
static void put_off(struct mwi_master_engine *engine, struct mwi_task_entry *task)
{
    bool can_be_late = engine->config.reconnect_ns > 0 && !engine->is_late_over;
    if (task == NULL || task->state != MWI_TASK_WAITING || !can_be_late)
        return;
    engine->has_late = true;
    if (!mwi_tasks_make_late(&engine->tasks, task))
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
}

/* Ends the task of a result that has one. */
static void settle(struct mwi_master_engine *engine, const struct mwi_offer_entry *offer)
{
    struct mwi_slave_entry *slave = mwi_slaves_by_sid(&engine->slaves, offer->sid);
    bool is_ours = offer->run == engine->config.run;
    struct mwi_task_entry *task = NULL;
    if (offer->is_paired || is_ours)
        task = find_open(engine, is_ours ? offer->id : offer->task);
    if (mwi_tasks_take_failure(&engine->tasks))
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
    if (offer->is_running) {
        put_off(engine, task);
        return;
    }
    bool is_used = task != NULL && !has_overrun(engine, task, offer);
    if (engine->journal != NULL)
        record(engine, offer, is_used ? task : NULL);
    is_used =
        is_used && mwi_task_ends_finish_offered(engine, slave, task, offer->block, &offer->item);
    if (offer->is_candidate && !is_used && engine->journal == NULL)
        mwi_map_remove(&engine->offers.used, number_of(offer));
    if (slave == NULL) {
        audit_orphan(engine, offer, is_used);
        return;
    }
    slave->offers_used += is_used;
    slave->offers_unused += !is_used;
}

/* Pairs results of earlier runs with tasks. Those that wait come first, since what runs need not be
 * waited for then. */
static void pair_all(struct mwi_master_engine *engine)
{
    struct pass pass;
    if (!begin_pass(&pass, engine)) {
        mwi_effects_fail(&engine->effects, MW_ENOMEM);
        return;
    }
    sweep(&pass, true);
    sweep(&pass, false);
    end_pass(&pass);
}

void mwi_offers_match(struct mwi_master_engine *engine)
{
    struct mwi_offers *offers = &engine->offers;
    const struct mwi_list *idle = &engine->slaves.lists[MWI_SLAVE_IDLE];
    mwi_timers_stop(&engine->timers, &offers->timer);
    pair_all(engine);
    for (size_t i = 0; i < offers->count && engine->effects.error == MW_OK; i++)
        settle(engine, &offers->entries[i]);
    forget_all(offers);
    /* A slave that offers has no tasks, so it is in this list. settle_slave leaves the list as it
     * is: it only makes the slave ready to be sent tasks. */
    for (struct mwi_list *link = idle->next; link != idle; link = link->next) {
        struct mwi_slave_entry *slave = MWI_LIST_ENTRY(link, struct mwi_slave_entry, link);
        if (slave->is_offering && slave->offers_open > 0)
            settle_slave(engine, slave);
    }
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Out of memory in a master's engine whose tasks lie in batches: when they are submitted, sent,
 * cancelled, returned in and out of order, and come back from a lost slave. A call that fails must
 * leave everything as it was, and the stores must agree with the counts at any time.
 */
#include <string.h>

#include "engine/lifecycle.h"
#include "engine/master_engine.h"
#include "engine/membership.h"
#include "mwt_hello.h"
#include "mwt_items.h"
#include "mwt_memory.h"
#include "mwt_policy.h"

#define TASKS_MAX 40
#define GROUP 6
#define FRAME_BYTES_MAX 8192

struct farm {
    struct mwi_master_engine engine;
    size_t submitted_count, results_count, cancelled_count;
    int64_t now_ns;
    bool is_told, is_wrong;
};

static const mw_algorithm algorithms[] = {{"alpha", NULL}, {"beta", NULL}, {NULL, NULL}};

static bool is_over(struct farm *farm)
{
    bool is_failed = farm->engine.effects.error != MW_OK;
    farm->is_told = farm->is_told || is_failed;
    return is_failed;
}

static void carry_out(struct farm *farm)
{
    struct mwi_effects *effects = &farm->engine.effects;
    for (size_t i = 0; i < effects->count; i++) {
        struct mwi_effect_entry *effect = &effects->items[i];
        farm->is_told = farm->is_told || effect->kind == MWI_EFFECT_DROP;
        /* No slave of this test says anything wrong. */
        if (effect->kind == MWI_EFFECT_AUDIT && strstr(effect->record.reason, "memory") == NULL)
            farm->is_wrong = true;
        free(effect->frame);
        if (effect->kind == MWI_EFFECT_SEND && effect->body.release != NULL)
            effect->body.release(effect->body.owner);
        effect->frame = NULL;
    }
    effects->count = 0;
}

/* The counts are those of the tasks that are found by their ids. */
static void check(struct farm *farm)
{
    const struct mwi_tasks *tasks = &farm->engine.tasks;
    size_t counts[MWI_TASK_STATES_COUNT] = {0};
    for (uint64_t id = 1; id <= tasks->last_id; id++) {
        uint32_t place;
        const struct mwi_task_entry *task = mwi_tasks_find(tasks, id);
        const struct mwi_batch_entry *batch = mwi_batches_find(&tasks->batches, id, &place);
        if (task != NULL)
            counts[task->state]++;
        else if (batch != NULL && !batch->tasks[place].is_gone)
            counts[place >= batch->next ? MWI_TASK_WAITING : MWI_TASK_RUNNING]++;
    }
    for (int state = 1; state < MWI_TASK_STATES_COUNT; state++)
        if (counts[state] != tasks->counts[state])
            farm->is_wrong = true;
}

static void step(struct farm *farm, enum mwi_event_kind kind, mw_peer peer, mw_frame *frame)
{
    if (is_over(farm))
        return;
    mwi_master_engine_step(&farm->engine, &(struct mwi_event){.kind = kind,
                                                              .now_ns = ++farm->now_ns,
                                                              .peer = peer,
                                                              .transport = "x",
                                                              .name = "slave",
                                                              .reason = "gone",
                                                              .frame = frame,
                                                              .is_caught_up = true});
    carry_out(farm);
    if (!is_over(farm))
        check(farm);
}

static void say(struct farm *farm, mw_peer peer, struct mwi_buffer *buffer)
{
    mw_frame frame = {buffer->data, buffer->size, buffer->data, NULL};
    if (buffer->has_failed) {
        farm->is_told = true;
        mwi_buffer_fini(buffer);
        return;
    }
    step(farm, MWI_EVENT_FRAME, peer, &frame);
    free(frame.block);
}

static void come(struct farm *farm, mw_peer peer)
{
    struct mwi_buffer buffer;
    step(farm, MWI_EVENT_PEER_UP, peer, NULL);
    mwi_buffer_init(&buffer);
    mwt_hello(&buffer, "farm", FRAME_BYTES_MAX);
    say(farm, peer, &buffer);
}

/* A submission that fails leaves nothing. */
static void submit(struct farm *farm, int32_t priority, size_t size)
{
    static unsigned char data[100];
    struct mwi_tasks *tasks = &farm->engine.tasks;
    struct mwi_lifecycle_task task = {.policy = mwt_policy_default(),
                                      .tag = (int64_t)tasks->last_id + 1,
                                      .payload = {data, size, true},
                                      .is_borrowed = true};
    task.policy.priority = priority;
    uint64_t id = tasks->last_id, before = tasks->last_id;
    size_t waiting = tasks->counts[MWI_TASK_WAITING];
    mw_error error = mwi_lifecycle_submit(&farm->engine, &task, &id);
    bool is_entered = error == MW_OK;
    farm->submitted_count += is_entered;
    farm->is_told = farm->is_told || error == MW_ENOMEM;
    if (id != before + is_entered || tasks->last_id != id ||
        tasks->counts[MWI_TASK_WAITING] != waiting + is_entered ||
        tasks->by_algorithm[0].submitted != farm->submitted_count)
        farm->is_wrong = true;
    carry_out(farm);
    check(farm);
}

/* A task that cannot be cancelled for want of memory is as it was, and can be later. */
static void cancel(struct farm *farm, uint64_t id)
{
    struct mwi_tasks *tasks = &farm->engine.tasks;
    size_t before[MWI_TASK_STATES_COUNT];
    memcpy(before, tasks->counts, sizeof before);
    mw_error error = mwi_lifecycle_cancel(&farm->engine, id);
    carry_out(farm);
    check(farm);
    if (error == MW_ENOMEM && memcmp(before, tasks->counts, sizeof before) != 0)
        farm->is_wrong = true;
    if (error == MW_ENOMEM && !mwt_memory_has_failed())
        farm->is_wrong = true;
    farm->is_told = farm->is_told || error != MW_OK;
    farm->cancelled_count += error == MW_OK;
}

/* The slave returns some of its tasks: from the one at `from` on, each `step_size`-th. The last one
 * fails if so wished. */
static void return_some(struct farm *farm, mw_peer peer, size_t from, size_t step_size,
                        bool is_failed)
{
    const struct mwi_slave_entry *slave = mwi_slaves_find(&farm->engine.slaves, peer);
    struct mwi_message_item items[TASKS_MAX];
    struct mwi_buffer buffer;
    size_t index = 0, count = 0;
    if (slave == NULL || is_over(farm))
        return;
    for (struct mwi_list *link = slave->copies.next; link != &slave->copies; link = link->next) {
        const struct mwi_copy *copy = mwi_copies_of_link(link);
        for (uint32_t i = 0; i < (copy->task != NULL ? 1 : copy->count); i++, index++)
            if (index >= from && (index - from) % step_size == 0)
                items[count++] = mwt_items_make(
                    copy->task != NULL ? copy->task->id : mwi_batch_id(copy->batch, copy->from + i),
                    MWI_PAYLOAD_BYTES, "r", 1);
    }
    if (count == 0)
        return;
    if (is_failed)
        items[count - 1].form = MWI_PAYLOAD_FAILED;
    mwi_buffer_init(&buffer);
    mwt_items_results(&buffer, items, count);
    say(farm, peer, &buffer);
}

static void take(struct farm *farm)
{
    struct mwi_finished item;
    while (mwi_lifecycle_take_result(&farm->engine, &item)) {
        farm->results_count++;
        if (item.payload.size != 1 || item.payload.data[0] != 'r' ||
            item.tag != (int64_t)item.task || item.sid > 1)
            farm->is_wrong = true;
        mwi_block_unref(item.block);
    }
}

static void submit_all(struct farm *farm)
{
    for (int i = 0; i < 24; i++)
        submit(farm, 0, 10);
    for (int i = 0; i < 6; i++)
        submit(farm, i % 2, (size_t)i * 20);
}

static void play(struct farm *farm)
{
    submit_all(farm);
    step(farm, MWI_EVENT_TICK, 0, NULL);
    cancel(farm, 20);
    come(farm, 1);
    return_some(farm, 1, 0, 1, false); /* those of a newcomer; ranges from now on */
    cancel(farm, 10);
    return_some(farm, 1, 1, 2, true); /* out of order */
    take(farm);
    submit(farm, 0, 10);
    return_some(farm, 1, 0, 1, false);
    cancel(farm, 22);
    step(farm, MWI_EVENT_PEER_DOWN, 1, NULL);
    cancel(farm, 23);
    come(farm, 2);
    for (int i = 0; i < TASKS_MAX; i++)
        return_some(farm, 2, 0, 1, i == 3);
    take(farm);
}

static enum mwt_outcome run_ranges(void)
{
    static struct farm farm;
    static const struct mwi_master_engine_config config = {.member_id = "farm",
                                                           .algorithms = algorithms,
                                                           .task_group = GROUP,
                                                           .frame_write_bytes_max = FRAME_BYTES_MAX,
                                                           .frame_read_bytes_max = FRAME_BYTES_MAX,
                                                           .client_timeout_ns = MWI_NS_PER_S};
    memset(&farm, 0, sizeof farm);
    if (mwi_master_engine_init(&farm.engine, &config) != MW_OK)
        return MWT_TOLD;
    farm.engine.effects.audited_kinds = UINT64_C(1) << MWI_AUDIT_SLAVE_DROPPED;
    play(&farm);
    is_over(&farm);
    bool has_all = farm.results_count + farm.cancelled_count == farm.submitted_count;
    bool is_complete = farm.submitted_count == 31 && farm.cancelled_count == 4;
    mwi_membership_shutdown(&farm.engine, farm.now_ns, MWI_NS_PER_S);
    carry_out(&farm);
    mwi_master_engine_fini(&farm.engine);
    if (farm.is_wrong || farm.results_count + farm.cancelled_count > farm.submitted_count)
        return MWT_WRONG;
    if (has_all && is_complete)
        return MWT_RIGHT;
    return farm.is_told ? MWT_TOLD : MWT_WRONG;
}

/* Each allocation fails once, or all fail from some on. */
static void test_ranges(void)
{
    mwt_memory_repeat(run_ranges, false, 50);
    mwt_memory_repeat(run_ranges, true, 50);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"ranges", test_ranges},
        CU_TEST_INFO_NULL,
    };
    return mwt_memory_run("no memory: ranges", tests);
}

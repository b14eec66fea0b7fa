/* SPDX-License-Identifier: Apache-2.0
 *
 * A master's engine in random farms: everything that can happen to tasks of batches, in any order.
 * This file chooses what happens; mwt_model.h knows what must come of it, and after each step
 * mwt_walk.h looks at the stores.
 *
 * MW_TEST_SEED replays a run; MW_TEST_SEEDS says how many runs there are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/lifecycle.h"
#include "engine/master_engine.h"
#include "engine/membership.h"
#include "mwt_items.h"
#include "mwt_join.h"
#include "mwt_master.h"
#include "mwt_model.h"
#include "mwt_policy.h"
#include "mwt_random.h"
#include "mwt_run.h"
#include "mwt_walk.h"

#define SEEDS_COUNT 100
#define ROUNDS_COUNT 160
#define UP_MAX 9
#define FRAME_BYTES_MAX (1 << 20)
#define MS INT64_C(1000000)
#define DRAIN_ROUNDS_MAX 5000

static size_t below(struct mwt_model *farm, size_t limit)
{
    return mwt_random_below(&farm->random, limit);
}

static bool one_in(struct mwt_model *farm, size_t count)
{
    return below(farm, count) == 0;
}

/* The farm's outside. */

static void carry_out(struct mwt_model *farm)
{
    struct mwi_effects *effects = &farm->engine.effects;
    for (size_t i = 0; i < effects->count; i++) {
        struct mwi_effect_entry *effect = &effects->items[i];
        mwt_join(effect);
        if (effect->kind == MWI_EFFECT_SEND)
            mwt_model_take_message(farm, effect);
        else if (effect->kind == MWI_EFFECT_DROP)
            mwt_model_part(farm, (size_t)effect->peer - 1);
        free(effect->frame);
        effect->frame = NULL;
    }
    effects->count = 0;
    mwt_walk_check(farm);
}

static void step(struct mwt_model *farm, struct mwi_event event)
{
    event.now_ns = farm->now_ns;
    mwi_master_engine_step(&farm->engine, &event);
    carry_out(farm);
}

static void tick(struct mwt_model *farm, int64_t after_ns)
{
    farm->now_ns += after_ns;
    step(farm, (struct mwi_event){.kind = MWI_EVENT_TICK, .is_caught_up = true});
}

static void say(struct mwt_model *farm, size_t index, struct mwi_buffer *buffer)
{
    mw_frame frame = {.data = buffer->data, .size = buffer->size, .block = buffer->data};
    if (buffer->has_failed)
        abort();
    step(farm,
         (struct mwi_event){.kind = MWI_EVENT_FRAME, .peer = (mw_peer)index + 1, .frame = &frame});
    free(frame.block);
    mwi_buffer_init(buffer);
}

static void come(struct mwt_model *farm, size_t frame_bytes_max)
{
    size_t index = farm->peers_count;
    struct mwi_buffer buffer;
    char host[] = "node0";
    if (index == MWT_MODEL_PEERS_MAX)
        return;
    farm->peers[index] = (struct mwt_model_peer){.is_up = true, .sid = MWI_NO_SID};
    farm->peers[index].held = malloc(MWT_MODEL_TASKS_MAX * sizeof(uint64_t));
    farm->peers_count++;
    step(farm, (struct mwi_event){.kind = MWI_EVENT_PEER_UP,
                                  .peer = (mw_peer)index + 1,
                                  .transport = "x",
                                  .name = "address"});
    host[4] = (char)('0' + below(farm, 3));
    mwi_buffer_init(&buffer);
    mwi_message_write_hello(&buffer,
                            &(struct mwi_message_hello){.member_id = mwi_message_text("farm"),
                                                        .frame_bytes_max = frame_bytes_max,
                                                        .host = mwi_message_text(host),
                                                        .boot_id = mwi_message_text("")});
    farm->peers[index].has_greeted = true;
    say(farm, index, &buffer);
}

/* A peer that is connected, or has tasks; MWT_MODEL_PEERS_MAX if there is none. */
static size_t some_peer(struct mwt_model *farm, bool must_hold)
{
    size_t count = 0, chosen = MWT_MODEL_PEERS_MAX;
    for (size_t i = 0; i < farm->peers_count; i++) {
        const struct mwt_model_peer *peer = &farm->peers[i];
        if (peer->is_up && (!must_hold || peer->held_count > 0) && one_in(farm, ++count))
            chosen = i;
    }
    return chosen;
}

/* Submitting. */

static struct mwi_task_policy some_policy(struct mwt_model *farm)
{
    struct mwi_task_policy policy = mwt_policy_default();
    switch (below(farm, 10)) {
    case 0:
        policy.is_retried = false;
        break;
    case 1:
        policy.max_attempts = 1;
        break;
    case 2:
        policy.time_limit_ns = MWI_NS_PER_S;
        break;
    case 3:
        policy.sid = (uint32_t)below(farm, 1 + farm->engine.slaves.records_count);
        policy.is_done_anyway = one_in(farm, 2);
        break;
    case 4:
        policy.max_attempts = 7;
        break;
    default:
        policy.priority = (int32_t)below(farm, 4);
        break;
    }
    return policy;
}

static size_t some_size(struct mwt_model *farm)
{
    switch (below(farm, 12)) {
    case 0:
        return below(farm, 5000);
    case 1:
        return one_in(farm, 4) ? below(farm, 3 * MWI_MESSAGE_LARGE_BYTES) : 0;
    case 2:
        return below(farm, MWT_MODEL_SMALL_BYTES_MAX);
    default:
        return below(farm, 40);
    }
}

static struct mwi_tag *some_tag(int64_t tag)
{
    struct mwi_tag *bytes = malloc(sizeof *bytes + sizeof tag);
    bytes->size = sizeof tag;
    memcpy(bytes->bytes, &tag, sizeof tag);
    return bytes;
}

/* As face/master_submit does it. */
static void enter(struct mwt_model *farm, struct mwi_lifecycle_task *task)
{
    const struct mwi_payload *payload = &task->payload;
    uint64_t id;
    if (task->is_usual && task->is_borrowed && task->tag_bytes == NULL &&
        mwi_tasks_append_alike(&farm->engine.tasks,
                               &(struct mwi_batch_task){.tag = task->tag,
                                                        .algorithm = task->algorithm,
                                                        .is_bytes = payload->is_bytes},
                               payload->data, payload->size))
        id = farm->engine.tasks.last_id;
    else if (mwi_lifecycle_submit(&farm->engine, task, &id) != MW_OK)
        abort();
    MWT_EXPECT(farm, id == farm->last_id, id);
}

static void submit(struct mwt_model *farm, const struct mwi_task_policy *policy, bool is_usual)
{
    uint64_t id = ++farm->last_id;
    struct mwt_model_task *model = &farm->tasks[id];
    struct mwi_lifecycle_task task = {.policy = *policy,
                                      .algorithm =
                                          (uint16_t)(below(farm, 8) % MWT_MODEL_ALGORITHMS_COUNT),
                                      .tag = (int64_t)mwt_random_next(&farm->random),
                                      .is_borrowed = !one_in(farm, 4),
                                      .is_usual = is_usual && !farm->is_told};
    size_t size = some_size(farm);
    unsigned char *data = malloc(size + 1);
    mwt_model_fill(data, id, size);
    task.payload = (struct mwi_payload){data, size, one_in(farm, 2)};
    if (one_in(farm, 30))
        task.tag_bytes = some_tag(task.tag);
    *model = (struct mwt_model_task){.size = size,
                                     .tag = task.tag,
                                     .sid = policy->sid,
                                     .algorithm = task.algorithm,
                                     .priority = (int8_t)policy->priority,
                                     .is_bytes = task.payload.is_bytes,
                                     .has_tag_bytes = task.tag_bytes != NULL};
    model->is_in_order = size <= MWT_MODEL_SMALL_BYTES_MAX && mwi_tasks_is_ordinary(policy, size);
    enter(farm, &task);
    if (task.is_borrowed)
        free(data);
}

static void submit_some(struct mwt_model *farm)
{
    size_t count = one_in(farm, 5) ? below(farm, 350) : below(farm, 50);
    bool is_usual = !one_in(farm, 3), is_mixed = one_in(farm, 3);
    struct mwi_task_policy policy = is_usual ? mwt_policy_default() : some_policy(farm);
    while (count-- > 0 && farm->last_id < MWT_MODEL_TASKS_MAX) {
        if (is_mixed && one_in(farm, 4)) {
            struct mwi_task_policy other = some_policy(farm);
            submit(farm, &other, false);
        } else {
            submit(farm, &policy, is_usual);
        }
    }
    carry_out(farm);
}

/* Results. */

/* Items of a message, whose payloads are freed with it. */
struct answer {
    struct mwi_message_item items[MWT_MODEL_TASKS_MAX + 2];
    size_t count;
    size_t good_count; /* of them, from the first on */
};

static void add_item(struct mwt_model *farm, struct answer *answer, uint64_t id, bool is_bad)
{
    size_t size = one_in(farm, 50) ? below(farm, MWT_MODEL_RESULT_BYTES_MAX) : below(farm, 30);
    enum mwi_payload_form form = one_in(farm, 20)  ? MWI_PAYLOAD_FAILED
                                 : one_in(farm, 2) ? MWI_PAYLOAD_BYTES
                                                   : MWI_PAYLOAD_VALUES;
    unsigned char *data = malloc(size + 1);
    mwt_model_fill(data, id, size);
    if (is_bad) {
        data[0] = 0xc1;
        size = 1;
        form = MWI_PAYLOAD_VALUES;
    }
    struct mwi_message_item *item = &answer->items[answer->count++];
    *item = mwt_items_make(id, form, data, size);
    item->duration_ns = below(farm, 20) == 0 ? UINT64_MAX : below(farm, 100000);
}

/* Chooses tasks of the peer: its first ones, or any. */
static void choose_items(struct mwt_model *farm, size_t index, struct answer *answer)
{
    const struct mwt_model_peer *peer = &farm->peers[index];
    bool is_in_order = !one_in(farm, 4);
    size_t most = one_in(farm, 2) ? peer->held_count : 1 + below(farm, peer->held_count);
    size_t from = is_in_order && one_in(farm, 6) ? below(farm, peer->held_count) : 0;
    for (size_t i = from; i < peer->held_count && answer->count < most; i++)
        if (is_in_order || one_in(farm, 2))
            add_item(farm, answer, peer->held[i], false);
    if (answer->count == 0)
        add_item(farm, answer, peer->held[0], false);
    for (size_t i = answer->count; !is_in_order && i > 1; i--) {
        size_t other = below(farm, i);
        struct mwi_message_item item = answer->items[i - 1];
        answer->items[i - 1] = answer->items[other];
        answer->items[other] = item;
    }
    answer->good_count = answer->count;
}

/* Spoils the message: from some item on nothing is accepted. */
static void spoil(struct mwt_model *farm, size_t index, struct answer *answer)
{
    const struct mwt_model_peer *peer = &farm->peers[index];
    struct mwi_message_item *last = &answer->items[answer->count - 1];
    uint64_t id = last->id;
    switch (below(farm, 4)) {
    case 0:
        add_item(farm, answer, id, false);
        break;
    case 1:
        add_item(farm, answer, farm->last_id + 1 + below(farm, 3), false);
        break;
    case 2:
        add_item(farm, answer, 1 + below(farm, farm->last_id), false);
        id = answer->items[answer->count - 1].id;
        if (farm->tasks[id].holder == index + 1)
            answer->items[answer->count - 1].id = last->id;
        break;
    default:
        free(last->data);
        answer->count--;
        answer->good_count--;
        add_item(farm, answer, id, true);
        break;
    }
    if (answer->count > peer->held_count)
        answer->good_count = 0;
}

static void return_items(struct mwt_model *farm, size_t index, struct answer *answer)
{
    struct mwi_buffer buffer;
    bool is_bad = answer->good_count < answer->count;
    for (size_t i = 0; i < answer->good_count; i++)
        mwt_model_note_result(farm, index, &answer->items[i]);
    if (is_bad)
        mwt_model_part(farm, index);
    mwi_buffer_init(&buffer);
    mwt_items_results(&buffer, answer->items, answer->count);
    for (size_t i = 0; i < answer->count; i++)
        free(answer->items[i].data);
    say(farm, index, &buffer);
}

static void begin(struct mwt_model *farm, size_t index)
{
    const struct mwt_model_peer *peer = &farm->peers[index];
    const struct mwi_slave_entry *slave = mwi_slaves_find(&farm->engine.slaves, index + 1);
    struct mwi_buffer buffer;
    if (peer->held_count == 0 || slave == NULL || slave->has_started || one_in(farm, 3))
        return;
    mwi_buffer_init(&buffer);
    mwi_message_write_begun(&buffer, peer->held[0]);
    say(farm, index, &buffer);
}

static void return_some(struct mwt_model *farm)
{
    static struct answer answer;
    size_t index = some_peer(farm, true);
    if (index == MWT_MODEL_PEERS_MAX)
        return;
    begin(farm, index);
    answer.count = 0;
    if (farm->peers[index].held_count == 0)
        return;
    choose_items(farm, index, &answer);
    if (one_in(farm, 25))
        spoil(farm, index, &answer);
    return_items(farm, index, &answer);
}

static void return_all(struct mwt_model *farm, size_t index)
{
    static struct answer answer;
    const struct mwt_model_peer *peer = &farm->peers[index];
    answer.count = 0;
    for (size_t i = 0; i < peer->held_count; i++)
        add_item(farm, &answer, peer->held[i], false);
    answer.good_count = answer.count;
    if (answer.count > 0)
        return_items(farm, index, &answer);
}

static void take_some(struct mwt_model *farm, size_t count)
{
    struct mwi_finished item;
    /* Only the last result of a group holds the memory of all. */
    while (count-- > 0 && mwi_lifecycle_take_result(&farm->engine, &item)) {
        mwt_model_check_result(farm, &item);
        mwi_block_unref(item.block);
    }
    mwt_model_take_unrunnable(farm);
    mwt_walk_check(farm);
}

/* Losses, cancels and time. */

static void cancel(struct mwt_model *farm, uint64_t id)
{
    struct mwt_model_task *task = &farm->tasks[id];
    const struct mwi_task_entry *entry = mwi_tasks_find(&farm->engine.tasks, id);
    bool is_ended = task->fate != MWT_FATE_OPEN || task->is_cancelled ||
                    (entry != NULL && entry->state == MWI_TASK_UNRUNNABLE);
    mw_error error = mwi_lifecycle_cancel(&farm->engine, id);
    /* The model does not know of tasks that have ended because they fit no slave. */
    bool is_misfit = task->size > MWT_MODEL_SMALL_BYTES_MAX && error == MW_ESTATE;
    MWT_EXPECT(farm, is_misfit || error == (is_ended ? MW_ESTATE : MW_OK), id);
    if (error == MW_OK)
        task->is_cancelled = true;
    carry_out(farm);
}

static void cancel_some(struct mwt_model *farm)
{
    size_t count = one_in(farm, 4) ? below(farm, 300) : below(farm, 8);
    if (farm->last_id == 0)
        return;
    uint64_t id = 1 + below(farm, farm->last_id);
    bool is_run = one_in(farm, 2);
    for (; count > 0 && id <= farm->last_id; count--) {
        cancel(farm, id);
        id = is_run ? id + 1 : 1 + below(farm, farm->last_id);
    }
}

static void lose_some(struct mwt_model *farm)
{
    struct mwi_buffer buffer;
    size_t index = some_peer(farm, !one_in(farm, 4));
    if (index == MWT_MODEL_PEERS_MAX)
        return;
    begin(farm, index);
    if (!farm->peers[index].is_up)
        return;
    mwi_buffer_init(&buffer);
    switch (below(farm, 5)) {
    case 0:
        mwi_message_write_reason(&buffer, MWI_MESSAGE_GOODBYE, "enough");
        mwt_model_part(farm, index);
        say(farm, index, &buffer);
        break;
    case 1:
        mwi_message_write_reason(&buffer, MWI_MESSAGE_LEAVING, "soon");
        say(farm, index, &buffer);
        break;
    case 2:
        mwi_message_write_bare(&buffer, MWI_MESSAGE_RETURNED);
        mwt_model_part(farm, index);
        say(farm, index, &buffer);
        break;
    default:
        mwt_model_part(farm, index);
        step(farm, (struct mwi_event){.kind = MWI_EVENT_PEER_DOWN,
                                      .peer = (mw_peer)index + 1,
                                      .reason = "gone",
                                      .is_process_end = one_in(farm, 2)});
        break;
    }
}

static void regroup_some(struct mwt_model *farm)
{
    enum mwi_slave_group group = one_in(farm, 2) ? MWI_GROUP_ORDERED : MWI_GROUP_INTERMINGLE;
    size_t index = some_peer(farm, false);
    if (one_in(farm, 2))
        mwi_membership_allocate(&farm->engine, group, 1);
    else if (index != MWT_MODEL_PEERS_MAX && farm->peers[index].has_greeted)
        (void)mwi_membership_free_slave(&farm->engine, farm->peers[index].sid);
    carry_out(farm);
}

static void pass_time(struct mwt_model *farm)
{
    static const int64_t longer[] = {30 * MS, 900 * MS, 5 * MWI_NS_PER_S, 40 * MWI_NS_PER_S};
    int64_t after_ns = one_in(farm, 12) ? longer[below(farm, 4)] : (int64_t)below(farm, 3 * MS);
    tick(farm, after_ns);
}

static size_t up_count(const struct mwt_model *farm)
{
    size_t count = 0;
    for (size_t i = 0; i < farm->peers_count; i++)
        count += farm->peers[i].is_up;
    return count;
}

static void come_some(struct mwt_model *farm)
{
    static const size_t frames[] = {FRAME_BYTES_MAX, FRAME_BYTES_MAX, 4096, 40000, 1100};
    if (up_count(farm) < UP_MAX)
        come(farm, frames[below(farm, 5)]);
}

static void happen(struct mwt_model *farm)
{
    switch (below(farm, 20)) {
    case 0:
    case 1:
    case 2:
        submit_some(farm);
        break;
    case 3:
    case 4:
        come_some(farm);
        break;
    case 5:
        cancel_some(farm);
        break;
    case 6:
        lose_some(farm);
        break;
    case 7:
        regroup_some(farm);
        break;
    case 8:
    case 9:
    case 10:
        pass_time(farm);
        break;
    case 11:
    case 12:
        take_some(farm, one_in(farm, 2) ? MWT_MODEL_TASKS_MAX : below(farm, 40));
        break;
    default:
        return_some(farm);
        break;
    }
}

/* Until every task has ended. */
static void drain(struct mwt_model *farm)
{
    const size_t *counts = farm->engine.tasks.counts;
    int rounds = 0;
    mwi_membership_deallocate(&farm->engine, MWI_GROUP_ORDERED, SIZE_MAX);
    mwi_membership_deallocate(&farm->engine, MWI_GROUP_INTERMINGLE, SIZE_MAX);
    come(farm, FRAME_BYTES_MAX);
    come(farm, FRAME_BYTES_MAX);
    for (size_t open = 1; open > 0 && rounds < DRAIN_ROUNDS_MAX && !farm->is_wrong; rounds++) {
        for (size_t i = 0; i < farm->peers_count; i++)
            return_all(farm, i);
        take_some(farm, MWT_MODEL_TASKS_MAX);
        tick(farm, 20 * MS);
        if (up_count(farm) == 0)
            come(farm, FRAME_BYTES_MAX);
        open = farm->engine.finished.count;
        for (size_t state = 1; state < MWI_TASK_STATES_COUNT; state++)
            open += counts[state];
    }
    MWT_EXPECT(farm, rounds < DRAIN_ROUNDS_MAX, 0);
    for (uint64_t id = 1; id <= farm->last_id; id++)
        MWT_EXPECT(farm, (farm->tasks[id].fate == MWT_FATE_ENDED) != farm->tasks[id].is_cancelled,
                   id);
    MWT_EXPECT(farm, farm->results_begin == farm->results_end, 0);
    size_t left = farm->engine.tasks.batches.open != NULL;
    MWT_EXPECT(farm,
               farm->engine.tasks.batches.places_count - farm->engine.tasks.batches.first == left,
               0);
}

/* No task is sent any more, and slaves give back those that they have not begun. */
static void stop(struct mwt_model *farm)
{
    farm->is_stopping = true;
    mwi_membership_stop(&farm->engine, farm->now_ns);
    carry_out(farm);
    for (int i = 0; i < 20; i++) {
        size_t index = some_peer(farm, false);
        struct mwi_buffer buffer;
        if (index == MWT_MODEL_PEERS_MAX)
            return;
        if (one_in(farm, 2))
            return_some(farm);
        if (!farm->peers[index].is_up || !farm->peers[index].is_recalled)
            continue;
        farm->peers[index].is_recalled = false;
        mwt_model_release(farm, index);
        mwi_buffer_init(&buffer);
        mwi_message_write_bare(&buffer, MWI_MESSAGE_RETURNED);
        say(farm, index, &buffer);
    }
    take_some(farm, MWT_MODEL_TASKS_MAX);
    mwi_membership_shutdown(&farm->engine, farm->now_ns, MS);
    carry_out(farm);
    tick(farm, MWI_NS_PER_S);
}

static void open_farm(struct mwt_model *farm)
{
    static const mw_algorithm algorithms[] = {
        {"alpha", NULL}, {"beta", NULL}, {"gamma", NULL}, {NULL, NULL}};
    static const size_t groups[] = {0, 0, 1, 4, 60};
    const struct mwi_master_engine_config config = {
        .member_id = "farm",
        .algorithms = algorithms,
        .task_group = groups[below(farm, 5)],
        .frame_write_bytes_max = FRAME_BYTES_MAX,
        .frame_read_bytes_max = FRAME_BYTES_MAX,
        .client_timeout_ns = 60 * MWI_NS_PER_S,
        .fit_timeout_ns = 2 * MWI_NS_PER_S,
    };
    if (mwi_master_engine_init(&farm->engine, &config) != MW_OK ||
        !mwi_message_decoder_init(&farm->decoder))
        abort();
    farm->is_told = one_in(farm, 10);
    if (farm->is_told)
        farm->engine.effects.audited_kinds = UINT64_MAX;
}

static void close_farm(struct mwt_model *farm)
{
    mwi_master_engine_fini(&farm->engine);
    mwi_message_decoder_fini(&farm->decoder);
    for (size_t i = 0; i < farm->peers_count; i++)
        free(farm->peers[i].held);
}

static bool run_farm(uint64_t seed)
{
    struct mwt_model *farm = calloc(1, sizeof *farm);
    farm->seed = farm->random.state = seed;
    farm->now_ns = MWI_NS_PER_S;
    open_farm(farm);
    for (int i = 0; i < ROUNDS_COUNT && !farm->is_wrong; i++)
        happen(farm);
    switch (below(farm, 4)) {
    case 0:
        break;
    case 1:
        stop(farm);
        break;
    default:
        drain(farm);
        break;
    }
    bool is_right = !farm->is_wrong;
    close_farm(farm);
    free(farm);
    return is_right;
}

/* Each task ends once, and the stores agree with each other, in a hundred random farms. */
static void test_random(void)
{
    struct mwt_random random;
    const char *given = getenv("MW_TEST_SEEDS");
    unsigned long count = given == NULL ? SEEDS_COUNT : strtoul(given, NULL, 10);
    mwt_random_start(&random);
    bool is_right = true;
    for (uint64_t seed = random.state; count-- > 0 && is_right; seed++)
        is_right = run_farm(seed);
    CU_ASSERT_TRUE(is_right);
}

/* A slave for ordered tasks alone gets none of the pool, even behind an ordered task. */
static void test_ordered_slave(void)
{
    static struct mwt_master master;
    struct mwi_master_engine_config config = mwt_master_config();
    struct mwi_task_policy policy = mwt_policy_default();
    policy.sid = 0;
    config.task_group = 4;
    CU_ASSERT_TRUE_FATAL(mwt_master_start(&master, &config));
    mwi_membership_allocate(&master.engine, MWI_GROUP_ORDERED, 1);
    mwt_master_greet(&master, 1);
    mwt_master_submit_sized(&master, 'o', 1, &policy);
    mwt_master_tick(&master, 0);
    mwt_master_return(&master, 1, "o");
    mwt_master_forget(&master);

    mwt_master_submit(&master, "a b");
    mwt_master_submit_sized(&master, 'p', 1, &policy);
    mwt_master_tick(&master, 1);

    CU_ASSERT_STRING_EQUAL(mwt_master_sent(&master, 1), "p");
    mwt_master_end(&master);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"ordered slave", test_ordered_slave},
        {"random", test_random},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("master ranges", tests);
}

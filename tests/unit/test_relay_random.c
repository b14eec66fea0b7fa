/* SPDX-License-Identifier: Apache-2.0
 *
 * The relay of an isolated slave under random orders of events: messages that are late, children
 * that die at any moment, tasks that the master does not want or takes back. The children are the
 * engine of a slave. No task is begun twice; each comes back to the master once, as a result, a
 * crash, or given back without having been begun; and in the end nothing is left.
 */
#include "engine/relay.h"

#include <string.h>

#include "mwt_items.h"
#include "mwt_random.h"
#include "mwt_run.h"
#include "mwt_slave.h"

#define SEEDS_COUNT 500
#define STEPS_COUNT 400
#define CHILD 9
#define TASKS_MAX 2000
#define FRAMES_MAX 4096

/* Frames that are on their way. */
struct way {
    struct mwt_sent frames[FRAMES_MAX];
    size_t first, count;
};

enum fate { FATE_OPEN, FATE_RETURNED, FATE_CRASHED, FATE_GIVEN_BACK };

struct play {
    struct mwt_random random;
    struct mwi_slave_engine engine; /* the relay's side of the master */
    struct mwi_relay relay;
    struct mwi_relay_page page;
    struct mwi_slave_engine child;
    struct mwi_decoder decoder;
    struct way up, down; /* from and to the child */
    bool is_child_alive; /* its process */
    bool is_child_open;  /* the relay has not heard of the end of its connection */
    bool has_begun;
    struct mwi_slave_task task;
    int64_t now_ns;
    size_t given_count;
    enum fate fates[TASKS_MAX];
    uint8_t begun_counts[TASKS_MAX];
    bool is_recalled;
    size_t faults_count;
};

static bool one_in(struct play *play, size_t count)
{
    return mwt_random_below(&play->random, count) == 0;
}

static void expect(struct play *play, bool is_right, const char *what)
{
    if (is_right)
        return;
    play->faults_count++;
    fprintf(stderr, "not so: %s\n", what);
}

static void put(struct way *way, const void *data, size_t size, const mw_body *body)
{
    size_t total = size + (body == NULL ? 0 : body->size);
    struct mwt_sent *frame = &way->frames[(way->first + way->count++) % FRAMES_MAX];
    CU_ASSERT_FATAL(way->count <= FRAMES_MAX);
    frame->data = malloc(total + 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(frame->data);
    memcpy(frame->data, data, size);
    if (body != NULL && body->size > 0)
        memcpy(frame->data + size, body->data, body->size);
    frame->size = total;
}

static struct mwt_sent take(struct way *way)
{
    struct mwt_sent frame = way->frames[way->first];
    way->first = (way->first + 1) % FRAMES_MAX;
    way->count--;
    return frame;
}

static void empty(struct way *way)
{
    while (way->count > 0)
        free(take(way).data);
}

/* The master hears a message. */
static void hear(struct play *play, unsigned char *data, size_t size)
{
    struct mwi_message message;
    struct mwi_message_item item;
    mw_reason why;
    mw_error error = mwi_message_decode(&play->decoder, data, size, &message, &why);
    expect(play, error == MW_OK, "the master can read the message");
    if (error != MW_OK)
        return;
    struct mwi_message_cursor cursor = {.group = &message.group};
    while (message.kind == MWI_MESSAGE_RESULTS && mwi_message_next(&cursor, &item)) {
        expect(play, item.id < play->given_count && play->fates[item.id] == FATE_OPEN,
               "the task comes back once");
        expect(play, play->begun_counts[item.id] == 1, "a task that comes back was begun");
        if (item.id < TASKS_MAX)
            play->fates[item.id] = item.form == MWI_PAYLOAD_CRASHED ? FATE_CRASHED : FATE_RETURNED;
    }
    if (message.kind != MWI_MESSAGE_RETURNED)
        return;
    expect(play, play->is_recalled, "tasks are given back only when they are recalled");
    play->is_recalled = false;
    for (size_t i = 0; i < play->given_count; i++) {
        if (play->fates[i] != FATE_OPEN)
            continue;
        expect(play, play->begun_counts[i] == 0, "a task that is given back was not begun");
        play->fates[i] = FATE_GIVEN_BACK;
    }
}

/* Carries out the effects of the relay. */
static void carry_out(struct play *play)
{
    struct mwi_effects *effects = &play->engine.effects;
    expect(play, effects->error == MW_OK, "the relay can go on");
    for (size_t i = 0; i < effects->count; i++) {
        struct mwi_effect_entry *effect = &effects->items[i];
        if (effect->kind == MWI_EFFECT_DROP && effect->peer == CHILD)
            play->is_child_open = false;
        if (effect->kind != MWI_EFFECT_SEND)
            continue;
        const mw_body *body = effect->body.release == NULL ? NULL : &effect->body;
        struct way way = {.count = 0};
        put(&way, effect->frame, effect->size, body);
        struct mwt_sent frame = take(&way);
        if (effect->peer == CHILD)
            put(&play->down, frame.data, frame.size, NULL);
        else
            hear(play, frame.data, frame.size);
        free(frame.data);
        free(effect->frame);
        if (body != NULL)
            body->release(body->owner);
    }
    effects->count = 0;
}

static void step(struct play *play, struct mwi_event event)
{
    event.now_ns = play->now_ns;
    mwi_relay_step(&play->relay, &event);
    mwi_relay_flush(&play->relay, play->now_ns);
    carry_out(play);
}

/* The relay hears a frame of the master, or of the child. */
static void step_frame(struct play *play, mw_peer peer, unsigned char *data, size_t size)
{
    mw_frame frame = {.data = data, .size = size};
    step(play, (struct mwi_event){.kind = MWI_EVENT_FRAME, .peer = peer, .frame = &frame});
}

static void say(struct play *play, struct mwi_buffer *buffer)
{
    step_frame(play, MWT_MASTER_PEER, buffer->data, buffer->size);
    mwi_buffer_fini(buffer);
}

static void give_tasks(struct play *play)
{
    struct mwi_message_item items[5];
    struct mwi_buffer buffer;
    size_t count = 1 + mwt_random_below(&play->random, 5);
    if (play->given_count + count > TASKS_MAX || play->is_recalled)
        return;
    for (size_t i = 0; i < count; i++)
        items[i] = mwt_items_make(play->given_count + i, MWI_PAYLOAD_BYTES, "abc", 3);
    if (count == 1 && one_in(play, 2))
        items[0].form |= MWI_PAYLOAD_TIMED;
    play->given_count += count;
    mwi_buffer_init(&buffer);
    mwt_items_tasks(&buffer, items, count);
    say(play, &buffer);
}

static void end_some_task(struct play *play)
{
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_id(&buffer, MWI_MESSAGE_END_TASK,
                         mwt_random_below(&play->random, play->given_count + 1));
    say(play, &buffer);
}

static void recall(struct play *play)
{
    struct mwi_buffer buffer;
    if (play->is_recalled)
        return;
    play->is_recalled = true;
    mwi_buffer_init(&buffer);
    mwi_message_write_bare(&buffer, MWI_MESSAGE_RECALL);
    say(play, &buffer);
}

/* The child's effects go on their way. */
static void carry_out_child(struct play *play)
{
    struct mwi_effects *effects = &play->child.effects;
    for (size_t i = 0; i < effects->count; i++) {
        struct mwi_effect_entry *effect = &effects->items[i];
        const mw_body *body = effect->body.release == NULL ? NULL : &effect->body;
        if (effect->kind == MWI_EFFECT_SEND) {
            put(&play->up, effect->frame, effect->size, body);
            free(effect->frame);
            if (body != NULL)
                body->release(body->owner);
        }
    }
    effects->count = 0;
    mwi_results_have_left(&play->child.results);
}

static void start_child(struct play *play)
{
    struct mwi_slave_engine_config config = mwt_slave_config();
    config.is_prompt = true;
    empty(&play->up);
    empty(&play->down);
    atomic_store(&play->page.begun_count, 0);
    atomic_store(&play->page.ended_count, 0);
    CU_ASSERT_EQUAL_FATAL(mwi_slave_engine_init(&play->child, &config), MW_OK);
    mwi_slave_engine_connecting(&play->child, 1, "relay");
    mwi_slave_engine_step(&play->child, &(struct mwi_event){.kind = MWI_EVENT_PEER_UP,
                                                            .peer = 1,
                                                            .name = "relay",
                                                            .now_ns = play->now_ns});
    carry_out_child(play);
    play->is_child_alive = play->is_child_open = true;
    play->has_begun = false;
    mwi_relay_child_started(&play->relay, CHILD);
}

/* The process ends: what it has sent is on its way, and nothing else is heard of it. */
static void kill_child(struct play *play)
{
    if (play->has_begun) {
        mwi_results_fail(&play->child.results, "");
        mwi_slave_engine_end_task(&play->child, 0, play->now_ns);
    }
    for (size_t i = 0; i < play->child.effects.count; i++)
        play->child.effects.items[i].kind = MWI_EFFECT_SEND;
    mwi_slave_engine_fini(&play->child);
    play->is_child_alive = play->has_begun = false;
}

static void begin_task(struct play *play)
{
    mwi_slave_engine_tell_of_task(&play->child);
    carry_out_child(play);
    if (!mwi_slave_engine_begin_task(&play->child, &play->task))
        return;
    play->has_begun = true;
    atomic_fetch_add(&play->page.begun_count, 1);
    play->begun_counts[play->task.id]++;
    expect(play, play->begun_counts[play->task.id] == 1, "no task is begun twice");
}

static void end_task(struct play *play)
{
    mw_reason why;
    static unsigned char large[MWI_MESSAGE_LARGE_BYTES];
    size_t size = one_in(play, 8) ? sizeof large : 3;
    if (mwi_results_copy_bytes(&play->child.results, large, size, &why) != MW_OK)
        abort();
    play->has_begun = false;
    atomic_fetch_add(&play->page.ended_count, 1);
    if (one_in(play, 10)) { /* it dies before the result has left */
        mwi_slave_engine_end_task(&play->child, 1, play->now_ns);
        kill_child(play);
        return;
    }
    mwi_slave_engine_end_task(&play->child, 1, play->now_ns);
    carry_out_child(play);
}

/* The child hears the next message. Between tasks it hears all that has arrived. */
static void step_child(struct play *play)
{
    while (play->down.count > 0 && !play->has_begun) {
        struct mwt_sent sent = take(&play->down);
        mw_frame frame = {.data = sent.data, .size = sent.size};
        mwi_slave_engine_step(&play->child, &(struct mwi_event){.kind = MWI_EVENT_FRAME,
                                                                .peer = 1,
                                                                .frame = &frame,
                                                                .now_ns = play->now_ns});
        free(sent.data);
        carry_out_child(play);
        if (one_in(play, 2))
            break;
    }
}

/* Something happens to the child, or to its connection. */
static void act_child(struct play *play)
{
    if (play->is_child_alive && one_in(play, 30))
        kill_child(play);
    if (play->is_child_alive)
        step_child(play);
    if (play->is_child_alive && play->has_begun && one_in(play, 2))
        end_task(play);
    else if (play->is_child_alive && !play->has_begun && one_in(play, 2))
        begin_task(play);
    if (play->up.count > 0 && play->is_child_open && one_in(play, 2)) {
        struct mwt_sent sent = take(&play->up);
        step_frame(play, CHILD, sent.data, sent.size);
        free(sent.data);
    }
}

/* The relay hears that the child has ended, in either order. */
static void tell_end(struct play *play)
{
    if (play->is_child_alive)
        return;
    if (play->relay.has_process && one_in(play, 3)) {
        mwi_relay_child_ended(&play->relay, "was killed", play->now_ns);
        carry_out(play);
    }
    if (play->is_child_open && play->up.count == 0 && one_in(play, 3)) {
        play->is_child_open = false;
        step(play,
             (struct mwi_event){.kind = MWI_EVENT_PEER_DOWN, .peer = CHILD, .reason = "closed"});
    }
}

/* Does as the face would. */
static void obey(struct play *play)
{
    if (mwi_relay_wants_child(&play->relay))
        start_child(play);
    if (mwi_relay_pop_kill(&play->relay) && play->is_child_alive)
        kill_child(play);
    play->relay.ends_in_row = 0; /* children die often here */
}

static void act(struct play *play, bool has_master)
{
    play->now_ns += (int64_t)mwt_random_below(&play->random, 20000000);
    step(play, (struct mwi_event){.kind = MWI_EVENT_TICK});
    obey(play);
    if (has_master && one_in(play, 3))
        give_tasks(play);
    if (has_master && one_in(play, 8))
        end_some_task(play);
    if (has_master && one_in(play, 40))
        recall(play);
    act_child(play);
    tell_end(play);
}

static size_t open_count(const struct play *play)
{
    size_t count = 0;
    for (size_t i = 0; i < play->given_count; i++)
        count += play->fates[i] == FATE_OPEN;
    return count;
}

static void open_play(struct play *play, uint64_t seed)
{
    static const mw_algorithm theirs[] = {{"alpha", NULL}, {0}};
    struct mwi_slave_engine_config config = mwt_slave_config();
    struct mwi_buffer buffer;
    memset(play, 0, sizeof *play);
    play->random.state = seed;
    config.traits = MWI_TRAIT_ISOLATED;
    CU_ASSERT_TRUE_FATAL(mwi_message_decoder_init(&play->decoder));
    CU_ASSERT_EQUAL_FATAL(mwi_slave_engine_init(&play->engine, &config), MW_OK);
    CU_ASSERT_EQUAL_FATAL(mwi_relay_init(&play->relay, &play->engine, &play->page), MW_OK);
    mwi_slave_engine_connecting(&play->engine, MWT_MASTER_PEER, "host");
    step(play,
         (struct mwi_event){.kind = MWI_EVENT_PEER_UP, .peer = MWT_MASTER_PEER, .name = "host"});
    mwi_buffer_init(&buffer);
    mwi_message_write_welcome(&buffer, 3, (uint32_t)(seed % 3), 1 << 20, 0, theirs);
    say(play, &buffer);
    CU_ASSERT_EQUAL(play->engine.phase, MWI_PHASE_READY);
}

static void close_play(struct play *play)
{
    if (play->is_child_alive)
        kill_child(play);
    empty(&play->up);
    empty(&play->down);
    mwi_relay_fini(&play->relay);
    mwi_slave_engine_fini(&play->engine);
    mwi_message_decoder_fini(&play->decoder);
}

static bool is_right(uint64_t seed)
{
    static struct play play;
    open_play(&play, seed);
    for (int i = 0; i < STEPS_COUNT; i++)
        act(&play, true);
    for (int i = 0; i < 50000 && (open_count(&play) > 0 || play.is_recalled); i++)
        act(&play, false);
    expect(&play, open_count(&play) == 0, "each task comes back");
    expect(&play, play.engine.queue.tasks_count == 0, "no task is left");
    expect(&play, play.engine.phase == MWI_PHASE_READY, "the slave goes on");
    close_play(&play);
    if (play.faults_count > 0)
        fprintf(stderr, "replay with MW_TEST_SEED=%llu\n", (unsigned long long)seed);
    return play.faults_count == 0;
}

static void test_random(void)
{
    struct mwt_random random;
    mwt_random_start(&random);
    uint64_t first = random.state;
    for (uint64_t seed = first; seed < first + SEEDS_COUNT; seed++)
        if (!is_right(seed)) {
            CU_FAIL("a task is lost, run twice or returned twice");
            return;
        }
}

int main(void)
{
    CU_TestInfo tests[] = {{"random", test_random}, CU_TEST_INFO_NULL};
    return mwt_run("relay: random", tests);
}

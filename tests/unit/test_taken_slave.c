/* SPDX-License-Identifier: Apache-2.0
 *
 * A slave that holds the key and was taken over by somebody else, at a master's engine: it may say
 * anything, in any order. It ends or loses no task but those that it was given, no other slave
 * suffers, and the master takes no more memory than in proportion to what it was sent.
 *
 * The last test does so at random, beside honest slaves and a model of the farm. MW_TEST_SEED
 * replays a run; MW_TEST_SEEDS says how many runs there are.
 */
#include <string.h>

#include "base/printable.h"
#include "mwt_heap.h"
#include "mwt_hello.h"
#include "mwt_items.h"
#include "mwt_master.h"
#include "mwt_play.h"
#include "mwt_random.h"
#include "mwt_run.h"

#define TAKEN 7
#define HONEST 8
#define SEEDS_COUNT 60
#define ROUNDS_COUNT 150
#define FRAME_BYTES_MAX 300

/* The taken slave has the task a, the honest one has b, and c waits for either. */
static void start(struct mwt_master *master)
{
    CU_ASSERT_TRUE_FATAL(mwt_master_start(master, NULL));
    mwt_master_greet(master, TAKEN);
    mwt_master_greet(master, HONEST);
    mwt_master_submit(master, "a b c");
    mwt_master_tick(master, 1);
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(master, TAKEN), "a");
    CU_ASSERT_STRING_EQUAL(mwt_master_sent(master, HONEST), "b");
    mwt_master_begin(master, TAKEN);
    mwt_master_begin(master, HONEST);
    mwt_master_forget(master);
}

/* The honest slave does what is left, and each task has ended once, as `results` says. */
static void finish(struct mwt_master *master, const char *results)
{
    char name[16] = "b";
    while (name[0] != '\0') {
        mwt_master_forget(master);
        mwt_master_return(master, HONEST, name);
        snprintf(name, sizeof name, "%s", mwt_master_sent(master, HONEST));
    }
    CU_ASSERT_STRING_EQUAL(mwt_master_results(master), results);
    CU_ASSERT_FALSE(master->outbox.has_overflowed);
    mwt_master_end(master);
}

static void check_dropped(struct mwt_master *master, const char *reason)
{
    char line[200];
    snprintf(line, sizeof line, "SLAVE-0 dropped: %s\n", reason);
    CU_ASSERT_PTR_NOT_NULL(strstr(master->outbox.trail, line));
    CU_ASSERT_PTR_NULL(mwi_slaves_find(&master->engine.slaves, TAKEN));
    CU_ASSERT_PTR_NOT_NULL(mwi_slaves_find(&master->engine.slaves, HONEST));
}

static uint64_t id_of(struct mwt_master *master, const char *name)
{
    uint64_t id = 0;
    CU_ASSERT_TRUE(mwt_outbox_task_id(&master->tasks, name, &id));
    return id;
}

static void send_result(struct mwt_master *master, uint64_t id, enum mwi_payload_form form,
                        const void *payload, size_t size)
{
    struct mwi_buffer frame;
    mwi_buffer_init(&frame);
    mwt_items_result(&frame, id, form, payload, size, 1);
    mwt_master_frame(master, TAKEN, &frame);
}

/* A result of another slave's task, or of a task that waits or never was, costs the taken slave its
 * connection, and not the task. */
static void test_result_of_others(void)
{
    static const char why[] = "it sent a result of a task that it does not have";
    for (uint64_t id = 0; id <= 4; id++) {
        static struct mwt_master master;
        start(&master);
        if (id == id_of(&master, "a"))
            id++;

        send_result(&master, id, MWI_PAYLOAD_BYTES, "forged", 6);

        check_dropped(&master, why);
        finish(&master, "b@1 a@1 c@1");
    }
}

/* A result counts once: the same again, later or in the same message, is a breach. */
static void test_result_twice(void)
{
    static struct mwt_master master;
    start(&master);
    send_result(&master, id_of(&master, "a"), MWI_PAYLOAD_BYTES, "a", 1);
    uint64_t id = id_of(&master, "a");

    send_result(&master, id, MWI_PAYLOAD_BYTES, "a", 1);

    check_dropped(&master, "it sent a result of a task that it does not have");
    finish(&master, "a@0 b@1 c@1");

    start(&master);
    struct mwi_buffer frame;
    struct mwi_message_item twice[2];
    twice[0] = twice[1] = mwt_items_make(id_of(&master, "a"), MWI_PAYLOAD_BYTES, "a", 1);
    mwi_buffer_init(&frame);
    mwt_items_results(&frame, twice, 2);
    mwt_master_frame(&master, TAKEN, &frame);
    check_dropped(&master, "it sent more results than it has tasks");
    finish(&master, "b@1 a@1 c@1");
}

/* The result of a cancelled task is accepted once, for nothing. */
static void test_result_after_cancel(void)
{
    static struct mwt_master master;
    start(&master);
    uint64_t id = id_of(&master, "a");
    CU_ASSERT_EQUAL(mwi_lifecycle_cancel(&master.engine, id), MW_OK);

    send_result(&master, id, MWI_PAYLOAD_BYTES, "a", 1);
    CU_ASSERT_PTR_NOT_NULL(mwi_slaves_find(&master.engine.slaves, TAKEN));
    CU_ASSERT_STRING_EQUAL(mwt_master_results(&master), "");
    send_result(&master, id, MWI_PAYLOAD_BYTES, "a", 1);

    check_dropped(&master, "it sent a result of a task that it does not have");
    finish(&master, "b@1 c@1");
}

/* A few bytes that claim 65,536 results are refused for what they claim, without memory. */
static void test_claimed_results(void)
{
    static const unsigned char claim[] = {0x97, 0x05, 0xce, 0, 1, 0, 0, 1, 1, 0, 0x00, 0xc4, 0};
    static struct mwt_master master;
    start(&master);
    size_t before = mwt_heap_bytes();

    mwt_master_bytes(&master, TAKEN, claim, sizeof claim);

    CU_ASSERT_TRUE(mwt_heap_bytes() < before + 4096);
    check_dropped(&master, "it sent more results than it has tasks");
    finish(&master, "b@1 a@1 c@1");
}

/* A long message whose fields hold empty arrays is refused before msgpack-c sees it: each of them
 * would cost 24 bytes. */
static void test_nested_fields(void)
{
    enum { BYTES = 1 << 20 };
    static struct mwt_master master;
    static unsigned char bomb[BYTES];
    memcpy(bomb, "\x92\x07\xdd\x00\x0f\xff\xf9", 7);
    memset(bomb + 7, 0x90, sizeof bomb - 7);
    start(&master);
    size_t before = mwt_heap_bytes();

    mwt_master_bytes(&master, TAKEN, bomb, sizeof bomb);

    CU_ASSERT_TRUE(mwt_heap_bytes() < before + 4096);
    check_dropped(&master, "a frame that is not one msgpack value");
    finish(&master, "b@1 a@1 c@1");
}

/* A claim of very many fields is refused without a look at them. */
static void test_many_fields(void)
{
    static struct mwt_master master;
    start(&master);

    mwt_master_bytes(&master, TAKEN, "\xdd\xff\xff\xff\xff\x07", 6);

    check_dropped(&master, "its message has more fields than a slave's messages have");
    finish(&master, "b@1 a@1 c@1");
}

static void say_bare(struct mwt_master *master, enum mwi_message_kind kind)
{
    struct mwi_buffer frame;
    mwi_buffer_init(&frame);
    mwi_message_write_bare(&frame, kind);
    mwt_master_frame(master, TAKEN, &frame);
}

static void say_begun(struct mwt_master *master, uint64_t id)
{
    struct mwi_buffer frame;
    mwi_buffer_init(&frame);
    mwi_message_write_begun(&frame, id);
    mwt_master_frame(master, TAKEN, &frame);
}

/* Tasks are given back only if the master has asked for them. */
static void test_gives_back(void)
{
    static struct mwt_master master;
    start(&master);

    say_bare(&master, MWI_MESSAGE_RETURNED);

    check_dropped(&master, "it gave back tasks without being asked");
    finish(&master, "b@1 a@1 c@1");
}

/* A slave begins its first task once, and no other slave's. */
static void test_begins(void)
{
    static const char why[] = "it began a task that it does not have, or is not to tell of";
    static const char *const names[] = {"a", "b"};
    for (size_t i = 0; i < 2; i++) {
        static struct mwt_master master;
        start(&master);
        say_begun(&master, id_of(&master, names[i]));
        check_dropped(&master, why);
        finish(&master, "b@1 a@1 c@1");
    }
}

/* Words that change nothing may be said as often as it likes: they leave no line in the trail, no
 * answer and no memory. */
static void test_chatter(void)
{
    static struct mwt_master master;
    start(&master);
    mwt_master_say(&master, TAKEN, MWI_MESSAGE_LEAVING, "soon");
    say_bare(&master, MWI_MESSAGE_ATTENTIVE);
    mwt_master_forget(&master);
    size_t before = mwt_heap_bytes();

    for (int i = 0; i < 1000; i++) {
        mwt_master_say(&master, TAKEN, MWI_MESSAGE_LEAVING, "soon");
        say_bare(&master, MWI_MESSAGE_ATTENTIVE);
        say_bare(&master, MWI_MESSAGE_PONG);
    }

    CU_ASSERT_TRUE(mwt_heap_bytes() < before + 4096);
    CU_ASSERT_STRING_EQUAL(master.outbox.trail, "");
    CU_ASSERT_STRING_EQUAL(master.outbox.events, "");
    finish(&master, "b@1 c@1");
}

/* After a goodbye nothing that it says is heard. */
static void test_goodbye(void)
{
    static struct mwt_master master;
    start(&master);
    uint64_t id = id_of(&master, "a");

    mwt_master_say(&master, TAKEN, MWI_MESSAGE_GOODBYE, "bye\x1b[2J\nSLAVE-1 -> GOODBYE: bye");
    CU_ASSERT_PTR_NOT_NULL(
        strstr(master.outbox.trail, "SLAVE-0 -> GOODBYE: bye\\x1b[2J\\nSLAVE-1"));
    mwt_master_forget(&master);
    mwt_master_say(&master, TAKEN, MWI_MESSAGE_GOODBYE, "again");
    send_result(&master, id, MWI_PAYLOAD_BYTES, "a", 1);

    CU_ASSERT_STRING_EQUAL(master.outbox.trail, "");
    finish(&master, "b@1 a@1 c@1");
}

/* The message of a failure is safe to print, and takes at most four times its bytes. */
static void test_failure(void)
{
    enum { BYTES = 100000 };
    static struct mwt_master master;
    static char text[BYTES];
    struct mwi_finished item;
    memset(text, 0x1b, sizeof text);
    start(&master);
    size_t before = mwt_heap_bytes();

    send_result(&master, id_of(&master, "a"), MWI_PAYLOAD_FAILED, text, sizeof text);

    CU_ASSERT_TRUE(mwt_heap_bytes() <= before + 4 * BYTES + 8192);
    CU_ASSERT_TRUE_FATAL(mwi_lifecycle_take_result(&master.engine, &item));
    CU_ASSERT_TRUE(item.is_failed);
    CU_ASSERT_EQUAL(item.payload.size, 4 * BYTES);
    CU_ASSERT_NSTRING_EQUAL(item.payload.data, "\\x1b\\x1b", 8);
    mwi_block_unref(item.block);
    finish(&master, "b@1");
}

/* A claim of how long a task ran is cut to the time that the slave had it. */
static void test_claimed_duration(void)
{
    static struct mwt_master master;
    struct mwi_finished item;
    struct mwi_buffer frame;
    start(&master);
    mwt_master_tick(&master, 1000);
    mwi_buffer_init(&frame);
    mwt_items_result(&frame, id_of(&master, "a"), MWI_PAYLOAD_BYTES, "a", 1, UINT64_MAX);

    mwt_master_frame(&master, TAKEN, &frame);

    CU_ASSERT_TRUE_FATAL(mwi_lifecycle_take_result(&master.engine, &item));
    CU_ASSERT_TRUE(item.duration_ns <= 1000);
    mwi_block_unref(item.block);
    finish(&master, "b@1");
}

/* Slaves that greet under one name after the other and leave take no more memory than the numbers
 * that they were given. */
static void test_many_names(void)
{
    enum { TIMES = 4000, NUMBER_BYTES = 96 };
    static struct mwt_master master;
    char host[200];
    CU_ASSERT_TRUE_FATAL(mwt_master_start(&master, NULL));
    mwt_master_greet(&master, HONEST);
    mwt_master_forget(&master);
    size_t before = mwt_heap_bytes();

    for (int i = 0; i < TIMES; i++) {
        struct mwi_buffer frame;
        mwi_buffer_init(&frame);
        snprintf(host, sizeof host, "%0190d", i);
        mwi_message_write_hello(
            &frame, &(struct mwi_message_hello){.member_id = mwi_message_text(MWT_MEMBER_ID),
                                                .frame_bytes_max = MWT_FRAME_BYTES_MAX,
                                                .host = mwi_message_text(host),
                                                .boot_id = mwi_message_text(""),
                                                .pid = 4711});
        mwt_master_up(&master, 100);
        mwt_master_frame(&master, 100, &frame);
        mwt_master_forget(&master);
        if (i % 2 == 0)
            mwt_master_say(&master, 100, MWI_MESSAGE_GOODBYE, "and again");
        else
            mwt_master_down(&master, 100, "reset");
        CU_ASSERT_TRUE(i % 2 == 0 || strstr(master.outbox.trail, host) != NULL);
        mwt_master_forget(&master);
    }

    CU_ASSERT_TRUE(mwt_heap_bytes() < before + TIMES * NUMBER_BYTES);
    CU_ASSERT_EQUAL(master.engine.hosts.count, 1);
    mwt_master_end(&master);
}

/* At random, beside honest slaves. */

/* Results that were accepted, with their payloads as they are to be handed out. */
struct accepted {
    uint64_t id;
    char *payload;
    size_t size;
    bool is_failed;
};

struct taken_farm {
    struct mwt_model model;
    struct accepted accepted[MWT_MODEL_TASKS_MAX];
    size_t accepted_count, handed_count;
    bool is_taken[MWT_MODEL_PEERS_MAX];
};

static bool holds(const struct mwt_model_peer *peer, uint64_t id)
{
    for (size_t i = 0; i < peer->held_count; i++)
        if (peer->held[i] == id)
            return true;
    return false;
}

/* Notes a result that the engine must accept. */
static void note_accepted(struct taken_farm *farm, size_t index,
                          const struct mwi_message_item *item)
{
    bool is_failed = item->form == MWI_PAYLOAD_FAILED;
    bool is_wanted = !farm->model.tasks[item->id].is_cancelled;
    size_t size = is_failed ? mwi_printable_size(item->data, item->size) : item->size;
    mwt_model_note_result(&farm->model, index, item);
    if (!is_wanted)
        return;
    struct accepted *accepted = &farm->accepted[farm->accepted_count++];
    *accepted = (struct accepted){item->id, malloc(size + 1), size, is_failed};
    if (is_failed)
        mwi_printable_write(accepted->payload, item->data, item->size);
    else if (size > 0)
        memcpy(accepted->payload, item->data, size);
}

/* Says what must come of a frame: results up to the first bad one count, nothing else ends a
 * task. */
static void foresee(struct taken_farm *farm, size_t index, struct mwi_buffer *frame)
{
    struct mwt_model_peer *peer = &farm->model.peers[index];
    struct mwi_message message;
    struct mwi_message_item item;
    mw_reason why;
    if (!peer->is_up || !peer->has_greeted ||
        mwi_message_decode(&farm->model.decoder, frame->data, frame->size, &message, &why) != MW_OK)
        return;
    if (message.kind == MWI_MESSAGE_RETURNED && peer->is_recalled) {
        peer->is_recalled = false;
        mwt_model_release(&farm->model, index);
    }
    if (message.kind == MWI_MESSAGE_GOODBYE)
        mwt_model_part(&farm->model, index);
    if (message.kind != MWI_MESSAGE_RESULTS || message.group.count > peer->held_count)
        return;
    struct mwi_message_cursor cursor = {.group = &message.group};
    while (mwi_message_next(&cursor, &item) && holds(peer, item.id) &&
           mwi_message_is_readable(&item))
        note_accepted(farm, index, &item);
}

static void send_frame(struct taken_farm *farm, size_t index, struct mwi_buffer *frame)
{
    if (frame->size > 0 && farm->model.peers[index].is_up) {
        foresee(farm, index, frame);
        mwt_play_say(&farm->model, index, frame);
    }
    mwi_buffer_fini(frame);
}

static uint64_t some_id(struct taken_farm *farm, size_t index)
{
    const struct mwt_model_peer *peer = &farm->model.peers[index];
    if (peer->held_count > 0 && !mwt_play_one_in(&farm->model, 5))
        return peer->held[mwt_play_below(&farm->model, peer->held_count)];
    return mwt_play_below(&farm->model, farm->model.last_id + 3);
}

/* Results of some tasks, its own for the most part. */
static void write_results(struct taken_farm *farm, size_t index, struct mwi_buffer *frame)
{
    enum { COUNT_MAX = 6, SIZE_MAX_BYTES = 20 };
    unsigned char bytes[SIZE_MAX_BYTES];
    struct mwi_message_item items[COUNT_MAX];
    size_t count = 1 + mwt_play_below(&farm->model, COUNT_MAX);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)mwt_random_next(&farm->model.random);
    for (size_t i = 0; i < count; i++) {
        items[i] = mwt_items_make(some_id(farm, index),
                                  (enum mwi_payload_form)mwt_play_below(&farm->model, 3), bytes,
                                  mwt_play_below(&farm->model, sizeof bytes));
        items[i].duration_ns = mwt_random_next(&farm->model.random);
    }
    mwt_items_results(frame, items, count);
}

static void write_hello(struct mwi_buffer *frame)
{
    mwt_hello(frame, "farm", 4096);
}

/* A proper message of any kind. */
static void write_message(struct taken_farm *farm, size_t index, struct mwi_buffer *frame)
{
    static const enum mwi_message_kind bare[] = {MWI_MESSAGE_SHUTDOWN, MWI_MESSAGE_ATTENTIVE,
                                                 MWI_MESSAGE_PING,     MWI_MESSAGE_PONG,
                                                 MWI_MESSAGE_RECALL,   MWI_MESSAGE_RETURNED};
    static const enum mwi_message_kind reasons[] = {MWI_MESSAGE_REFUSE, MWI_MESSAGE_GOODBYE,
                                                    MWI_MESSAGE_LEAVING, MWI_MESSAGE_LEAVING};
    switch (mwt_play_below(&farm->model, 12)) {
    case 0:
    case 1:
        mwi_message_write_bare(frame, bare[mwt_play_below(&farm->model, 6)]);
        break;
    case 2:
        mwi_message_write_reason(frame, reasons[mwt_play_below(&farm->model, 4)], "\x1b[2J");
        break;
    case 3:
    case 4:
        mwi_message_write_begun(frame, some_id(farm, index));
        break;
    case 5:
        write_hello(frame);
        break;
    default:
        write_results(farm, index, frame);
        break;
    }
}

/* A taken slave speaks. Some of its messages are damaged. */
static void speak(struct taken_farm *farm, size_t index)
{
    struct mwi_buffer frame;
    mwi_buffer_init(&frame);
    write_message(farm, index, &frame);
    for (size_t i = mwt_play_one_in(&farm->model, 4) ? 1 + mwt_play_below(&farm->model, 3) : 0;
         i > 0; i--)
        frame.data[mwt_play_below(&farm->model, frame.size)] =
            (unsigned char)mwt_random_next(&farm->model.random);
    if (mwt_play_one_in(&farm->model, 20))
        frame.size = mwt_play_below(&farm->model, frame.size + 1);
    send_frame(farm, index, &frame);
}

/* An honest slave returns its first task, if it has one. */
static void work(struct taken_farm *farm, size_t index)
{
    const struct mwt_model_peer *peer = &farm->model.peers[index];
    struct mwi_buffer frame;
    unsigned char data[4];
    if (peer->held_count == 0)
        return;
    uint64_t id = peer->held[0];
    const struct mwi_slave_entry *slave = mwi_slaves_find(&farm->model.engine.slaves, index + 1);
    mwi_buffer_init(&frame);
    if (slave != NULL && !slave->has_started) {
        mwi_message_write_begun(&frame, id);
        send_frame(farm, index, &frame);
    }
    mwt_model_fill(data, id, sizeof data);
    mwi_buffer_init(&frame);
    mwt_items_result(&frame, id, MWI_PAYLOAD_BYTES, data, sizeof data, 1);
    send_frame(farm, index, &frame);
}

static void hand_out(struct taken_farm *farm)
{
    struct mwi_finished item;
    while (mwi_lifecycle_take_result(&farm->model.engine, &item)) {
        MWT_EXPECT(&farm->model, farm->handed_count < farm->accepted_count, item.task);
        const struct accepted *accepted = &farm->accepted[farm->handed_count++];
        MWT_EXPECT(&farm->model, item.task == accepted->id, item.task);
        MWT_EXPECT(&farm->model, item.is_failed == accepted->is_failed, item.task);
        MWT_EXPECT(&farm->model, item.payload.size == accepted->size, item.task);
        MWT_EXPECT(&farm->model,
                   accepted->size == 0 ||
                       memcmp(item.payload.data, accepted->payload, accepted->size) == 0,
                   item.task);
        farm->model.tasks[item.task].fate = MWT_FATE_ENDED;
        if (item.has_tag_bytes)
            free(item.tag_bytes);
        mwi_block_unref(item.block);
    }
    mwt_model_take_unrunnable(&farm->model);
}

/* New peers are taken or honest. An honest one is never dropped. */
static void come(struct taken_farm *farm)
{
    size_t index = farm->model.peers_count, up_count = 0;
    for (size_t i = 0; i < index; i++)
        up_count += farm->model.peers[i].is_up;
    if (up_count >= 6 || index == MWT_MODEL_PEERS_MAX)
        return;
    farm->is_taken[index] = mwt_play_one_in(&farm->model, 2);
    mwt_play_come(&farm->model, 4096 + FRAME_BYTES_MAX * mwt_play_below(&farm->model, 9));
}

static void happen(struct taken_farm *farm)
{
    struct mwt_model *model = &farm->model;
    size_t index = mwt_play_some_peer(model, false);
    switch (mwt_play_below(model, 10)) {
    case 0:
        come(farm);
        break;
    case 1:
        mwt_play_submit_some(model);
        break;
    case 2:
        mwt_play_tick(model, (int64_t)mwt_play_below(model, MWT_SECOND / 10));
        break;
    case 3:
        hand_out(farm);
        break;
    default:
        if (index == MWT_MODEL_PEERS_MAX)
            break;
        if (farm->is_taken[index])
            speak(farm, index);
        else
            work(farm, index);
        break;
    }
    for (size_t i = 0; i < model->peers_count; i++)
        MWT_EXPECT(model, farm->is_taken[i] || model->peers[i].is_up, i + 1);
}

static bool run_farm(uint64_t seed)
{
    struct taken_farm *farm = calloc(1, sizeof *farm);
    farm->model.seed = farm->model.random.state = seed;
    farm->model.now_ns = MWT_SECOND;
    mwt_play_open(&farm->model);
    for (int i = 0; i < ROUNDS_COUNT && !farm->model.is_wrong; i++)
        happen(farm);
    hand_out(farm);
    MWT_EXPECT(&farm->model, farm->handed_count == farm->accepted_count, farm->handed_count);
    bool is_right = !farm->model.is_wrong;
    for (size_t i = 0; i < farm->accepted_count; i++)
        free(farm->accepted[i].payload);
    mwt_play_close(&farm->model);
    free(farm);
    return is_right;
}

/* Taken slaves say anything: each task ends once, with a result of a slave that had it, and honest
 * slaves stay. */
static void test_random(void)
{
    CU_ASSERT_TRUE(mwt_play_seeds(run_farm, SEEDS_COUNT));
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"result of others", test_result_of_others},
        {"result twice", test_result_twice},
        {"result after cancel", test_result_after_cancel},
        {"claimed results", test_claimed_results},
        {"nested fields", test_nested_fields},
        {"many fields", test_many_fields},
        {"gives back", test_gives_back},
        {"begins", test_begins},
        {"chatter", test_chatter},
        {"goodbye", test_goodbye},
        {"failure", test_failure},
        {"claimed duration", test_claimed_duration},
        {"many names", test_many_names},
        {"random", test_random},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("taken slave", tests);
}

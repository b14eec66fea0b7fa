/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated network under random use: hosts that connect to each other, send, drop, compute,
 * leave and are killed, restarted, cut off and healed, all from one seed; then a crowd of hosts.
 *
 * Every frame says which stream it belongs to (a stream is what one end of one connection sends)
 * and how many came before it, so that each end can check on its own that frames arrive whole, once
 * and in order, between the up and the down of their peer; and that all of a stream has come when
 * its peer goes down in good order.
 *
 *     MW_SIM_SEED=17 test_sim_soak         seed 17 only
 *     MW_SIM_SEEDS=10000 test_sim_soak     10000 seeds
 *     MW_SIM_HOSTS=1000000 test_sim_soak   a crowd of a million
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>
#include <mw/sim.h>

#include "mwt_run.h"

#define MS INT64_C(1000000)
#define HOSTS_COUNT 6
#define STREAMS_MAX 4096
#define PEERS_MAX 512
#define ACTION_ENDS_NS (400 * MS)
#define FRAME_BYTES_MAX 4096

/* The beginning of each frame. The rest is filler that depends on both numbers. */
struct head {
    uint64_t stream, number;
};

struct soak {
    mw_sim *sim;
    mw_sim_host *hosts[HOSTS_COUNT];
    uint64_t sent_counts[STREAMS_MAX];
    uint64_t streams_count;
    uint64_t frames_count, downs_count, kills_count;
    char *trace;
    size_t trace_bytes;
    FILE *trace_stream;
    const char *broken; /* the first rule that was broken */
};

struct peer {
    bool is_up, is_over;
    uint64_t out_stream, in_stream, in_count;
};

/* One life of a host. */
struct life {
    struct soak *soak;
    mw_sim_host *host;
    void *transport;
    struct peer peers[PEERS_MAX];
    mw_peer last;
};

static uint64_t environment_number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);

    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void check(struct soak *soak, bool holds, const char *rule)
{
    if (!holds && soak->broken == NULL)
        soak->broken = rule;
}

static void trace(struct life *life, const char *format, ...) MW_PRINTF(2, 3);

static void trace(struct life *life, const char *format, ...)
{
    va_list arguments;

    fprintf(life->soak->trace_stream, "%" PRId64 " %s ", mw_sim_now(life->soak->sim),
            mw_sim_host_name(life->host));
    va_start(arguments, format);
    vfprintf(life->soak->trace_stream, format, arguments);
    va_end(arguments);
    fputc('\n', life->soak->trace_stream);
}

static uint64_t draw(struct soak *soak, uint64_t below)
{
    return mw_sim_random(soak->sim) % below;
}

static struct peer *peer_of(struct life *life, mw_peer peer)
{
    check(life->soak, peer >= 1 && peer < PEERS_MAX, "peers count from 1");
    return &life->peers[peer < PEERS_MAX ? peer : 0];
}

static void fill(unsigned char *data, size_t size, struct head head)
{
    memcpy(data, &head, sizeof head);
    for (size_t i = sizeof head; i < size; i++)
        data[i] = (unsigned char)(head.stream * 7 + head.number * 3 + i);
}

static void send_one(struct life *life, mw_peer peer)
{
    struct peer *state = peer_of(life, peer);
    struct soak *soak = life->soak;
    size_t size = sizeof(struct head) + draw(soak, 200);
    unsigned char *frame = malloc(size);
    mw_error error;

    if (state->out_stream == 0 && soak->streams_count + 1 < STREAMS_MAX)
        state->out_stream = ++soak->streams_count;
    if (frame == NULL || state->out_stream == 0) {
        free(frame);
        return;
    }
    fill(frame, size, (struct head){state->out_stream, soak->sent_counts[state->out_stream]});
    error = mw_sim_transport.send(life->transport, peer, frame, size, NULL);
    check(soak, error == (state->is_over ? MW_EPEER : MW_OK), "send knows which peers are there");
    if (error == MW_OK)
        soak->sent_counts[state->out_stream]++;
    else
        free(frame);
}

static void on_up(void *context, mw_peer peer, const char *name)
{
    struct life *life = context;
    struct peer *state = peer_of(life, peer);

    trace(life, "up %" PRIu64 " %s", peer, name);
    check(life->soak, !state->is_up && !state->is_over, "one up, before all else");
    state->is_up = true;
    life->last = peer;
    send_one(life, peer);
}

static void on_message(void *context, mw_peer peer, mw_frame *frame)
{
    struct life *life = context;
    struct peer *state = peer_of(life, peer);
    struct head head = {0};
    unsigned char expected[FRAME_BYTES_MAX];

    life->soak->frames_count++;
    check(life->soak, state->is_up && !state->is_over, "messages come between up and down");
    check(life->soak, frame->size >= sizeof head, "frames are whole");
    memcpy(&head, frame->data, sizeof head);
    fill(expected, frame->size, head);
    trace(life, "message %" PRIu64 " stream %" PRIu64 " number %" PRIu64, peer, head.stream,
          head.number);
    check(life->soak, memcmp(frame->data, expected, frame->size) == 0, "frames are whole");
    check(life->soak, state->in_count == 0 || state->in_stream == head.stream,
          "streams do not mix");
    check(life->soak, head.number == state->in_count, "frames come once and in order");
    state->in_stream = head.stream;
    state->in_count++;
    life->last = peer;
    if (draw(life->soak, 3) > 0)
        send_one(life, peer);
}

static void on_down(void *context, mw_peer peer, const char *reason)
{
    struct life *life = context;
    struct peer *state = peer_of(life, peer);
    bool is_in_order = strcmp(reason, "connection timed out") != 0;

    trace(life, "down %" PRIu64 " %s after %" PRIu64, peer, reason, state->in_count);
    check(life->soak, !state->is_over, "one down, and nothing after a drop");
    if (is_in_order && state->in_count > 0)
        check(life->soak, state->in_count == life->soak->sent_counts[state->in_stream],
              "all that was sent has come before the down");
    state->is_over = true;
    life->soak->downs_count++;
}

static void connect_to_someone(struct life *life)
{
    char name[8] = {(char)('a' + (char)draw(life->soak, HOSTS_COUNT))};
    mw_reason why;
    mw_peer peer;

    if (mw_sim_transport.connect(life->transport, name, &peer, &why) == MW_OK)
        trace(life, "connect %" PRIu64 " %s", peer, name);
}

static void drop_last(struct life *life)
{
    if (life->last != 0 && draw(life->soak, 4) == 0) {
        trace(life, "drop %" PRIu64, life->last);
        peer_of(life, life->last)->is_over = true;
        mw_sim_transport.drop(life->transport, life->last);
    }
}

static void do_something(struct life *life)
{
    switch (draw(life->soak, 8)) {
    case 0:
        connect_to_someone(life);
        break;
    case 1:
        drop_last(life);
        break;
    case 2:
        mw_sim_spend(life->soak->sim, (int64_t)draw(life->soak, 3 * MS));
        break;
    default:
        if (life->last != 0)
            send_one(life, life->last);
    }
}

static bool open_life(struct life *life)
{
    static const mw_transport_events events = {.up = on_up, .message = on_message, .down = on_down};
    mw_transport_config config = {.events = &events,
                                  .context = life,
                                  .frame_bytes_max = FRAME_BYTES_MAX,
                                  .wake_fd = -1,
                                  .environment = life->host};
    char bound[8];
    mw_reason why;

    return mw_sim_transport.open(&life->transport, &config, &why) == MW_OK &&
           mw_sim_transport.listen(life->transport, "", bound, sizeof bound, &why) == MW_OK;
}

/* Acts at random until its time is up, it has done enough, or it is killed. */
static int live(mw_sim_host *host, void *context)
{
    struct life *life = calloc(1, sizeof *life);
    struct soak *soak = context;
    mw_error error = MW_OK;
    mw_reason why;

    if (life == NULL)
        return 1;
    life->soak = soak;
    life->host = host;
    check(soak, open_life(life), "a host can open its transport");
    while (error == MW_OK && mw_sim_now(soak->sim) < ACTION_ENDS_NS && draw(soak, 200) > 0) {
        error = mw_sim_transport.poll(life->transport,
                                      mw_sim_now(soak->sim) + (int64_t)draw(soak, 2 * MS), &why);
        if (error == MW_OK)
            do_something(life);
    }
    trace(life, "leaves");
    mw_sim_transport.close(life->transport);
    free(life);
    return 0;
}

static void start_host(struct soak *soak, size_t i)
{
    char name[] = {(char)('a' + (char)i), '\0'};

    check(soak, mw_sim_host_start(soak->sim, name, live, soak, &soak->hosts[i]) == MW_OK,
          "a host can start");
}

/* Every few milliseconds it kills, starts, cuts off or heals a host. */
static void strike(mw_sim *sim, void *context)
{
    struct soak *soak = context;
    size_t i = (size_t)draw(soak, HOSTS_COUNT), j = (size_t)draw(soak, HOSTS_COUNT);
    uint64_t what = draw(soak, 8);

    if (mw_sim_host_ended(soak->hosts[i], NULL)) {
        start_host(soak, i);
    } else if (what == 0) {
        mw_sim_kill(soak->hosts[i]);
        soak->kills_count++;
        start_host(soak, i);
    } else if (what < 3 && i != j) {
        check(soak,
              mw_sim_cut(soak->hosts[i], soak->hosts[j], (int64_t)draw(soak, 20 * MS)) == MW_OK,
              "cut");
    } else if (what < 6) {
        mw_sim_heal(soak->hosts[i], soak->hosts[j]);
    }
    if (mw_sim_now(sim) < ACTION_ENDS_NS)
        check(soak,
              mw_sim_at(sim, mw_sim_now(sim) + (int64_t)draw(soak, 6 * MS), strike, soak) == MW_OK,
              "an act can be arranged");
}

/* Runs a soak. The caller frees its trace. */
static struct soak *run_soak(uint64_t seed)
{
    struct soak *soak = calloc(1, sizeof *soak);

    CU_ASSERT_PTR_NOT_NULL_FATAL(soak);
    soak->trace_stream = open_memstream(&soak->trace, &soak->trace_bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(soak->trace_stream);
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&soak->sim, &(mw_sim_config){.seed = seed}), MW_OK);
    for (size_t i = 0; i < HOSTS_COUNT; i++)
        start_host(soak, i);
    strike(soak->sim, soak);
    mw_sim_run(soak->sim, 2 * ACTION_ENDS_NS);
    mw_sim_destroy(soak->sim);
    fclose(soak->trace_stream);
    return soak;
}

static void end_soak(struct soak *soak)
{
    free(soak->trace);
    free(soak);
}

static void report(uint64_t seed, const char *rule)
{
    printf("\n    broken with seed %" PRIu64 ": %s\n    replay: test_sim_soak %" PRIu64 " 1\n",
           seed, rule, seed);
    CU_FAIL("a rule was broken");
}

/* No seed breaks a rule of the transport. */
static void rules_hold_for_every_seed(void)
{
    uint64_t frames_count = 0, downs_count = 0, kills_count = 0;
    uint64_t first = environment_number("MW_SIM_SEED", 1);
    uint64_t count = environment_number("MW_SIM_SEEDS", getenv("MW_SIM_SEED") != NULL ? 1 : 200);
    bool is_broken = false;

    for (uint64_t seed = first; !is_broken && seed < first + count; seed++) {
        struct soak *soak = run_soak(seed);

        frames_count += soak->frames_count;
        downs_count += soak->downs_count;
        kills_count += soak->kills_count;
        is_broken = soak->broken != NULL;
        if (is_broken)
            report(seed, soak->broken);
        end_soak(soak);
    }

    printf("%" PRIu64 " frames, %" PRIu64 " downs, %" PRIu64 " kills ", frames_count, downs_count,
           kills_count);
    CU_ASSERT_TRUE(frames_count > 0 && downs_count > 0 && kills_count > 0);
}

static bool is_same(const struct soak *left, const struct soak *right)
{
    return left->trace_bytes == right->trace_bytes &&
           memcmp(left->trace, right->trace, left->trace_bytes) == 0;
}

/* Two runs of one seed are the same to the byte; another seed gives another run. */
static void one_seed_one_run(void)
{
    uint64_t first_seed = environment_number("MW_SIM_SEED", 1);

    for (uint64_t seed = first_seed; seed < first_seed + 5; seed++) {
        struct soak *first = run_soak(seed);
        void *shift_the_heap = malloc(12345);
        struct soak *again = run_soak(seed);
        struct soak *other = run_soak(seed + 1000);

        CU_ASSERT_TRUE(first->trace_bytes > 1000);
        if (!is_same(first, again))
            report(seed, "the same seed gives the same run");
        CU_ASSERT_FALSE(is_same(first, other));
        free(shift_the_heap);
        end_soak(first);
        end_soak(again);
        end_soak(other);
    }
}

#define ROUNDS_COUNT 3
#define CROWD_STACK_BYTES 32768

struct crowd {
    mw_sim *sim;
    uint64_t hosts_count, open_count, done_count, frames_count;
};

/* A host of the crowd, or the one in its middle, whose rounds do not count. */
struct member {
    struct crowd *crowd;
    void *transport;
    int rounds_left;
    bool is_server, is_over;
};

static void send_back(struct member *member, mw_peer peer, mw_frame *frame)
{
    void *block = frame->block;

    frame->block = NULL;
    if (mw_sim_transport.send(member->transport, peer, block, frame->size, NULL) != MW_OK)
        free(block);
}

static void member_up(void *context, mw_peer peer, const char *name)
{
    struct member *member = context;
    mw_frame frame = {.block = member->is_server ? NULL : calloc(1, 64), .size = 64};

    (void)name;
    if (member->is_server)
        member->crowd->open_count++;
    else
        send_back(member, peer, &frame);
}

static void member_message(void *context, mw_peer peer, mw_frame *frame)
{
    struct member *member = context;

    member->crowd->frames_count++;
    if (!member->is_server && --member->rounds_left == 0)
        member->is_over = true;
    else
        send_back(member, peer, frame);
}

static void member_down(void *context, mw_peer peer, const char *reason)
{
    struct member *member = context;

    (void)peer;
    (void)reason;
    if (!member->is_server || ++member->crowd->done_count == member->crowd->hosts_count)
        member->is_over = true;
}

static int join(mw_sim_host *host, void *context)
{
    static const mw_transport_events events = {
        .up = member_up, .message = member_message, .down = member_down};
    struct member member = {.crowd = context,
                            .rounds_left = ROUNDS_COUNT,
                            .is_server = strcmp(mw_sim_host_name(host), "middle") == 0};
    mw_transport_config config = {.events = &events,
                                  .context = &member,
                                  .frame_bytes_max = 64,
                                  .wake_fd = -1,
                                  .environment = host};
    char bound[16];
    mw_peer peer;
    mw_reason why;
    mw_error error = mw_sim_transport.open(&member.transport, &config, &why);

    if (error != MW_OK)
        return 1;
    error = member.is_server
                ? mw_sim_transport.listen(member.transport, "", bound, sizeof bound, &why)
                : mw_sim_transport.connect(member.transport, "middle", &peer, &why);
    while (error == MW_OK && !member.is_over)
        error = mw_sim_transport.poll(member.transport, INT64_MAX, &why);
    mw_sim_transport.close(member.transport);
    return (int)error;
}

/* Many hosts live in one world at once, and each talks to the one in the middle; a second such
 * crowd reuses their stacks. */
static void many_hosts(void)
{
    uint64_t hosts_count = environment_number("MW_SIM_HOSTS", 100000);
    struct crowd crowd = {0};

    CU_ASSERT_EQUAL_FATAL(
        mw_sim_create(&crowd.sim, &(mw_sim_config){.seed = 1, .stack_bytes = CROWD_STACK_BYTES}),
        MW_OK);
    for (int round = 1; round <= 2; round++) {
        crowd = (struct crowd){.sim = crowd.sim, .hosts_count = hosts_count};
        CU_ASSERT_EQUAL(mw_sim_host_start(crowd.sim, "middle", join, &crowd, NULL), MW_OK);
        for (uint64_t i = 0; i < hosts_count; i++) {
            char name[32];
            snprintf(name, sizeof name, "host-%" PRIu64, i);
            CU_ASSERT_EQUAL_FATAL(mw_sim_host_start(crowd.sim, name, join, &crowd, NULL), MW_OK);
        }

        CU_ASSERT_TRUE(mw_sim_run(crowd.sim, INT64_MAX));

        CU_ASSERT_EQUAL(crowd.open_count, hosts_count);
        CU_ASSERT_EQUAL(crowd.done_count, hosts_count);
        CU_ASSERT_EQUAL(crowd.frames_count, 2 * hosts_count * ROUNDS_COUNT);
    }
    mw_sim_destroy(crowd.sim);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"rules hold for every seed", rules_hold_for_every_seed},
        {"one seed, one run", one_seed_one_run},
        {"many hosts", many_hosts},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("sim soak", tests);
}

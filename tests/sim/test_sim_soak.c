/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated network under random use: hosts that connect to each other, send, drop, compute,
 * leave and are killed, restarted, cut off and healed, all from one seed; then ten thousand hosts.
 *
 * Every frame says which stream it belongs to (a stream is what one end of one connection sends)
 * and how many came before it, so that each end can check on its own that frames arrive whole, once
 * and in order, between the up and the down of their peer; and that all of a stream has come when
 * its peer goes down in good order.
 *
 *     MW_SIM_SEED=17 test_sim_soak         seed 17 only
 *     MW_SIM_SEEDS=10000 test_sim_soak     so many seeds
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>
#include <mw/sim.h>

#define MS INT64_C(1000000)
#define HOSTS_COUNT 6
#define STREAMS_MAX 4096
#define PEERS_MAX 512
#define ACTION_ENDS_NS (400 * MS)
#define FRAME_BYTES_MAX 4096

/* What the frames start with; the rest is filler that depends on both numbers. */
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
    bool up, over;
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

static void check(struct soak *s, bool holds, const char *rule)
{
    if (!holds && s->broken == NULL)
        s->broken = rule;
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

static uint64_t draw(struct soak *s, uint64_t below)
{
    return mw_sim_random(s->sim) % below;
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
    struct peer *p = peer_of(life, peer);
    struct soak *s = life->soak;
    size_t size = sizeof(struct head) + draw(s, 200);
    unsigned char *frame = malloc(size);
    mw_error error;

    if (p->out_stream == 0 && s->streams_count + 1 < STREAMS_MAX)
        p->out_stream = ++s->streams_count;
    if (frame == NULL || p->out_stream == 0) {
        free(frame);
        return;
    }
    fill(frame, size, (struct head){p->out_stream, s->sent_counts[p->out_stream]});
    error = mw_sim_transport.send(life->transport, peer, frame, size, NULL);
    check(s, error == (p->over ? MW_EPEER : MW_OK), "send knows which peers are there");
    if (error == MW_OK)
        s->sent_counts[p->out_stream]++;
    else
        free(frame);
}

static void on_up(void *context, mw_peer peer, const char *name)
{
    struct life *life = context;
    struct peer *p = peer_of(life, peer);

    trace(life, "up %" PRIu64 " %s", peer, name);
    check(life->soak, !p->up && !p->over, "one up, before all else");
    p->up = true;
    life->last = peer;
    send_one(life, peer);
}

static void on_message(void *context, mw_peer peer, mw_frame *frame)
{
    struct life *life = context;
    struct peer *p = peer_of(life, peer);
    struct head head = {0};
    unsigned char expected[FRAME_BYTES_MAX];

    life->soak->frames_count++;
    check(life->soak, p->up && !p->over, "messages come between up and down");
    check(life->soak, frame->size >= sizeof head, "frames are whole");
    memcpy(&head, frame->data, sizeof head);
    fill(expected, frame->size, head);
    trace(life, "message %" PRIu64 " stream %" PRIu64 " number %" PRIu64, peer, head.stream,
          head.number);
    check(life->soak, memcmp(frame->data, expected, frame->size) == 0, "frames are whole");
    check(life->soak, p->in_count == 0 || p->in_stream == head.stream, "streams do not mix");
    check(life->soak, head.number == p->in_count, "frames come once and in order");
    p->in_stream = head.stream;
    p->in_count++;
    life->last = peer;
    if (draw(life->soak, 3) > 0)
        send_one(life, peer);
}

static void on_down(void *context, mw_peer peer, const char *reason)
{
    struct life *life = context;
    struct peer *p = peer_of(life, peer);
    bool in_order = strcmp(reason, "connection timed out") != 0;

    trace(life, "down %" PRIu64 " %s after %" PRIu64, peer, reason, p->in_count);
    check(life->soak, !p->over, "one down, and nothing after a drop");
    if (in_order && p->in_count > 0)
        check(life->soak, p->in_count == life->soak->sent_counts[p->in_stream],
              "all that was sent has come before the down");
    p->over = true;
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
        peer_of(life, life->last)->over = true;
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
    static const mw_transport_events events = {on_up, on_message, on_down};
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

/* Acts at random until the time is up, or it has had enough, or it is killed. */
static int live(mw_sim_host *host, void *context)
{
    struct life *life = calloc(1, sizeof *life);
    struct soak *s = context;
    mw_error error = MW_OK;
    mw_reason why;

    if (life == NULL)
        return 1;
    life->soak = s;
    life->host = host;
    check(s, open_life(life), "a host can open its transport");
    while (error == MW_OK && mw_sim_now(s->sim) < ACTION_ENDS_NS && draw(s, 200) > 0) {
        error = mw_sim_transport.poll(life->transport,
                                      mw_sim_now(s->sim) + (int64_t)draw(s, 2 * MS), &why);
        if (error == MW_OK)
            do_something(life);
    }
    trace(life, "leaves");
    mw_sim_transport.close(life->transport);
    free(life);
    return 0;
}

static void start_host(struct soak *s, size_t i)
{
    char name[] = {(char)('a' + (char)i), '\0'};

    check(s, mw_sim_host_start(s->sim, name, live, s, &s->hosts[i]) == MW_OK, "a host can start");
}

/* Every few milliseconds fate strikes: a kill, a start, a cut or a heal. */
static void strike(mw_sim *sim, void *context)
{
    struct soak *s = context;
    size_t i = (size_t)draw(s, HOSTS_COUNT), k = (size_t)draw(s, HOSTS_COUNT);
    uint64_t what = draw(s, 8);

    if (mw_sim_host_ended(s->hosts[i], NULL)) {
        start_host(s, i);
    } else if (what == 0) {
        mw_sim_kill(s->hosts[i]);
        s->kills_count++;
        start_host(s, i);
    } else if (what < 3 && i != k) {
        check(s, mw_sim_cut(s->hosts[i], s->hosts[k], (int64_t)draw(s, 20 * MS)) == MW_OK, "cut");
    } else if (what < 6) {
        mw_sim_heal(s->hosts[i], s->hosts[k]);
    }
    if (mw_sim_now(sim) < ACTION_ENDS_NS)
        check(s, mw_sim_at(sim, mw_sim_now(sim) + (int64_t)draw(s, 6 * MS), strike, s) == MW_OK,
              "an act can be arranged");
}

/* Runs a soak; its trace is to be freed by the caller. */
static struct soak *run_soak(uint64_t seed)
{
    struct soak *s = calloc(1, sizeof *s);

    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    s->trace_stream = open_memstream(&s->trace, &s->trace_bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s->trace_stream);
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&s->sim, &(mw_sim_config){.seed = seed}), MW_OK);
    for (size_t i = 0; i < HOSTS_COUNT; i++)
        start_host(s, i);
    strike(s->sim, s);
    mw_sim_run(s->sim, 2 * ACTION_ENDS_NS);
    mw_sim_destroy(s->sim);
    fclose(s->trace_stream);
    return s;
}

static void end_soak(struct soak *s)
{
    free(s->trace);
    free(s);
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
    bool broken = false;

    for (uint64_t seed = first; !broken && seed < first + count; seed++) {
        struct soak *s = run_soak(seed);

        frames_count += s->frames_count;
        downs_count += s->downs_count;
        kills_count += s->kills_count;
        broken = s->broken != NULL;
        if (broken)
            report(seed, s->broken);
        end_soak(s);
    }

    printf("%" PRIu64 " frames, %" PRIu64 " downs, %" PRIu64 " kills ", frames_count, downs_count,
           kills_count);
    CU_ASSERT_TRUE(frames_count > 0 && downs_count > 0 && kills_count > 0);
}

static bool is_same(const struct soak *a, const struct soak *b)
{
    return a->trace_bytes == b->trace_bytes && memcmp(a->trace, b->trace, a->trace_bytes) == 0;
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

#define CROWD_COUNT 10000
#define ROUNDS_COUNT 3

struct crowd {
    mw_sim *sim;
    int open_count, done_count;
    uint64_t frames_count;
};

/* A host of the crowd, or the one in their middle, whose rounds do not count. */
struct member {
    struct crowd *crowd;
    void *transport;
    int rounds_left;
    bool is_server, is_over;
};

static void send_back(struct member *m, mw_peer peer, mw_frame *frame)
{
    void *block = frame->block;

    frame->block = NULL;
    if (mw_sim_transport.send(m->transport, peer, block, frame->size, NULL) != MW_OK)
        free(block);
}

static void member_up(void *context, mw_peer peer, const char *name)
{
    struct member *m = context;
    mw_frame frame = {.block = m->is_server ? NULL : calloc(1, 64), .size = 64};

    (void)name;
    if (m->is_server)
        m->crowd->open_count++;
    else
        send_back(m, peer, &frame);
}

static void member_message(void *context, mw_peer peer, mw_frame *frame)
{
    struct member *m = context;

    m->crowd->frames_count++;
    if (!m->is_server && --m->rounds_left == 0)
        m->is_over = true;
    else
        send_back(m, peer, frame);
}

static void member_down(void *context, mw_peer peer, const char *reason)
{
    struct member *m = context;

    (void)peer;
    (void)reason;
    if (!m->is_server || ++m->crowd->done_count == CROWD_COUNT)
        m->is_over = true;
}

static int join(mw_sim_host *host, void *context)
{
    static const mw_transport_events events = {member_up, member_message, member_down};
    struct member m = {.crowd = context,
                       .rounds_left = ROUNDS_COUNT,
                       .is_server = strcmp(mw_sim_host_name(host), "middle") == 0};
    mw_transport_config config = {.events = &events,
                                  .context = &m,
                                  .frame_bytes_max = 64,
                                  .wake_fd = -1,
                                  .environment = host};
    char bound[16];
    mw_peer peer;
    mw_reason why;
    mw_error error = mw_sim_transport.open(&m.transport, &config, &why);

    if (error != MW_OK)
        return 1;
    error = m.is_server ? mw_sim_transport.listen(m.transport, "", bound, sizeof bound, &why)
                        : mw_sim_transport.connect(m.transport, "middle", &peer, &why);
    while (error == MW_OK && !m.is_over)
        error = mw_sim_transport.poll(m.transport, INT64_MAX, &why);
    mw_sim_transport.close(m.transport);
    return (int)error;
}

/* Ten thousand hosts live in one world at once, and each talks to the one in the middle; a second
 * such crowd reuses their stacks. */
static void ten_thousand_hosts(void)
{
    struct crowd crowd = {0};

    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&crowd.sim, &(mw_sim_config){.seed = 1}), MW_OK);
    for (int round = 1; round <= 2; round++) {
        crowd = (struct crowd){.sim = crowd.sim};
        CU_ASSERT_EQUAL(mw_sim_host_start(crowd.sim, "middle", join, &crowd, NULL), MW_OK);
        for (int i = 0; i < CROWD_COUNT; i++) {
            char name[24];
            snprintf(name, sizeof name, "host-%d", i);
            CU_ASSERT_EQUAL_FATAL(mw_sim_host_start(crowd.sim, name, join, &crowd, NULL), MW_OK);
        }

        CU_ASSERT_TRUE(mw_sim_run(crowd.sim, INT64_MAX));

        CU_ASSERT_EQUAL(crowd.open_count, CROWD_COUNT);
        CU_ASSERT_EQUAL(crowd.done_count, CROWD_COUNT);
        CU_ASSERT_EQUAL(crowd.frames_count, 2u * CROWD_COUNT * ROUNDS_COUNT);
    }
    mw_sim_destroy(crowd.sim);
}

int main(void)
{
    static CU_TestInfo tests[] = {
        {"rules hold for every seed", rules_hold_for_every_seed},
        {"one seed, one run", one_seed_one_run},
        {"ten thousand hosts", ten_thousand_hosts},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{.pName = "sim soak", .pTests = tests}, CU_SUITE_INFO_NULL};
    unsigned failures;

    if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
        return EXIT_FAILURE;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

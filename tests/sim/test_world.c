/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated world: its time, the hosts' turns, acts, kills and ends. Everything here depends
 * on the seed alone.
 */
#include <stdlib.h>
#include <string.h>

#include <CUnit/Basic.h>

#include "agent.h"
#include "mwt_run.h"

/* The state that the hosts of a test share. */
struct world {
    mw_sim *sim;
    mw_sim_host *hosts[4];
    struct mwt_agent first, second;
    int64_t times[8];
    int counter;
    char order[16];
    mw_error error;
};

static struct world *create_world(void)
{
    struct world *world = calloc(1, sizeof *world);

    CU_ASSERT_PTR_NOT_NULL_FATAL(world);
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&world->sim, &(mw_sim_config){.seed = 1}), MW_OK);
    return world;
}

static void destroy_world(struct world *world)
{
    mw_sim_destroy(world->sim);
    free(world);
}

static mw_sim_host *start(struct world *world, const char *name, mw_sim_main *run)
{
    mw_sim_host *host = NULL;

    CU_ASSERT_EQUAL_FATAL(mw_sim_host_start(world->sim, name, run, world, &host), MW_OK);
    return host;
}

static void at(struct world *world, int64_t at_ns, void (*act)(mw_sim *, void *))
{
    CU_ASSERT_EQUAL_FATAL(mw_sim_at(world->sim, at_ns, act, world), MW_OK);
}

static int status_of(const mw_sim_host *host)
{
    int status = -1000;

    CU_ASSERT_TRUE(mw_sim_host_ended(host, &status));
    return status;
}

static int sleep_five_seconds(mw_sim_host *host, void *context)
{
    struct world *world = context;
    volatile unsigned sum = 0;

    (void)mwt_agent_open(&world->first, host, 0);
    for (unsigned i = 0; i < 1000000; i++)
        sum = sum + i;
    world->times[0] = mw_sim_now(world->sim);
    mwt_agent_poll(&world->first, 5 * MWT_SECOND);
    world->times[1] = mw_sim_now(world->sim);
    mwt_agent_close(&world->first);
    return 7;
}

/* Computing takes no virtual time. A host that polls wakes exactly at its deadline. */
static void time_moves_only_by_the_world(void)
{
    struct world *world = create_world();
    world->hosts[0] = start(world, "a", sleep_five_seconds);

    bool has_ended = mw_sim_run(world->sim, INT64_MAX);

    CU_ASSERT_TRUE(has_ended);
    CU_ASSERT_EQUAL(world->times[0], 0);
    CU_ASSERT_EQUAL(world->times[1], 5 * MWT_SECOND);
    CU_ASSERT_EQUAL(mw_sim_now(world->sim), 5 * MWT_SECOND);
    CU_ASSERT_EQUAL(status_of(world->hosts[0]), 7);
    CU_ASSERT_EQUAL(world->first.error, MW_OK);
    destroy_world(world);
}

/* A run stops at the time that it is given, in the middle of a wait, and goes on from there. */
static void run_stops_at_its_time(void)
{
    struct world *world = create_world();
    world->hosts[0] = start(world, "a", sleep_five_seconds);

    CU_ASSERT_FALSE(mw_sim_run(world->sim, 2 * MWT_SECOND));

    CU_ASSERT_EQUAL(mw_sim_now(world->sim), 2 * MWT_SECOND);
    CU_ASSERT_FALSE(mw_sim_host_ended(world->hosts[0], NULL));
    CU_ASSERT_TRUE(mw_sim_run(world->sim, 5 * MWT_SECOND));
    CU_ASSERT_EQUAL(mw_sim_now(world->sim), 5 * MWT_SECOND);
    destroy_world(world);
}

static int wait_for_ever(mw_sim_host *host, void *context)
{
    struct world *world = context;

    (void)mwt_agent_open(&world->first, host, 0);
    mwt_agent_poll(&world->first, INT64_MAX);
    world->counter++;
    mwt_agent_close(&world->first);
    return 0;
}

/* When every host waits and nothing is on its way, a run ends before its time. */
static void run_stops_when_nothing_can_happen(void)
{
    struct world *world = create_world();
    start(world, "a", wait_for_ever);

    bool has_ended = mw_sim_run(world->sim, INT64_MAX);

    CU_ASSERT_FALSE(has_ended);
    CU_ASSERT_EQUAL(mw_sim_now(world->sim), 0);
    destroy_world(world);
}

static int send_after_computing(mw_sim_host *host, void *context)
{
    struct world *world = context;

    if (!mwt_agent_connect(&world->first, host, "b"))
        return 1;
    mwt_agent_await(&world->first, MWT_UP, 1);
    mwt_agent_send_range(&world->first, 1, 2);
    mw_sim_spend(world->sim, MWT_SECOND);
    world->times[0] = mw_sim_now(world->sim);
    mwt_agent_send_range(&world->first, 3, 4);
    mwt_agent_close(&world->first);
    return 0;
}

static int echo_until_down(mw_sim_host *host, void *context)
{
    struct world *world = context;

    if (!mwt_agent_listen(&world->second, host))
        return 1;
    mwt_agent_await(&world->second, MWT_DOWN, 1);
    mwt_agent_close(&world->second);
    return 0;
}

/* A frame that a host sends after it has computed for a second leaves a second later. */
static void spend_delays_what_follows(void)
{
    struct world *world = create_world();
    start(world, "b", echo_until_down);
    start(world, "a", send_after_computing);

    CU_ASSERT_TRUE(mw_sim_run(world->sim, INT64_MAX));

    CU_ASSERT_TRUE(mwt_agent_saw_range(&world->second, 1, 4));
    CU_ASSERT_TRUE(mwt_agent_seen(&world->second, MWT_MESSAGE, 1)->time_ns < 10 * MWT_MS);
    CU_ASSERT_TRUE(world->times[0] > MWT_SECOND);
    CU_ASSERT_TRUE(mwt_agent_seen(&world->second, MWT_MESSAGE, 2)->time_ns > world->times[0]);
    destroy_world(world);
}

static int compute_while_frames_come(mw_sim_host *host, void *context)
{
    struct world *world = context;

    if (!mwt_agent_listen(&world->second, host))
        return 1;
    mwt_agent_await(&world->second, MWT_UP, 1);
    mw_sim_spend(world->sim, MWT_SECOND);
    world->times[0] = mw_sim_now(world->sim);
    world->counter = world->second.counts[MWT_MESSAGE];
    mwt_agent_poll(&world->second, 0);
    mwt_agent_close(&world->second);
    return 0;
}

static int send_at_once(mw_sim_host *host, void *context)
{
    struct world *world = context;

    if (!mwt_agent_connect(&world->first, host, "b"))
        return 1;
    mwt_agent_await(&world->first, MWT_UP, 1);
    mwt_agent_send_range(&world->first, 1, 3);
    mwt_agent_await(&world->first, MWT_DOWN, 1);
    mwt_agent_close(&world->first);
    return 0;
}

/* A frame that arrives while a host computes is reported in its next poll, not earlier. */
static void arrivals_wait_while_a_host_computes(void)
{
    struct world *world = create_world();
    start(world, "b", compute_while_frames_come);
    start(world, "a", send_at_once);

    CU_ASSERT_TRUE(mw_sim_run(world->sim, INT64_MAX));

    CU_ASSERT_EQUAL(world->counter, 0);
    CU_ASSERT_TRUE(mwt_agent_saw_range(&world->second, 1, 3));
    CU_ASSERT_EQUAL(mwt_agent_seen(&world->second, MWT_MESSAGE, 0)->time_ns, world->times[0]);
    destroy_world(world);
}

static int spin_for_a_millisecond(mw_sim_host *host, void *context)
{
    struct world *world = context;

    (void)mwt_agent_open(&world->first, host, 0);
    while (mw_sim_now(world->sim) < MWT_MS) {
        mwt_agent_poll(&world->first, 0);
        world->counter++;
    }
    mwt_agent_close(&world->first);
    return 0;
}

/* A host that polls without ever waiting does not stop the world. */
static void a_spinning_host_lets_the_world_go_on(void)
{
    struct world *world = create_world();
    start(world, "a", spin_for_a_millisecond);

    CU_ASSERT_TRUE(mw_sim_run(world->sim, INT64_MAX));

    CU_ASSERT_EQUAL(mw_sim_now(world->sim), MWT_MS);
    CU_ASSERT_TRUE(world->counter >= 1000);
    destroy_world(world);
}

static void note(struct world *world, char letter)
{
    size_t length = strlen(world->order);

    if (length + 1 < sizeof world->order)
        world->order[length] = letter;
}

static void act_a(mw_sim *sim, void *context)
{
    (void)sim;
    note(context, 'a');
}

static void act_b(mw_sim *sim, void *context)
{
    struct world *world = context;

    note(world, 'b');
    (void)mw_sim_at(sim, 0, act_a, world);
}

static void act_c(mw_sim *sim, void *context)
{
    struct world *world = context;

    world->times[0] = mw_sim_now(sim);
    note(world, 'c');
}

/* Acts happen in the order of their times; those of one time in the order in which they were
 * arranged, also when an act arranges another for a time that is past. */
static void acts_of_one_time_keep_their_order(void)
{
    struct world *world = create_world();
    at(world, 2 * MWT_SECOND, act_b);
    at(world, 2 * MWT_SECOND, act_a);
    at(world, 2 * MWT_SECOND, act_c);
    at(world, MWT_SECOND, act_a);

    CU_ASSERT_TRUE(mw_sim_run(world->sim, INT64_MAX));

    CU_ASSERT_STRING_EQUAL(world->order, "abaca");
    CU_ASSERT_EQUAL(world->times[0], 2 * MWT_SECOND);
    destroy_world(world);
}

static int run_child(mw_sim_host *host, void *context)
{
    struct world *world = context;

    world->times[1] = mw_sim_now(world->sim);
    CU_ASSERT_STRING_EQUAL(mw_sim_host_name(host), "child");
    CU_ASSERT_PTR_EQUAL(mw_sim_host_world(host), world->sim);
    return 5;
}

static int start_child(mw_sim_host *host, void *context)
{
    struct world *world = context;

    mw_sim_spend(world->sim, MWT_SECOND);
    world->times[0] = mw_sim_now(world->sim);
    world->error = mw_sim_host_start(world->sim, mw_sim_host_name(host), run_child, world, NULL);
    return (int)mw_sim_host_start(world->sim, "child", run_child, world, &world->hosts[1]);
}

/* A host may start another, which begins at that time; but not one of its own name. */
static void a_host_starts_a_host(void)
{
    struct world *world = create_world();
    world->hosts[0] = start(world, "parent", start_child);

    CU_ASSERT_TRUE(mw_sim_run(world->sim, INT64_MAX));

    CU_ASSERT_EQUAL(status_of(world->hosts[0]), 0);
    CU_ASSERT_EQUAL(status_of(world->hosts[1]), 5);
    CU_ASSERT_EQUAL(world->times[0], MWT_SECOND);
    CU_ASSERT_EQUAL(world->times[1], MWT_SECOND);
    CU_ASSERT_EQUAL(world->error, MW_EINVAL);
    destroy_world(world);
}

static int run_noting(mw_sim_host *host, void *context)
{
    (void)host;
    note(context, 'h');
    return 0;
}

static void act_start(mw_sim *sim, void *context)
{
    note(context, 's');
    (void)mw_sim_host_start(sim, "late", run_noting, context, NULL);
}

/* The turn of a host comes after the events of its time that were arranged before it. */
static void a_turn_keeps_its_order(void)
{
    struct world *world = create_world();
    at(world, MWT_SECOND, act_start);
    at(world, MWT_SECOND, act_a);

    CU_ASSERT_TRUE(mw_sim_run(world->sim, INT64_MAX));

    CU_ASSERT_STRING_EQUAL(world->order, "sah");
    destroy_world(world);
}

static void kill_first(mw_sim *sim, void *context)
{
    struct world *world = context;

    (void)sim;
    mw_sim_kill(world->hosts[0]);
}

/* A host that is killed while it computes sends nothing that it would have sent after that. Its
 * earlier frames arrive, and then its peer goes down there. */
static void kill_while_computing(void)
{
    struct world *world = create_world();
    start(world, "b", echo_until_down);
    world->hosts[0] = start(world, "a", send_after_computing);
    at(world, 500 * MWT_MS, kill_first);

    CU_ASSERT_TRUE(mw_sim_run(world->sim, INT64_MAX));

    CU_ASSERT_EQUAL(status_of(world->hosts[0]), -9);
    CU_ASSERT_TRUE(mwt_agent_saw_range(&world->second, 1, 2));
    CU_ASSERT_EQUAL(world->second.counts[MWT_DOWN], 1);
    CU_ASSERT_STRING_EQUAL(mwt_agent_seen(&world->second, MWT_DOWN, 0)->text,
                           "connection reset by the peer");
    CU_ASSERT_TRUE(mwt_agent_seen(&world->second, MWT_DOWN, 0)->time_ns < 501 * MWT_MS);
    destroy_world(world);
}

/* A killed host's poll fails at once, with the reason. */
static void kill_while_waiting(void)
{
    struct world *world = create_world();
    world->hosts[0] = start(world, "a", wait_for_ever);
    at(world, MWT_SECOND, kill_first);

    CU_ASSERT_TRUE(mw_sim_run(world->sim, INT64_MAX));

    CU_ASSERT_EQUAL(status_of(world->hosts[0]), -9);
    CU_ASSERT_EQUAL(world->first.error, MW_ENETWORK);
    CU_ASSERT_PTR_NOT_NULL(strstr(world->first.why.text, "killed"));
    CU_ASSERT_EQUAL(mw_sim_now(world->sim), MWT_SECOND);
    destroy_world(world);
}

/* A host that is killed before its first turn never runs. */
static void kill_before_the_first_turn(void)
{
    struct world *world = create_world();
    world->hosts[0] = start(world, "a", wait_for_ever);

    mw_sim_kill(world->hosts[0]);

    CU_ASSERT_TRUE(mw_sim_run(world->sim, INT64_MAX));
    CU_ASSERT_EQUAL(status_of(world->hosts[0]), -9);
    CU_ASSERT_EQUAL(world->counter, 0);
    destroy_world(world);
}

static int die_and_go_on(mw_sim_host *host, void *context)
{
    struct world *world = context;

    if (!mwt_agent_connect(&world->first, host, "b"))
        return 1;
    mwt_agent_await(&world->first, MWT_UP, 1);
    mwt_agent_send_range(&world->first, 1, 1);
    mw_sim_kill(host);
    mwt_agent_send_range(&world->first, 2, 3);
    world->error = mw_sim_host_start(world->sim, "ghost", die_and_go_on, world, NULL);
    while (mw_sim_now(world->sim) < MWT_SECOND)
        mwt_agent_poll(&world->first, MWT_SECOND);
    mw_sim_spend(world->sim, MWT_SECOND);
    world->times[0] = mw_sim_now(world->sim);
    mwt_agent_close(&world->first);
    return 0;
}

/* A host may kill itself. Its later calls have no effect, and even a host that ignores errors gets
 * to its end. Only its own clock goes on. */
static void kill_oneself(void)
{
    struct world *world = create_world();
    start(world, "b", echo_until_down);
    world->hosts[0] = start(world, "a", die_and_go_on);

    CU_ASSERT_TRUE(mw_sim_run(world->sim, INT64_MAX));

    CU_ASSERT_EQUAL(status_of(world->hosts[0]), -9);
    CU_ASSERT_EQUAL(world->error, MW_ESTATE);
    CU_ASSERT_TRUE(mwt_agent_saw_range(&world->second, 1, 1));
    CU_ASSERT_EQUAL(world->times[0], 2 * MWT_SECOND);
    CU_ASSERT_TRUE(mw_sim_now(world->sim) < 2 * MWT_MS);
    destroy_world(world);
}

static void replace_first(mw_sim *sim, void *context)
{
    struct world *world = context;

    mw_sim_kill(world->hosts[0]);
    world->error = mw_sim_host_start(sim, "b", echo_until_down, world, &world->hosts[1]);
}

static int wait_unheard(mw_sim_host *host, void *context)
{
    struct mwt_agent *agent = calloc(1, sizeof *agent);
    struct world *world = context;

    if (agent != NULL && mwt_agent_listen(agent, host))
        mwt_agent_await(agent, MWT_DOWN, 1);
    world->counter++;
    mw_sim_transport.close(agent != NULL ? agent->transport : NULL);
    free(agent);
    return 0;
}

static int connect_twice(mw_sim_host *host, void *context)
{
    struct world *world = context;

    if (!mwt_agent_connect(&world->first, host, "b"))
        return 1;
    mwt_agent_await(&world->first, MWT_DOWN, 1);
    mwt_agent_close(&world->first);
    memset(&world->first, 0, sizeof world->first);
    return send_after_computing(host, context);
}

/* In the moment in which a host is killed, another may take its name and its place. */
static void restart_under_the_same_name(void)
{
    struct world *world = create_world();
    world->hosts[0] = start(world, "b", wait_unheard);
    world->hosts[2] = start(world, "a", connect_twice);
    at(world, MWT_SECOND, replace_first);

    CU_ASSERT_TRUE(mw_sim_run(world->sim, INT64_MAX));

    CU_ASSERT_EQUAL(world->error, MW_OK);
    CU_ASSERT_EQUAL(status_of(world->hosts[0]), -9);
    CU_ASSERT_EQUAL(world->counter, 1);
    CU_ASSERT_EQUAL(status_of(world->hosts[2]), 0);
    CU_ASSERT_EQUAL(status_of(world->hosts[1]), 0);
    CU_ASSERT_TRUE(mwt_agent_saw_range(&world->second, 1, 4));
    destroy_world(world);
}

static void start_waiting_host(mw_sim *sim, void *context)
{
    (void)mw_sim_host_start(sim, "late", wait_unheard, context, NULL);
}

/* Destroying a world ends the functions that still run and frees everything: frames on their way,
 * computing hosts, later acts, and a host that has had no turn yet. */
static void destroy_with_hosts_running(void)
{
    struct world *world = create_world();
    start(world, "b", wait_unheard);
    start(world, "a", send_after_computing);
    at(world, MWT_MS, start_waiting_host);
    at(world, MWT_SECOND, act_a);
    CU_ASSERT_FALSE(mw_sim_run(world->sim, 2 * MWT_MS));
    start(world, "unborn", wait_for_ever);

    mw_sim_destroy(world->sim);

    CU_ASSERT_EQUAL(world->counter, 2);
    CU_ASSERT_EQUAL(world->times[0], 2 * MWT_MS);
    CU_ASSERT_STRING_EQUAL(world->order, "");
    mw_sim_destroy(NULL);
    free(world);
}

static int run_inner_world(mw_sim_host *host, void *context)
{
    struct world *outer = context;
    struct world *inner = create_world();

    (void)host;
    start(inner, "b", echo_until_down);
    start(inner, "a", send_after_computing);
    outer->counter = mw_sim_run(inner->sim, INT64_MAX);
    outer->times[0] = mw_sim_now(outer->sim);
    destroy_world(inner);
    return 0;
}

/* Worlds are independent: one may even run within a host of another. */
static void a_world_within_a_host(void)
{
    struct world *world = create_world();
    start(world, "outer", run_inner_world);

    CU_ASSERT_TRUE(mw_sim_run(world->sim, INT64_MAX));

    CU_ASSERT_EQUAL(world->counter, 1);
    CU_ASSERT_EQUAL(world->times[0], 0);
    destroy_world(world);
}

static int use_much_stack(mw_sim_host *host, void *context)
{
    volatile unsigned char room[160 * 1024];

    (void)context;
    for (size_t i = 0; i < sizeof room; i += 512)
        room[i] = (unsigned char)(i / 512);
    mw_sim_spend(mw_sim_host_world(host), MWT_MS);
    for (size_t i = 0; i < sizeof room; i += 512)
        if (room[i] != (unsigned char)(i / 512))
            return 1;
    return 0;
}

/* Each host has its own stack of the promised size, also a host that reuses the stack of an ended
 * one. */
static void stacks_are_large_and_apart(void)
{
    struct world *world = create_world();

    for (int round = 0; round < 2; round++) {
        world->hosts[0] = start(world, "a", use_much_stack);
        world->hosts[1] = start(world, "b", use_much_stack);
        CU_ASSERT_TRUE(mw_sim_run(world->sim, INT64_MAX));
        CU_ASSERT_EQUAL(status_of(world->hosts[0]), 0);
        CU_ASSERT_EQUAL(status_of(world->hosts[1]), 0);
    }

    destroy_world(world);
}

/* Bad arguments are refused before anything changes. */
static void bad_arguments(void)
{
    struct world *world = create_world();
    mw_sim *none = NULL;

    CU_ASSERT_EQUAL(mw_sim_create(&none, &(mw_sim_config){.delay_min_ns = -1}), MW_EINVAL);
    CU_ASSERT_PTR_NULL(none);
    CU_ASSERT_EQUAL(mw_sim_host_start(world->sim, "", run_child, world, NULL), MW_EINVAL);
    CU_ASSERT_EQUAL(mw_sim_host_start(world->sim, NULL, run_child, world, NULL), MW_EINVAL);
    CU_ASSERT_TRUE(mw_sim_run(world->sim, INT64_MAX));

    destroy_world(world);
}

/* The random sequence depends on the seed and on nothing else. */
static void random_numbers_come_from_the_seed(void)
{
    mw_sim *sims[3];
    uint64_t sums[3] = {0};

    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL_FATAL(mw_sim_create(&sims[i], &(mw_sim_config){.seed = (uint64_t)i / 2}),
                              MW_OK);
        for (int j = 0; j < 10; j++)
            sums[i] = sums[i] * 31 + mw_sim_random(sims[i]);
        mw_sim_destroy(sims[i]);
    }

    CU_ASSERT_EQUAL(sums[0], sums[1]);
    CU_ASSERT_NOT_EQUAL(sums[0], sums[2]);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"time moves only by the world", time_moves_only_by_the_world},
        {"run stops at its time", run_stops_at_its_time},
        {"run stops when nothing can happen", run_stops_when_nothing_can_happen},
        {"spend delays what follows", spend_delays_what_follows},
        {"arrivals wait while a host computes", arrivals_wait_while_a_host_computes},
        {"a spinning host lets the world go on", a_spinning_host_lets_the_world_go_on},
        {"acts of one time keep their order", acts_of_one_time_keep_their_order},
        {"a turn keeps its order", a_turn_keeps_its_order},
        {"a host starts a host", a_host_starts_a_host},
        {"kill while computing", kill_while_computing},
        {"kill while waiting", kill_while_waiting},
        {"kill before the first turn", kill_before_the_first_turn},
        {"kill oneself", kill_oneself},
        {"restart under the same name", restart_under_the_same_name},
        {"destroy with hosts running", destroy_with_hosts_running},
        {"a world within a host", a_world_within_a_host},
        {"stacks are large and apart", stacks_are_large_and_apart},
        {"bad arguments", bad_arguments},
        {"random numbers come from the seed", random_numbers_come_from_the_seed},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("world", tests);
}

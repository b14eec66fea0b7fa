/* SPDX-License-Identifier: Apache-2.0
 *
 * The slave as its user holds it: how it finds a master, why it does not, its loops, and its end.
 * The farms are simulated, so waiting takes no time.
 */
#include <math.h>
#include <string.h>

#include "mwt_folder.h"
#include "mwt_run.h"
#include "mwt_world.h"
#include "wire/message.h"

#define SECOND MWT_WORLD_SECOND

static void run_echo(mw_call *call)
{
    const msgpack_object *value;
    if (mw_call_args(call, "o", &value) != MW_OK)
        return;
    mw_call_return(call, "o", value);
}

static const mw_algorithm algorithms[] = {
    {"echo", run_echo}, {"spend", mwt_world_spend}, {NULL, NULL}};
static const mw_task echo = {.algorithm = "echo"};
static const mw_task spend = {.algorithm = "spend"};

static struct mwt_world world_of(size_t slaves_count,
                                 int (*master)(struct mwt_world *world, mw_master *master),
                                 int (*slave)(struct mwt_world *world, mw_slave *slave))
{
    return (struct mwt_world){.program = {.algorithms = algorithms},
                              .master = master,
                              .slave = slave,
                              .slaves_count = slaves_count};
}

static void run(struct mwt_world *world)
{
    world->program.user = world;
    CU_ASSERT_TRUE(mwt_world_run(world));
    CU_ASSERT_EQUAL(world->master_error, MW_OK);
    CU_ASSERT_TRUE(world->has_finished);
}

/* A master that waits for `results_count` results of ten tasks. */
static int wait_for(mw_master *master, int results_count)
{
    for (int i = 0; i < 10; i++)
        mw_master_submit(master, &echo, "i", i);
    for (; results_count > 0; results_count--)
        CU_ASSERT_EQUAL(mw_master_next(master)->outcome, MW_DONE);
    return 0;
}

static int master_of_ten(struct mwt_world *world, mw_master *master)
{
    (void)world;
    return wait_for(master, 10);
}

/* The default is to run tasks until the master says stop: status 0. */
static void test_simple_loop(void)
{
    struct mwt_world world = world_of(1, master_of_ten, NULL);

    run(&world);

    CU_ASSERT_EQUAL(world.slave_error, MW_OK);
    CU_ASSERT_EQUAL(world.slave_status, 0);
}

static void kill_master(mw_sim *sim, void *context)
{
    struct mwt_world *world = context;
    (void)sim;
    mw_sim_kill(world->master_host);
}

static int master_that_is_killed(struct mwt_world *world, mw_master *master)
{
    mw_master_counts counts;
    mw_sim_at(world->sim, SECOND, kill_master, world);
    return mw_master_loop(master, -1, &counts) == MW_OK;
}

static int slave_of_a_killed_master(struct mwt_world *world, mw_slave *slave)
{
    mw_slave_counts counts = {.master_gone = false};
    (void)world;
    CU_ASSERT_EQUAL(mw_slave_loop_simple(slave), 255);
    CU_ASSERT_EQUAL(mw_slave_loop(slave, 0, &counts), MW_EGONE);
    CU_ASSERT_TRUE(counts.master_gone);
    CU_ASSERT_FALSE(counts.shutdown);
    CU_ASSERT_EQUAL(strncmp(mw_slave_error(slave), "the master is gone: ", 20), 0);
    CU_ASSERT_TRUE(strlen(mw_slave_error(slave)) > 20);
    return 9;
}

/* A master that is gone without a word is an error: status 255, start me again. */
static void test_master_killed(void)
{
    struct mwt_world world = world_of(1, master_that_is_killed, slave_of_a_killed_master);

    run(&world);

    CU_ASSERT_EQUAL(world.slave_status, 9);
    CU_ASSERT_TRUE(world.end_ns < 3 * SECOND);
}

static int slave_that_looks_around(struct mwt_world *world, mw_slave *slave)
{
    int other = 0;
    CU_ASSERT_STRING_EQUAL(mw_slave_id(slave), "SLAVE-0");
    CU_ASSERT_STRING_EQUAL(mw_slave_error(slave), "");
    CU_ASSERT_PTR_EQUAL(mw_slave_user(slave), world);
    mw_slave_set_user(slave, &other);
    CU_ASSERT_PTR_EQUAL(mw_slave_user(slave), &other);
    mw_slave_set_user(slave, world);
    return mw_slave_loop_simple(slave);
}

/* A slave has an id and the program's data, which it may replace for its algorithms. */
static void test_surroundings(void)
{
    struct mwt_world world = world_of(1, master_of_ten, slave_that_looks_around);

    run(&world);

    CU_ASSERT_EQUAL(world.slave_status, 0);
}

static int slave_in_groups(struct mwt_world *world, mw_slave *slave)
{
    mw_slave_counts counts;
    mw_error error;
    (void)world;
    CU_ASSERT_EQUAL(mw_slave_loop(slave, -1, &counts), MW_OK);
    CU_ASSERT_EQUAL(counts.results_total, 3);
    CU_ASSERT_EQUAL(counts.result_group, 3);
    CU_ASSERT_EQUAL(counts.tasks_waiting, 2);
    CU_ASSERT_EQUAL(counts.results_waiting, 0);
    CU_ASSERT_FALSE(counts.master_gone);
    CU_ASSERT_EQUAL(mw_slave_loop(slave, -1, &counts), MW_OK);
    CU_ASSERT_EQUAL(counts.results_total, 5);
    while ((error = mw_slave_loop(slave, -1, &counts)) == MW_OK && !counts.master_gone)
        CU_ASSERT_TRUE(counts.results_total <= 10);
    CU_ASSERT_EQUAL(error, MW_OK);
    CU_ASSERT_TRUE(counts.shutdown);
    CU_ASSERT_TRUE(counts.master_gone);
    CU_ASSERT_EQUAL(counts.results_total, 10);
    return 0;
}

/* The full loop runs up to a result group of tasks and tells how things stand; that the master said
 * stop is no error. */
static void test_loop(void)
{
    static const char *const settings[][2] = {
        {"slave-task-group", "5"}, {"slave-result-group", "3"}, {NULL, NULL}};
    struct mwt_world world = world_of(1, master_of_ten, slave_in_groups);
    world.settings = settings;

    run(&world);

    CU_ASSERT_EQUAL(world.slave_status, 0);
}

static int slave_one_by_one(struct mwt_world *world, mw_slave *slave)
{
    mw_slave_counts counts;
    (void)world;
    CU_ASSERT_EQUAL(mw_slave_loop_iterate(slave, -1, &counts), MW_OK);
    CU_ASSERT_EQUAL(counts.results_total, 1);
    CU_ASSERT_EQUAL(counts.tasks_waiting, 4);
    CU_ASSERT_EQUAL(counts.results_waiting, 1);
    CU_ASSERT_EQUAL(mw_slave_loop_iterate(slave, 0, &counts), MW_OK);
    CU_ASSERT_EQUAL(counts.results_total, 2);
    CU_ASSERT_EQUAL(counts.results_waiting, 2);
    CU_ASSERT_EQUAL(mw_slave_loop_iterate(slave, 0, &counts), MW_OK);
    CU_ASSERT_EQUAL(counts.results_waiting, 0);
    return mw_slave_loop_simple(slave);
}

/* One pass runs one task; results gather until their group is full. */
static void test_iterate(void)
{
    static const char *const settings[][2] = {
        {"slave-task-group", "5"}, {"slave-result-group", "3"}, {NULL, NULL}};
    struct mwt_world world = world_of(1, master_of_ten, slave_one_by_one);
    world.settings = settings;

    run(&world);

    CU_ASSERT_EQUAL(world.slave_status, 0);
}

static int master_that_waits(struct mwt_world *world, mw_master *master)
{
    mw_master_counts counts;
    (void)world;
    return mw_master_loop(master, 100, &counts) == MW_OK ? 0 : 1;
}

static int slave_with_timeouts(struct mwt_world *world, mw_slave *slave)
{
    mw_slave_counts counts;
    int64_t begin_ns = mw_sim_now(world->sim);
    CU_ASSERT_EQUAL(mw_slave_loop(slave, NAN, &counts), MW_EINVAL);
    CU_ASSERT_EQUAL(mw_slave_loop_iterate(slave, NAN, &counts), MW_EINVAL);
    CU_ASSERT_STRING_EQUAL(mw_slave_error(slave), "timeout_s is not a number");
    CU_ASSERT_EQUAL(mw_slave_loop(slave, 0, &counts), MW_OK);
    CU_ASSERT_TRUE(mw_sim_now(world->sim) - begin_ns < SECOND / 100);
    CU_ASSERT_EQUAL(mw_slave_loop(slave, 2.5, &counts), MW_OK);
    CU_ASSERT_TRUE(mw_sim_now(world->sim) - begin_ns >= 5 * SECOND / 2);
    CU_ASSERT_TRUE(mw_sim_now(world->sim) - begin_ns < 26 * SECOND / 10);
    CU_ASSERT_EQUAL(counts.results_total + counts.tasks_waiting + counts.results_waiting, 0);
    return mw_slave_loop_simple(slave);
}

/* The loops wait for tasks as long as they are told. */
static void test_timeouts(void)
{
    struct mwt_world world = world_of(1, master_that_waits, slave_with_timeouts);

    run(&world);

    CU_ASSERT_EQUAL(world.slave_status, 0);
}

static int master_of_a_leaver(struct mwt_world *world, mw_master *master)
{
    const mw_result *result;
    int count = 0;
    for (int i = 0; i < 10; i++)
        mw_master_submit(master,
                         &(mw_task){.algorithm = "echo",
                                    .policy = &(mw_policy){.retry = MW_NO, .max_attempts = 1}},
                         "i", i);
    for (; (result = mw_master_next(master)) != NULL; count++) {
        CU_ASSERT_EQUAL(result->outcome, MW_DONE);
        if (count == 0)
            mwt_world_start_slave(world);
    }
    CU_ASSERT_EQUAL(count, 10);
    return 0;
}

static int slave_that_leaves(struct mwt_world *world, mw_slave *slave)
{
    mw_slave_counts counts;
    if (world->slaves_started > 1)
        return mw_slave_loop_simple(slave);
    CU_ASSERT_EQUAL(mw_slave_loop_iterate(slave, -1, &counts), MW_OK);
    CU_ASSERT_EQUAL(mw_slave_loop_iterate(slave, -1, &counts), MW_OK);
    CU_ASSERT_EQUAL(counts.results_waiting, 2);
    return 0;
}

/* A slave that returns early sends the results it has and gives back the rest, without harm to the
 * tasks: another runs them, though they must not be tried twice. */
static void test_leaving(void)
{
    static const char *const settings[][2] = {
        {"slave-task-group", "5"}, {"slave-result-group", "5"}, {NULL, NULL}};
    struct mwt_world world = world_of(1, master_of_a_leaver, slave_that_leaves);
    world.settings = settings;

    run(&world);

    CU_ASSERT_EQUAL(world.slave_status, 0);
}

/* A slave that comes before its master waits for it. */
static void test_before_the_master(void)
{
    struct mwt_world world = world_of(3, master_of_ten, NULL);
    world.master_start_ns = 20 * SECOND;

    run(&world);

    CU_ASSERT_EQUAL(world.slave_error, MW_OK);
    CU_ASSERT_EQUAL(world.slave_status, 0);
    CU_ASSERT_TRUE(world.end_ns >= 20 * SECOND && world.end_ns < 23 * SECOND);
}

/* Without a master a slave gives up when its time is up, and names its last error. */
static void test_no_master(void)
{
    struct mwt_world world = world_of(1, NULL, NULL);

    run(&world);

    CU_ASSERT_EQUAL(world.slave_error, MW_ETIMEOUT);
    CU_ASSERT_EQUAL(
        strncmp(world.sentence,
                "no master accepted this slave within --mw-connect-timeout of 30 s: ", 67),
        0);
    CU_ASSERT_TRUE(strlen(world.sentence) > 67);
    CU_ASSERT_TRUE(world.end_ns >= 30 * SECOND && world.end_ns < 31 * SECOND);
}

/* The time is the user's to set, to none at all too. */
static void test_connect_timeout(void)
{
    static const char *const settings[][2] = {{"connect-timeout", "0"}, {NULL, NULL}};
    struct mwt_world world = world_of(1, NULL, NULL);
    world.settings = settings;

    run(&world);

    CU_ASSERT_EQUAL(world.slave_error, MW_ETIMEOUT);
    CU_ASSERT_TRUE(world.end_ns < SECOND);
}

static void ignore_up(void *context, mw_peer peer, const char *name)
{
    (void)context;
    (void)peer;
    (void)name;
}

static void ignore_message(void *context, mw_peer peer, mw_frame *frame)
{
    (void)context;
    (void)peer;
    (void)frame;
}

/* A host that listens and never says a word. */
static int be_silent(mw_sim_host *host, void *context)
{
    static const mw_transport_events events = {
        .up = ignore_up, .message = ignore_message, .down = ignore_up};
    mw_transport_config config = {
        .events = &events, .frame_bytes_max = 4096, .wake_fd = -1, .environment = host};
    void *transport = NULL;
    char bound[64];
    mw_reason why;
    (void)context;
    if (mw_sim_transport.open(&transport, &config, &why) != MW_OK ||
        mw_sim_transport.listen(transport, "", bound, sizeof bound, &why) != MW_OK)
        return 1;
    while (mw_sim_transport.now(transport) < 100 * SECOND)
        if (mw_sim_transport.poll(transport, 100 * SECOND, &why) != MW_OK)
            break;
    mw_sim_transport.close(transport);
    return 0;
}

/* A slave's greeting, as a listener heard it. */
struct heard {
    char host[64];
    size_t boot_id_bytes;
    uint32_t pid;
    bool has_greeted;
};

static void hear(void *context, mw_peer peer, mw_frame *frame)
{
    struct heard *heard = context;
    struct mwi_decoder decoder;
    struct mwi_message message;
    mw_reason why;
    (void)peer;
    if (!mwi_message_decoder_init(&decoder))
        return;
    if (mwi_message_decode(&decoder, frame->data, frame->size, &message, &why) == MW_OK &&
        message.kind == MWI_MESSAGE_HELLO) {
        snprintf(heard->host, sizeof heard->host, "%.*s", (int)message.hello.host.size,
                 message.hello.host.data);
        heard->boot_id_bytes = message.hello.boot_id.size;
        heard->pid = message.hello.pid;
        heard->has_greeted = true;
    }
    mwi_message_decoder_fini(&decoder);
}

/* A host that listens until a slave has greeted. */
static int listen_for_hello(mw_sim_host *host, void *context)
{
    static const mw_transport_events events = {.up = ignore_up, .message = hear, .down = ignore_up};
    struct heard *heard = context;
    mw_transport_config config = {.events = &events,
                                  .context = heard,
                                  .frame_bytes_max = 4096,
                                  .wake_fd = -1,
                                  .environment = host};
    void *transport = NULL;
    char bound[64];
    mw_reason why;
    if (mw_sim_transport.open(&transport, &config, &why) != MW_OK ||
        mw_sim_transport.listen(transport, "", bound, sizeof bound, &why) != MW_OK)
        return 1;
    while (!heard->has_greeted && mw_sim_transport.poll(transport, 100 * SECOND, &why) == MW_OK)
        continue;
    mw_sim_transport.close(transport);
    return 0;
}

static int look_for_master(mw_sim_host *host, void *context)
{
    struct mwt_world *world = context;
    mw_program program = {.algorithms = algorithms};
    mw_slave *slave = (mw_slave *)world;
    mw_options *options;
    if (mw_options_create(&options) != MW_OK)
        return 1;
    mw_options_set(options, "quiet", "1");
    mw_options_use_transport(options, &mw_sim_transport, host, "master");
    world->slave_error = mw_slave_open(&slave, &program, options);
    CU_ASSERT_PTR_EQUAL(slave, (mw_slave *)world);
    snprintf(world->sentence, sizeof world->sentence, "%s", mw_options_error(options));
    mw_options_destroy(options);
    return 0;
}

/* A server that accepts a connection and does not answer is no master. The sentence says that it
 * was there. */
static void test_silent_master(void)
{
    struct mwt_world world = {.slaves_count = 0};
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&world.sim, &(mw_sim_config){.seed = 1}), MW_OK);
    mw_sim_host_start(world.sim, "master", be_silent, NULL, NULL);
    mw_sim_host_start(world.sim, "slave", look_for_master, &world, NULL);

    CU_ASSERT_TRUE(mw_sim_run(world.sim, 3600 * SECOND));

    CU_ASSERT_EQUAL(world.slave_error, MW_ETIMEOUT);
    CU_ASSERT_STRING_EQUAL(world.sentence,
                           "no master accepted this slave within --mw-connect-timeout of 30 s: "
                           "master: a master is there, but has not answered the greeting");
    mw_sim_destroy(world.sim);
}

/* A slave in a simulated world names its simulated host, and tells nothing of the real machine. */
static void test_simulated_origin(void)
{
    struct mwt_world world = {.slaves_count = 0};
    struct heard heard = {.pid = 1, .boot_id_bytes = 1};
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&world.sim, &(mw_sim_config){.seed = 1}), MW_OK);
    mw_sim_host_start(world.sim, "master", listen_for_hello, &heard, NULL);
    mw_sim_host_start(world.sim, "node-17", look_for_master, &world, NULL);

    CU_ASSERT_TRUE(mw_sim_run(world.sim, 3600 * SECOND));

    CU_ASSERT_TRUE(heard.has_greeted);
    CU_ASSERT_STRING_EQUAL(heard.host, "node-17");
    CU_ASSERT_EQUAL(heard.boot_id_bytes, 0);
    CU_ASSERT_EQUAL(heard.pid, 0);
    mw_sim_destroy(world.sim);
}

/* A slave of another farm is refused at once. It is not told why: the master's trail is. */
static void test_refused(void)
{
    static const char *const settings[][2] = {{"member-id", "meadow"}, {NULL, NULL}};
    struct mwt_world world = world_of(1, master_that_waits, NULL);
    world.slave_settings = settings;

    run(&world);

    CU_ASSERT_EQUAL(world.slave_error, MW_EREFUSED);
    CU_ASSERT_STRING_EQUAL(world.sentence,
                           "the master refused this slave: the master's audit trail says why");
    CU_ASSERT_EQUAL(world.slave_status, -1);
}

static void start_slave(mw_sim *sim, void *context)
{
    (void)sim;
    mwt_world_start_slave(context);
}

static int master_that_ends_slowly(struct mwt_world *world, mw_master *master)
{
    mw_master_counts counts;
    mw_master_submit(master, &spend, "d", 5.0);
    mw_sim_at(world->sim, 3 * SECOND, start_slave, world);
    return mw_master_loop(master, 2, &counts) == MW_OK ? 0 : 1;
}

static int slave_that_comes_late(struct mwt_world *world, mw_slave *slave)
{
    mw_slave_counts counts;
    if (mw_slave_id(slave)[0] != '\0')
        return mw_slave_loop_simple(slave);
    CU_ASSERT_EQUAL(mw_slave_loop(slave, -1, &counts), MW_OK);
    CU_ASSERT_TRUE(counts.shutdown && counts.master_gone);
    world->context = slave;
    return mw_slave_loop_simple(slave);
}

/* A slave that comes while its master waits for the last results is told to stop. That is no error,
 * and its id is its own. */
static void test_late_comer(void)
{
    struct mwt_world world = world_of(1, master_that_ends_slowly, slave_that_comes_late);

    run(&world);

    CU_ASSERT_EQUAL(world.slave_error, MW_OK);
    CU_ASSERT_EQUAL(world.slave_status, 0);
    CU_ASSERT_PTR_NOT_NULL(world.context);
}

/* A slave's trail begins when it has its name, and tells its story in CL-MW's words. */
static void test_trail(void)
{
    struct mwt_folder folder;
    char pattern[400];
    const char *const settings[][2] = {
        {"audit-level", "all"}, {"audit-file", pattern}, {NULL, NULL}};
    struct mwt_world world = world_of(1, master_of_ten, NULL);
    mwt_folder_create(&folder);
    snprintf(pattern, sizeof pattern, "%s", mwt_folder_file(&folder, "%n"));
    world.settings = settings;

    run(&world);

    char *trail = mwt_file_read(mwt_folder_file(&folder, "SLAVE-0"));
    CU_ASSERT_PTR_NOT_NULL(trail);
    if (trail != NULL) {
        CU_ASSERT_PTR_NOT_NULL(strstr(trail, "[A] VERSION MW: Version " MW_VERSION_STRING "\n"));
        CU_ASSERT_PTR_NOT_NULL(strstr(trail, "[A] INIT SLAVE \"default-member-id\"\n"));
        CU_ASSERT_PTR_NOT_NULL(strstr(trail, "[A] MASTER -> ID SLAVE-0\n"));
        CU_ASSERT_PTR_NOT_NULL(strstr(trail, "[A] MASTER <- 1 results\n"));
        CU_ASSERT_PTR_NOT_NULL(strstr(trail, "[A] FINI MASTER-SHUTDOWN \"default-member-id\"\n"));
    }
    free(trail);
    mwt_folder_destroy(&folder);
}

/* One of 100 tasks takes 8 us; the others take no time. */
static int master_of_shares(struct mwt_world *world, mw_master *master)
{
    int sharing_count = 0;
    double total = 0;
    (void)world;
    for (int i = 0; i < 100; i++)
        mw_master_submit(master, &spend, "d", i == 60 ? 8e-6 : 0.0);
    for (int i = 0; i < 100; i++) {
        const mw_result *result = mw_master_next(master);
        CU_ASSERT_EQUAL(result->outcome, MW_DONE);
        total += result->seconds;
        sharing_count += result->seconds > 0;
        CU_ASSERT_TRUE(result->seconds == 0 || fabs(result->seconds - 1e-6) < 1e-9);
    }
    CU_ASSERT_EQUAL(sharing_count, 8);
    CU_ASSERT_DOUBLE_EQUAL(total, 8e-6, 1e-9);
    return 0;
}

/* Tasks that are known to be very short are timed 8 together, and share the time equally. */
static void test_shared_time(void)
{
    static const char *const settings[][2] = {
        {"slave-task-group", "100"}, {"slave-result-group", "100"}, {NULL, NULL}};
    struct mwt_world world = world_of(1, master_of_shares, NULL);
    world.settings = settings;

    run(&world);

    CU_ASSERT_EQUAL(world.slave_status, 0);
}

/* Options that make no slave are told, before anything is opened. */
static void test_open_with_wrong_options(void)
{
    mw_program program = {.algorithms = algorithms};
    mw_slave *slave = (mw_slave *)&program;
    mw_options *options;
    CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);

    CU_ASSERT_EQUAL(mw_slave_open(&slave, &program, options), MW_EUSAGE);

    CU_ASSERT_STRING_EQUAL(mw_options_error(options),
                           "the options do not make this process a slave: set \"slave\"");
    CU_ASSERT_PTR_EQUAL(slave, (mw_slave *)&program);
    mw_options_destroy(options);
    mw_slave_close(NULL);
}

/* A process may not be forked for an isolated slave unless its program says so. */
static void test_open_isolated(void)
{
    mw_program program = {.algorithms = algorithms};
    mw_options *options;
    mw_slave *slave = NULL;
    int status = 77;
    CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "slave-isolate", "1"), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "slave", "1"), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "channel", "0"), MW_OK);

    CU_ASSERT_EQUAL(mw_run_slave(&program, options, 0, NULL, &status), MW_EUSAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(mw_options_error(options), "mw_options_allow_fork"));
    mw_options_allow_fork(options, true);
    CU_ASSERT_EQUAL(mw_slave_open(&slave, &program, options), MW_EUSAGE);
    CU_ASSERT_PTR_NOT_NULL(strstr(mw_options_error(options), "mw_run_slave"));

    CU_ASSERT_PTR_NULL(slave);
    CU_ASSERT_EQUAL(status, 77);
    mw_options_destroy(options);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"simple loop", test_simple_loop},
        {"master killed", test_master_killed},
        {"surroundings", test_surroundings},
        {"loop", test_loop},
        {"iterate", test_iterate},
        {"timeouts", test_timeouts},
        {"leaving", test_leaving},
        {"before the master", test_before_the_master},
        {"no master", test_no_master},
        {"connect timeout", test_connect_timeout},
        {"silent master", test_silent_master},
        {"simulated origin", test_simulated_origin},
        {"refused", test_refused},
        {"open isolated", test_open_isolated},
        {"late comer", test_late_comer},
        {"trail", test_trail},
        {"shared time", test_shared_time},
        {"open with wrong options", test_open_with_wrong_options},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("slave", tests);
}

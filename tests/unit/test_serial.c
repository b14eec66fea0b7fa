/* SPDX-License-Identifier: Apache-2.0
 *
 * Serial farms: a master whose only slave runs in its own process and thread. Each case is a whole
 * farm, opened as an embedding program opens it. Master and slave share a struct, mw_program.user.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <mw/embed.h>
#include <mw/stats.h>

#include "mwt_folder.h"
#include "mwt_run.h"

#define LARGE_BYTES ((size_t)5 << 20)

/* Master and slave of one farm share it. */
struct shared {
    pthread_t thread; /* in which tasks ran */
    int tasks_count, slaves_count, loops_count;
    int argc;
    char last_argument[32];
    bool has_ended; /* the slave algorithm has come to its end */
};

static void add_one(mw_call *call)
{
    struct shared *shared = mw_call_user(call);
    int number;
    if (mw_call_args(call, "i", &number) != MW_OK)
        return;
    shared->thread = pthread_self();
    shared->tasks_count++;
    mw_call_return(call, "is", number + 1, mw_slave_id(mw_call_slave(call)));
}

static void fail(mw_call *call)
{
    mw_call_fail(call, "no luck");
}

static void sleep_long(mw_call *call)
{
    nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
    mw_call_return(call, "i", 1);
}

/* Turns the bytes over in place. */
static void invert(mw_call *call)
{
    void *data;
    size_t size;
    if (mw_call_bytes(call, &data, &size) != MW_OK)
        return;
    for (size_t i = 0; i < size; i++)
        ((unsigned char *)data)[i] ^= 0xff;
    mw_call_return_bytes_take(call, data, size);
}

static void use_stack(mw_call *call)
{
    volatile char bytes[(size_t)900 << 10];
    memset((void *)bytes, 1, sizeof bytes);
    mw_call_return(call, "i", bytes[0] + bytes[sizeof bytes - 1]);
}

static void run_inner_farm(mw_call *call);

static const mw_algorithm algorithms[] = {
    {"add one", add_one}, {"fail", fail},           {"sleep", sleep_long},
    {"invert", invert},   {"use stack", use_stack}, {"inner farm", run_inner_farm},
    {NULL, NULL},
};

/* Options of a serial farm without a trail; more are set in pairs up to NULL. */
static mw_options *make_options(const char *const *more)
{
    mw_options *options;
    CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "local", "0"), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "quiet", "1"), MW_OK);
    for (; more != NULL && more[0] != NULL; more += 2)
        CU_ASSERT_EQUAL(mw_options_set(options, more[0], more[1]), MW_OK);
    return options;
}

static mw_master *open_master(const mw_program *program)
{
    mw_options *options = make_options(NULL);
    mw_master *master = NULL;
    mw_error error = mw_master_open(&master, program, options);
    CU_ASSERT_EQUAL(error, MW_OK);
    if (error != MW_OK)
        fprintf(stderr, "%s\n", mw_options_error(options));
    CU_ASSERT_PTR_NOT_NULL_FATAL(master);
    mw_options_destroy(options);
    return master;
}

static void submit(mw_master *master, int number)
{
    CU_ASSERT_EQUAL(
        mw_master_submit(master, &(mw_task){.algorithm = "add one", .tag = number}, "i", number),
        MW_OK);
}

/* Takes a result of "add one", which comes in the order of submission. */
static void take(mw_master *master, int number)
{
    int value = 0;
    const char *id;
    const mw_result *result = mw_master_next(master);
    CU_ASSERT_PTR_NOT_NULL_FATAL(result);
    CU_ASSERT_EQUAL(result->outcome, MW_DONE);
    CU_ASSERT_EQUAL(result->tag, number);
    CU_ASSERT_EQUAL(mw_result_get(result, "is", &value, &id), MW_OK);
    CU_ASSERT_EQUAL(value, number + 1);
    CU_ASSERT_STRING_EQUAL(id, result->sid);
}

/* Tasks run in the calling thread, in the order of submission. */
static void test_same_thread(void)
{
    struct shared shared = {0};
    const mw_program program = {.algorithms = algorithms, .user = &shared};
    mw_master *master = open_master(&program);

    for (int i = 0; i < 1000; i++)
        submit(master, i);
    for (int i = 0; i < 1000; i++)
        take(master, i);

    CU_ASSERT_PTR_NULL(mw_master_next(master));
    CU_ASSERT_EQUAL(shared.tasks_count, 1000);
    CU_ASSERT_TRUE(pthread_equal(shared.thread, pthread_self()));
    mw_master_close(master);
}

/* A task may fail, and bytes of any size go there and back unchanged but for the task's work. */
static void test_outcomes(void)
{
    struct shared shared = {0};
    const mw_program program = {.algorithms = algorithms, .user = &shared};
    mw_master *master = open_master(&program);
    unsigned char *bytes = malloc(LARGE_BYTES);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    memset(bytes, 0x0f, LARGE_BYTES);
    mw_master_submit(master, &(mw_task){.algorithm = "fail"}, "");
    mw_master_submit_bytes(master, &(mw_task){.algorithm = "invert"}, bytes, LARGE_BYTES);

    const mw_result *result = mw_master_next(master);
    CU_ASSERT_PTR_NOT_NULL_FATAL(result);
    CU_ASSERT_EQUAL(result->outcome, MW_FAILED);
    CU_ASSERT_STRING_EQUAL(result->message, "no luck");
    result = mw_master_next(master);
    CU_ASSERT_PTR_NOT_NULL_FATAL(result);
    CU_ASSERT_EQUAL(result->outcome, MW_DONE);
    CU_ASSERT_EQUAL(result->size, LARGE_BYTES);
    memset(bytes, 0xf0, LARGE_BYTES);
    CU_ASSERT_EQUAL(memcmp(result->data, bytes, LARGE_BYTES), 0);

    mw_master_close(master);
    free(bytes);
}

/* A task has as much stack as in the main thread of a process. */
static void test_stack(void)
{
    struct shared shared = {0};
    const mw_program program = {.algorithms = algorithms, .user = &shared};
    mw_master *master = open_master(&program);
    mw_master_submit(master, &(mw_task){.algorithm = "use stack"}, "");

    const mw_result *result = mw_master_next(master);

    CU_ASSERT_PTR_NOT_NULL_FATAL(result);
    CU_ASSERT_EQUAL(result->outcome, MW_DONE);
    mw_master_close(master);
}

/* Nobody ends a task that takes longer than its limit, and it is done. */
static void test_no_time_limit(void)
{
    struct shared shared = {0};
    const mw_program program = {.algorithms = algorithms, .user = &shared};
    const mw_policy policy = {.time_limit_s = 0.01, .max_attempts = 1};
    mw_master *master = open_master(&program);
    mw_master_submit(master, &(mw_task){.algorithm = "sleep", .policy = &policy}, "");

    const mw_result *result = mw_master_next(master);

    CU_ASSERT_PTR_NOT_NULL_FATAL(result);
    CU_ASSERT_EQUAL(result->outcome, MW_DONE);
    mw_master_close(master);
}

static int serve_with_set_up(mw_slave *slave, int argc, char **argv)
{
    struct shared *shared = mw_slave_user(slave);
    struct shared own = {0};
    mw_slave_counts counts;
    shared->slaves_count++;
    shared->argc = argc;
    if (argc > 0)
        snprintf(shared->last_argument, sizeof shared->last_argument, "%s", argv[argc - 1]);
    CU_ASSERT_PTR_NULL(argv[argc]);
    argv[0] = NULL;
    mw_slave_set_user(slave, &own);
    do {
        if (mw_slave_loop(slave, -1, &counts) != MW_OK)
            break;
        shared->loops_count++;
    } while (!counts.shutdown);
    shared->tasks_count = own.tasks_count;
    shared->has_ended = true;
    return 0;
}

static int submit_and_take(mw_master *master, int argc, char **argv)
{
    for (int i = 0; i < 10; i++)
        submit(master, i);
    for (int i = 0; i < 10; i++)
        take(master, i);
    CU_ASSERT_EQUAL(argc, 2);
    CU_ASSERT_STRING_EQUAL(argv[0], "program");
    return 7;
}

/* The slave algorithm runs from its beginning to its end, with the arguments and its own set-up. */
static void test_slave_algorithm(void)
{
    struct shared shared = {0};
    char *argv[] = {"program", "word", NULL};
    const mw_program program = {.algorithms = algorithms,
                                .master = submit_and_take,
                                .slave = serve_with_set_up,
                                .user = &shared};
    mw_options *options = make_options(NULL);
    int status = 0;

    CU_ASSERT_EQUAL(mw_run_master(&program, options, 2, argv, &status), MW_OK);

    CU_ASSERT_EQUAL(status, 7);
    CU_ASSERT_TRUE(shared.has_ended);
    CU_ASSERT_EQUAL(shared.slaves_count, 1);
    CU_ASSERT_EQUAL(shared.tasks_count, 10);
    CU_ASSERT_EQUAL(shared.argc, 2);
    CU_ASSERT_STRING_EQUAL(shared.last_argument, "word");
    mw_options_destroy(options);
}

static int serve_one_task(mw_slave *slave, int argc, char **argv)
{
    struct shared *shared = mw_slave_user(slave);
    mw_slave_counts counts;
    (void)argc, (void)argv;
    shared->slaves_count++;
    int before = shared->tasks_count;
    while (shared->tasks_count == before && mw_slave_loop_iterate(slave, -1, &counts) == MW_OK &&
           !counts.shutdown)
        ;
    return 0;
}

/* A slave algorithm that returns while the farm goes on is started again. */
static void test_started_again(void)
{
    struct shared shared = {0};
    const mw_program program = {.algorithms = algorithms, .slave = serve_one_task, .user = &shared};
    mw_master *master = open_master(&program);

    for (int i = 0; i < 20; i++) {
        submit(master, i);
        take(master, i);
    }

    CU_ASSERT_EQUAL(shared.tasks_count, 20);
    CU_ASSERT_TRUE(shared.slaves_count >= 20);
    mw_master_close(master);
}

static int return_at_once(mw_slave *slave, int argc, char **argv)
{
    struct shared *shared = mw_slave_user(slave);
    (void)argc, (void)argv;
    shared->slaves_count++;
    return 3;
}

/* A slave algorithm that never does a task is given up, and the sentence says how it ended. */
static void test_given_up(void)
{
    struct shared shared = {0};
    const mw_program program = {.algorithms = algorithms, .slave = return_at_once, .user = &shared};
    mw_master *master = open_master(&program);
    submit(master, 1);

    CU_ASSERT_PTR_NULL(mw_master_next(master));

    CU_ASSERT_EQUAL(mw_master_status(master), MW_ENOSLAVES);
    CU_ASSERT_PTR_NOT_NULL(strstr(mw_master_error(master), "returned 3"));
    CU_ASSERT_EQUAL(shared.slaves_count, 4);
    mw_master_close(master);
}

static int count_loops(mw_slave *slave, int argc, char **argv)
{
    struct shared *shared = mw_slave_user(slave);
    mw_slave_counts counts;
    (void)argc, (void)argv;
    while (mw_slave_loop(slave, 0.001, &counts) == MW_OK && !counts.shutdown)
        shared->loops_count++;
    return 0;
}

/* The time-outs of a slave algorithm pass while the master waits. */
static void test_slave_timeouts(void)
{
    struct shared shared = {0};
    const mw_program program = {.algorithms = algorithms, .slave = count_loops, .user = &shared};
    mw_master *master = open_master(&program);
    mw_master_counts counts;

    for (int i = 0; i < 10000 && shared.loops_count < 5; i++)
        CU_ASSERT_EQUAL(mw_master_loop(master, 0.01, &counts), MW_OK);

    CU_ASSERT_TRUE(shared.loops_count >= 5);
    mw_master_close(master);
}

/* Looks that never wait get the tasks done. */
static void test_looks(void)
{
    struct shared shared = {0};
    const mw_program program = {.algorithms = algorithms, .user = &shared};
    mw_master *master = open_master(&program);
    mw_master_counts counts = {0};
    submit(master, 1);

    for (int i = 0; i < 1000 && counts.results == 0; i++)
        CU_ASSERT_EQUAL(mw_master_loop_iterate(master, 0, &counts), MW_OK);

    CU_ASSERT_EQUAL(counts.results, 1);
    take(master, 1);
    mw_master_close(master);
}

/* A loop of the caller's own is told when there is something to do, and sleeps else. */
static void test_descriptor(void)
{
    struct shared shared = {0};
    const mw_program program = {.algorithms = algorithms, .user = &shared};
    mw_master *master = open_master(&program);
    struct pollfd told = {.fd = mw_master_fd(master), .events = POLLIN};
    mw_master_counts counts = {0};
    CU_ASSERT_TRUE_FATAL(told.fd >= 0);
    submit(master, 1);

    int turns_count = 0;
    for (; turns_count < 1000 && counts.results == 0; turns_count++) {
        (void)poll(&told, 1, (int)(mw_master_timeout(master) * 1000));
        CU_ASSERT_EQUAL(mw_master_loop_iterate(master, 0, &counts), MW_OK);
    }
    take(master, 1);

    CU_ASSERT_TRUE(turns_count < 50);
    for (int i = 0; i < 20 && mw_master_timeout(master) == 0; i++)
        CU_ASSERT_EQUAL(mw_master_loop_iterate(master, 0, &counts), MW_OK);
    CU_ASSERT_EQUAL(poll(&told, 1, 0), 0);
    CU_ASSERT_TRUE(mw_master_timeout(master) > 0.1);
    mw_master_close(master);
}

/* A farm may be closed before its slave has begun, and with tasks that wait. A slave algorithm
 * comes to its end all the same. */
static void test_close_early(void)
{
    struct shared shared = {0};
    mw_program program = {.algorithms = algorithms, .user = &shared};
    mw_master_close(open_master(&program));

    mw_master *master = open_master(&program);
    for (int i = 0; i < 100; i++)
        submit(master, i);
    mw_master_close(master);

    program.slave = serve_with_set_up;
    master = open_master(&program);
    submit(master, 1);
    const mw_result *result = mw_master_next(master);
    CU_ASSERT_PTR_NOT_NULL(result);
    mw_master_close(master);
    CU_ASSERT_TRUE(shared.has_ended);
}

/* Two farms in one thread know nothing of each other. */
static void test_two_farms(void)
{
    struct shared one_shared = {0}, other_shared = {0};
    const mw_program one_program = {.algorithms = algorithms, .user = &one_shared};
    const mw_program other_program = {.algorithms = algorithms, .user = &other_shared};
    mw_master *one = open_master(&one_program);
    mw_master *other = open_master(&other_program);

    for (int i = 0; i < 50; i++) {
        submit(one, i);
        submit(other, i + 1);
        take(one, i);
        take(other, i + 1);
    }

    mw_master_close(one);
    CU_ASSERT_EQUAL(one_shared.tasks_count, 50);
    CU_ASSERT_EQUAL(other_shared.tasks_count, 50);
    mw_master_close(other);
}

static void run_inner_farm(mw_call *call)
{
    struct shared shared = {0};
    const mw_program program = {.algorithms = algorithms, .user = &shared};
    mw_master *master = open_master(&program);
    for (int i = 0; i < 10; i++)
        submit(master, i);
    for (int i = 0; i < 10; i++)
        take(master, i);
    mw_master_close(master);
    mw_call_return(call, "i", shared.tasks_count);
}

/* A task may be a farm itself. */
static void test_nested(void)
{
    struct shared shared = {0};
    const mw_program program = {.algorithms = algorithms, .user = &shared};
    mw_master *master = open_master(&program);
    int count = 0;
    mw_master_submit(master, &(mw_task){.algorithm = "inner farm"}, "");

    const mw_result *result = mw_master_next(master);

    CU_ASSERT_PTR_NOT_NULL_FATAL(result);
    CU_ASSERT_EQUAL(mw_result_get(result, "i", &count), MW_OK);
    CU_ASSERT_EQUAL(count, 10);
    mw_master_close(master);
}

/* Ordered tasks run on the slave that was chosen, and a cancelled task is never handed out. */
static void test_policies(void)
{
    struct shared shared = {0};
    const mw_program program = {.algorithms = algorithms, .user = &shared};
    mw_master *master = open_master(&program);
    mw_master_counts counts = {0};
    mw_master_allocate(master, 1, MW_ORDERED);
    while (counts.connected == 0)
        CU_ASSERT_EQUAL_FATAL(mw_master_loop(master, 10, &counts), MW_OK);
    const mw_policy policy = {.sid = mw_master_next_connected(master)};
    for (int i = 0; i < 10; i++)
        mw_master_submit(master, &(mw_task){.algorithm = "add one", .tag = i, .policy = &policy},
                         "i", i);
    CU_ASSERT_EQUAL(mw_master_cancel(master, mw_master_last_task(master)), MW_OK);

    for (int i = 0; i < 9; i++)
        take(master, i);

    CU_ASSERT_PTR_NULL(mw_master_next(master));
    mw_master_close(master);
}

/* A task that the slave cannot accept fails at once, since no other slave can come. */
static void test_misfit(void)
{
    struct shared shared = {0};
    const mw_program program = {.algorithms = algorithms, .user = &shared};
    mw_options *options = make_options((const char *[]){"max-read-buffer-size", "64K", NULL});
    unsigned char *bytes = calloc(1, 100000);
    mw_master *master;
    CU_ASSERT_EQUAL_FATAL(mw_master_open(&master, &program, options), MW_OK);
    mw_options_destroy(options);
    mw_master_submit_bytes(master, &(mw_task){.algorithm = "invert"}, bytes, 100000);
    submit(master, 1);
    int failed_count = 0, done_count = 0;

    for (const mw_result *result; (result = mw_master_next(master)) != NULL;) {
        failed_count += result->outcome == MW_FAILED;
        done_count += result->outcome == MW_DONE;
    }

    CU_ASSERT_EQUAL(failed_count, 1);
    CU_ASSERT_EQUAL(done_count, 1);
    mw_master_close(master);
    free(bytes);
}

/* A stop by the program lets the results come that are there, and no more tasks run. */
static void test_stop(void)
{
    struct shared shared = {0};
    const mw_program program = {.algorithms = algorithms, .user = &shared};
    mw_master *master = open_master(&program);
    submit(master, 1);
    take(master, 1);
    for (int i = 0; i < 100; i++)
        mw_master_submit(master, &(mw_task){.algorithm = "sleep"}, "");

    mw_master_stop(master);
    while (mw_master_next(master) != NULL)
        ;

    CU_ASSERT_EQUAL(mw_master_num_runnable_tasks(master), 100);
    CU_ASSERT_EQUAL(shared.tasks_count, 1);
    mw_master_close(master);
}

/* The slave keeps a trail only if the file's name tells the nodes apart. */
static void test_trails(void)
{
    static const struct {
        const char *name;
        unsigned files_count;
    } cases[] = {{"%n.log", 2}, {"%p.log", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct shared shared = {0};
        const mw_program program = {.algorithms = algorithms, .user = &shared};
        struct mwt_folder folder;
        mwt_folder_create(&folder);
        mw_options *options = make_options(
            (const char *[]){"audit-file", mwt_folder_file(&folder, cases[i].name), NULL});
        mw_master *master;
        CU_ASSERT_EQUAL_FATAL(mw_master_open(&master, &program, options), MW_OK);
        mw_options_destroy(options);

        submit(master, 1);
        take(master, 1);
        mw_master_close(master);

        CU_ASSERT_EQUAL(mwt_folder_files(&folder, false), cases[i].files_count);
        mwt_folder_destroy(&folder);
    }
}

/* The trail of the slave is in the folder in which the farm was opened, wherever the program goes
 * before the slave begins. */
static void test_trail_elsewhere(void)
{
    struct shared shared = {0};
    const mw_program program = {.algorithms = algorithms, .user = &shared};
    struct mwt_folder folder;
    mwt_folder_create(&folder);
    char *before = getcwd(NULL, 0);
    mw_options *options = make_options((const char *[]){"audit-file", "%n.log", NULL});
    mw_master *master;
    CU_ASSERT_EQUAL_FATAL(chdir(folder.path), 0);
    CU_ASSERT_EQUAL_FATAL(mw_master_open(&master, &program, options), MW_OK);
    mw_options_destroy(options);

    CU_ASSERT_EQUAL(chdir(before), 0);
    submit(master, 1);
    take(master, 1);
    mw_master_close(master);

    CU_ASSERT_EQUAL(mwt_folder_files(&folder, false), 2);
    free(before);
    mwt_folder_destroy(&folder);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"same thread", test_same_thread},
        {"outcomes", test_outcomes},
        {"stack", test_stack},
        {"no time limit", test_no_time_limit},
        {"slave algorithm", test_slave_algorithm},
        {"started again", test_started_again},
        {"given up", test_given_up},
        {"slave time-outs", test_slave_timeouts},
        {"looks", test_looks},
        {"descriptor", test_descriptor},
        {"close early", test_close_early},
        {"two farms", test_two_farms},
        {"nested", test_nested},
        {"policies", test_policies},
        {"misfit", test_misfit},
        {"stop", test_stop},
        {"trails", test_trails},
        {"trail elsewhere", test_trail_elsewhere},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("serial", tests);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Crowds of strangers at the port of a farm that works: connections that say nothing, that say a
 * byte now and then, that never stop, and floods. No slave is lost, the results are right, an
 * honest slave gets in, and the cost of strangers is bounded.
 *
 *   integration_security_crowds [soak]      "soak": larger crowds, for longer
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mwt_proc.h"
#include "mwt_relay.h"
#include "mwt_run.h"
#include "tcp_farm.h"

#define NS_PER_S INT64_C(1000000000)
#define WORKERS_COUNT 2
/* Slaves that come when the attack is over, so that the rest is soon done. */
#define HELPERS_COUNT 8
/* At most this number of tasks have been sent to the keeper, who does them at the end. */
#define KEPT_MAX 100
#define RESULTS_BEFORE 100
/* The memory that strangers may cost the master, whatever their number. */
#define STRANGERS_KIB_MAX (96L * 1024)
/* The trail: lines of strangers in a second, and the bytes of one; and the lines of the farm. */
#define LINES_PER_S 12
#define LINE_BYTES 250
#define FARM_BYTES 8192

struct crowd_sizes {
    int tasks_count, silent_count, flood_count, results_count;
};

static const struct crowd_sizes usual = {6000, 10000, 10000, 1000};
static const struct crowd_sizes soak = {100000, 15000, 60000, 20000};
static const struct crowd_sizes *sizes = &usual;

struct siege {
    struct mwt_crew *crew;
    struct mwt_process *master, *keeper, *workers[WORKERS_COUNT], *attacker;
    const char *port;
    int results_count; /* that the test has seen */
    int newcomers_count;
    long began_kib;
    int64_t began_ns;
};

/* Awaits more results. Returns the longest time between two, in nanoseconds. */
static int64_t await_results(struct siege *siege, int count)
{
    int64_t longest_ns = 0, before_ns = mwt_now_ns();
    for (int i = 0; i < count; i++) {
        if (mwt_await_line(siege->master, MWT_OUT, " done by SLAVE-") == NULL)
            break;
        int64_t now_ns = mwt_now_ns();
        longest_ns = now_ns - before_ns > longest_ns ? now_ns - before_ns : longest_ns;
        before_ns = now_ns;
        siege->results_count++;
    }
    return longest_ns;
}

/* Starts a farm of tasks that take a millisecond each. The keeper holds the first, so that the farm
 * does not end before end_siege. The master's trail leaves out messages and has a line for each
 * stranger. */
static void begin_siege(struct siege *siege, const char *descriptors)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *tasks = mwt_format(crew, "%d", sizes->tasks_count);
    *siege = (struct siege){.crew = crew, .began_ns = mwt_now_ns()};
    siege->master = mwt_run_program(
        crew, "sh", "-c", mwt_format(crew, "ulimit -n %s; exec \"$0\" \"$@\"", descriptors),
        MWT_FARM, "--mw-master", "--mw-master-host", "127.0.0.1", "--mw-resource-file",
        mwt_path(crew, "farm.rsc"), "--mw-audit-level", "events", "gate:1", tasks, NULL);
    siege->port = await_port(crew, siege->master);
    siege->keeper = start_keeper(crew);
    for (size_t i = 0; i < WORKERS_COUNT; i++)
        siege->workers[i] = start_slave(crew);
    await_results(siege, RESULTS_BEFORE);
    siege->began_kib = mwt_proc_status(mwt_pid(siege->master), "VmHWM");
}

static void attack(struct siege *siege, const char *kind, int number, const char *more,
                   const char *file)
{
    siege->attacker = mwt_run_program(siege->crew, MWT_ATTACKER, siege->port, kind,
                                      mwt_format(siege->crew, "%d", number),
                                      more == NULL ? file : more, more == NULL ? NULL : file, NULL);
}

/* Each thousand has the time of a wait: the master takes no more than it can bear. */
static void await_made(struct siege *siege, int count)
{
    for (int made = 1000; made <= count; made += 1000)
        mwt_await_line(siege->attacker, MWT_OUT, "attacker: made ");
}

/* The farm goes on: it brings more results. Prints the longest time between two, without those that
 * have come before. */
static void watch_work(struct siege *siege)
{
    int come_count = (int)mwt_count(mwt_output(siege->master, MWT_OUT), " done by SLAVE-");
    await_results(siege, come_count - siege->results_count);
    int left_count = sizes->tasks_count - KEPT_MAX - siege->results_count;
    int64_t longest_ns =
        await_results(siege, left_count < sizes->results_count ? left_count : sizes->results_count);
    printf("(a result within %.1f ms) ", (double)longest_ns / 1e6);
}

/* An honest slave comes in the middle of the attack, and is let in. */
static struct mwt_process *let_in(struct siege *siege)
{
    int64_t began_ns = mwt_now_ns();
    struct mwt_process *slave = start_slave(siege->crew);
    mwt_await_line(slave, MWT_ERR, "MASTER -> ID SLAVE-");
    siege->newcomers_count++;
    printf("(let in after %.0f ms) ", (double)(mwt_now_ns() - began_ns) / 1e6);
    return slave;
}

/* Memory and trail of the master stay within their bounds. */
static void check_costs(struct siege *siege)
{
    long grown_kib = mwt_proc_status(mwt_pid(siege->master), "VmHWM") - siege->began_kib;
    size_t trail_size = strlen(mwt_output(siege->master, MWT_ERR));
    double seconds = (double)(mwt_now_ns() - siege->began_ns) / (double)NS_PER_S;
    printf("(%ld KiB, %ld descriptors, a trail of %zu bytes in %.1f s) ", grown_kib,
           mwt_proc_descriptors(mwt_pid(siege->master)), trail_size, seconds);
#ifndef MWT_IS_SANITIZED
    CU_ASSERT(grown_kib < STRANGERS_KIB_MAX);
#endif
    CU_ASSERT((double)trail_size < FARM_BYTES + LINE_BYTES * LINES_PER_S * (seconds + 1));
}

static void end_attack(struct siege *siege)
{
    mwt_kill(siege->attacker, SIGTERM);
    CU_ASSERT_EQUAL(mwt_await_end(siege->attacker), 0);
    const char *report = strrchr(mwt_output(siege->attacker, MWT_OUT), ':');
    printf("(%.*s) ", report == NULL ? 0 : (int)strcspn(report + 2, "\n"),
           report == NULL ? "" : report + 2);
}

static void end_siege(struct siege *siege)
{
    struct mwt_process *newcomer = let_in(siege);
    check_costs(siege);
    end_attack(siege);
    struct mwt_process *helpers[HELPERS_COUNT];
    for (size_t i = 0; i < HELPERS_COUNT; i++)
        helpers[i] = start_slave(siege->crew);
    open_gate(siege->crew);
    check_done(siege->crew, siege->master, sizes->tasks_count);
    CU_ASSERT_EQUAL(mwt_await_end(siege->keeper), 0);
    CU_ASSERT_EQUAL(mwt_await_end(newcomer), 0);
    for (size_t i = 0; i < WORKERS_COUNT; i++)
        CU_ASSERT_EQUAL(mwt_await_end(siege->workers[i]), 0);
    for (size_t i = 0; i < HELPERS_COUNT; i++)
        CU_ASSERT_EQUAL(mwt_await_end(helpers[i]), 0);
    const char *trail = mwt_output(siege->master, MWT_ERR);
    CU_ASSERT_EQUAL(mwt_count(trail, " was lost"), 0);
    CU_ASSERT_EQUAL(mwt_count(trail, " dropped: "), 0);
    /* A helper may come when the farm has just ended. */
    unsigned seen_count = mwt_count(trail, "-> [\""),
             honest_count = 1 + WORKERS_COUNT + (unsigned)siege->newcomers_count;
    CU_ASSERT(seen_count >= honest_count && seen_count <= honest_count + HELPERS_COUNT);
    mwt_crew_destroy(siege->crew);
}

static const char *write_file(struct mwt_crew *crew, const void *bytes, size_t size)
{
    const char *path = mwt_path(crew, "speech");
    FILE *file = fopen(path, "we");
    CU_ASSERT_FATAL(file != NULL && fwrite(bytes, 1, size, file) == size);
    fclose(file);
    return path;
}

/* Ten thousand connections that say nothing. */
static void test_silent_crowd(void)
{
    struct siege siege;
    begin_siege(&siege, "20000");

    attack(&siege, "stay", sizes->silent_count, NULL, NULL);
    mwt_await_line(siege.attacker, MWT_OUT, "connections have been open");
    watch_work(&siege);

    end_siege(&siege);
}

/* More silent connections than the master may have descriptors: some stay free for the farm. */
static void test_few_descriptors(void)
{
    struct siege siege;
    begin_siege(&siege, "100");

    attack(&siege, "stay", 400, NULL, NULL);
    mwt_await_line(siege.attacker, MWT_OUT, "connections have been open");
    watch_work(&siege);

    end_siege(&siege);
}

/* A thousand connections that say a byte a second of a frame, or of a greeting of TLS. */
static void check_drip(const void *bytes, size_t size)
{
    struct siege siege;
    begin_siege(&siege, "20000");

    attack(&siege, "stay", 1000, "1", write_file(siege.crew, bytes, size));
    mwt_await_line(siege.attacker, MWT_OUT, "connections have been open");
    watch_work(&siege);

    end_siege(&siege);
}

static void test_drip(void)
{
    static const unsigned char frame[] = {0, 1, 0, 0, 0x98, 1}, hello[] = {0x16, 3, 1, 1, 6, 1};
    check_drip(frame, sizeof frame);
    check_drip(hello, sizeof hello);
}

/* Connections that begin a large frame, or a handshake, and never stop to send. */
static void check_swelling(const void *bytes, size_t size)
{
    struct siege siege;
    begin_siege(&siege, "20000");

    attack(&siege, "swell", 50, NULL, write_file(siege.crew, bytes, size));
    mwt_await_line(siege.attacker, MWT_OUT, "connections have been open");
    watch_work(&siege);

    end_siege(&siege);
}

static void test_swelling(void)
{
    static const unsigned char frame[] = {3, 0xff, 0, 0}, hello[] = {0x16, 3, 1, 0x3f, 0xff, 1};
    check_swelling(frame, sizeof frame);
    check_swelling(hello, sizeof hello);
}

/* A flood of ten thousand connections a second. */
static void check_flood(struct siege *siege, const char *file)
{
    attack(siege, "flood", 10000, NULL, file);
    await_made(siege, sizes->flood_count);
    watch_work(siege);

    end_siege(siege);
}

/* Each of the flood is reset at once. */
static void test_flood(void)
{
    struct siege siege;
    begin_siege(&siege, "20000");
    check_flood(&siege, NULL);
}

/* Each of the flood sends bytes that mean nothing. */
static void test_flood_of_garbage(void)
{
    static const unsigned char garbage[] = {0x16, 3, 1, 0, 9, 1, 0, 0, 5, 3, 3, 0xaa, 0xbb, 0xcc};
    struct siege siege;
    begin_siege(&siege, "20000");
    check_flood(&siege, write_file(siege.crew, garbage, sizeof garbage));
}

/* Returns the name of a file with the first bytes that an honest slave sends: its whole first
 * record. */
static const char *record_beginning(struct siege *siege)
{
    size_t size;
    struct mwt_relay *relay = mwt_relay_create(siege->port);
    struct mwt_process *slave = start_slave_at(siege->crew, mwt_relay_port(relay));
    mwt_await_line(slave, MWT_ERR, "MASTER -> ID SLAVE-");
    siege->newcomers_count++;
    mwt_kill(slave, SIGTERM);
    mwt_await_end(slave);
    unsigned char *bytes = mwt_relay_record(relay, 0, MWT_UP, &size);
    CU_ASSERT_FATAL(size > 5);
    size_t first_size = 5 + ((size_t)bytes[3] << 8) + bytes[4];
    const char *file = write_file(siege->crew, bytes, first_size < size ? first_size : size);
    free(bytes);
    mwt_relay_destroy(relay);
    return file;
}

/* Each of the flood sends the bytes with which an honest slave has begun. */
static void test_flood_of_beginnings(void)
{
    struct siege siege;
    begin_siege(&siege, "20000");
    check_flood(&siege, record_beginning(&siege));
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        {"silent crowd", test_silent_crowd},
        {"few descriptors", test_few_descriptors},
        {"drip", test_drip},
        {"swelling", test_swelling},
        {"flood", test_flood},
        {"flood of garbage", test_flood_of_garbage},
        {"flood of beginnings", test_flood_of_beginnings},
        CU_TEST_INFO_NULL,
    };
    if (argc > 1 && strcmp(argv[1], "soak") == 0)
        sizes = &soak;
    return mwt_run("security crowds", tests);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Encrypted farms with payloads of all sizes, and with many slaves. test_large.c moves 200 MiB each
 * way.
 *
 *   integration_security_loads [soak]      "soak": more slaves
 */
#include <string.h>

#include "mwt_run.h"
#include "tcp_farm.h"

#define PROCESSES_COUNT 100

struct load_sizes {
    const char *threads; /* slaves in each of the two processes */
    const char *tasks;
    int tasks_count;
};

static const struct load_sizes usual = {"500", "20000", 20000};
static const struct load_sizes soak = {"2500", "1000000", 1000000};
static const struct load_sizes *sizes = &usual;

/* Moves a payload of this size each way, and checks it. */
static void check_payload(size_t size, const char *form)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *resource = mwt_path(crew, "farm.rsc");
    struct mwt_process *master = mwt_run_program(
        crew, MWT_LARGE_FARM, "--mw-quiet", "--mw-master", "--mw-master-host", "127.0.0.1",
        "--mw-resource-file", resource, mwt_format(crew, "%zu", size), form, "1", NULL);
    struct mwt_process *slave = mwt_run_program(crew, MWT_LARGE_FARM, "--mw-quiet", "--mw-slave",
                                                "--mw-resource-file", resource, NULL);
    CU_ASSERT_EQUAL(mwt_await_end(master), 0);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    mwt_await_line(master, MWT_OUT, mwt_format(crew, "large: %zu bytes each way", size));
    mwt_crew_destroy(crew);
}

/* Sizes around those of records of TLS, of buffers, and of nothing at all. */
static void test_sizes(void)
{
    static const size_t payloads[] = {0,     1,     7,     4095,        16360,   16383,
                                      16384, 16385, 32751, 32767,       32768,   32769,
                                      65535, 65536, 65537, 131072 - 17, 1000003, 4194304};
    for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++)
        check_payload(payloads[i], i % 2 == 0 ? "bytes" : "values");
}

/* A hundred slaves, each a process. */
static void test_many_processes(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master = start_master(crew, MWT_ARGV("gate:1", "2000"));
    struct mwt_process *keeper = start_keeper(crew), *slaves[PROCESSES_COUNT];

    int64_t began_ns = mwt_now_ns();
    for (size_t i = 0; i < PROCESSES_COUNT; i++)
        slaves[i] = start_slave(crew);
    for (size_t i = 0; i < PROCESSES_COUNT; i++)
        mwt_await_line(slaves[i], MWT_ERR, "MASTER -> ID SLAVE-");
    printf("(%.1f s) ", (double)(mwt_now_ns() - began_ns) / 1e9);
    open_gate(crew);

    check_done(crew, master, 2000);
    CU_ASSERT_EQUAL(mwt_await_end(keeper), 0);
    for (size_t i = 0; i < PROCESSES_COUNT; i++)
        CU_ASSERT_EQUAL(mwt_await_end(slaves[i]), 0);
    mwt_crew_destroy(crew);
}

/* A thousand slaves, in the threads of two processes. */
static void test_many_threads(void)
{
    struct mwt_process *crowds[2];
    struct mwt_crew *crew = mwt_crew_create();
    struct mwt_process *master =
        start_master(crew, MWT_ARGV("--mw-audit-level", "problems", "gate:0,echo", sizes->tasks));
    mwt_await_line(master, MWT_OUT, "master: ");
    const char *resource = mwt_path(crew, "farm.rsc");

    struct mwt_process *keeper = start_keeper(crew);
    for (size_t i = 0; i < 2; i++)
        crowds[i] = mwt_run_program(crew, MWT_THREADED_SLAVES, resource, sizes->threads, NULL);
    for (size_t i = 0; i < 2; i++) {
        const char *line = mwt_await_line(crowds[i], MWT_OUT, "threaded: ");
        printf("(%s) ", line == NULL ? "" : line);
    }
    open_gate(crew);

    check_done(crew, master, sizes->tasks_count);
    CU_ASSERT_EQUAL(mwt_await_end(keeper), 0);
    for (size_t i = 0; i < 2; i++)
        CU_ASSERT_EQUAL(mwt_await_end(crowds[i]), 0);
    mwt_crew_destroy(crew);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        {"sizes", test_sizes},
        {"many processes", test_many_processes},
        {"many threads", test_many_threads},
        CU_TEST_INFO_NULL,
    };
    if (argc > 1 && strcmp(argv[1], "soak") == 0)
        sizes = &soak;
    return mwt_run("security loads", tests);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * 200 MiB each way between real processes, over TCP and MPI. The payload arrives intact, no
 * process holds it more than twice, and another slave is served while the large result arrives.
 */
#include <stdio.h>
#include <string.h>

#include "mwt_process.h"
#include "mwt_run.h"

#define LARGE_KIB (200L * 1024)
#define LARGE_BYTES "209715200"
/* A payload twice, and the other memory of a process of the farm, including the memory that MPI
 * shares. */
#define MEMORY_KIB_MAX (2 * LARGE_KIB + 96L * 1024)
/* If the small tasks waited for the large result there would be one, or two. */
#define SMALL_MIN 3

#define LIMITS "--mw-max-write-buffer-size", "256M", "--mw-max-read-buffer-size", "256M"

static struct mwt_process *start(struct mwt_crew *crew, const char *const *argv)
{
    return mwt_start(
        crew, &(struct mwt_start){
                  .argv = argv,
                  .environment = MWT_ARGV(mwt_format(crew, "LARGE_MARK=%s", mwt_path(crew, "mark")),
                                          "ASAN_OPTIONS=detect_leaks=0")});
}

/* Checks the next `count` lines about memory, and returns the highest number. */
static long check_memory(struct mwt_process *process, const char *who, int count)
{
    long highest = 0;
    for (int i = 0; i < count; i++) {
        const char *line = mwt_await_line(process, MWT_ERR, who);
        const char *figure = line == NULL ? NULL : strstr(line, " had ");
        long kib = -1;
        if (figure == NULL || sscanf(figure, " had %ld KiB", &kib) != 1)
            kib = -1;
        printf("(%s %ld KiB) ", who, kib);
#ifndef MWT_IS_SANITIZED
        CU_ASSERT_TRUE(kib >= 0 && kib <= MEMORY_KIB_MAX);
#endif
        highest = kib > highest ? kib : highest;
    }
    return highest;
}

static void check_master(struct mwt_process *process)
{
    unsigned small_count = 0;
    const char *line = mwt_await_line(process, MWT_OUT, "large: " LARGE_BYTES " bytes each way");
    const char *comma = line == NULL ? NULL : strchr(line, ',');
    if (comma != NULL)
        sscanf(comma, ", %u small", &small_count);
    printf("(%u small) ", small_count);
    CU_ASSERT_TRUE(small_count >= SMALL_MIN);
}

static void run_tcp(const char *form)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *resource = mwt_path(crew, "farm.rsc");

    struct mwt_process *master = start(
        crew, MWT_ARGV(MWT_LARGE_FARM, "--mw-quiet", "--mw-master", "--mw-master-host", "127.0.0.1",
                       "--mw-resource-file", resource, LIMITS, LARGE_BYTES, form, "2"));
    struct mwt_process *slaves[2];
    for (int i = 0; i < 2; i++)
        slaves[i] = start(crew, MWT_ARGV(MWT_LARGE_FARM, "--mw-quiet", "--mw-slave",
                                         "--mw-resource-file", resource, LIMITS));

    check_master(master);
    check_memory(master, "master", 1);
    CU_ASSERT_EQUAL(mwt_await_end(master), 0);
    long highest = 0;
    for (int i = 0; i < 2; i++) {
        long kib = check_memory(slaves[i], "slave", 1);
        highest = kib > highest ? kib : highest;
        CU_ASSERT_EQUAL(mwt_await_end(slaves[i]), 0);
    }
    CU_ASSERT_TRUE(highest > LARGE_KIB);
    mwt_crew_destroy(crew);
}

/* Over TCP, raw bytes. */
static void test_tcp_bytes(void)
{
    run_tcp("bytes");
}

/* Over TCP, msgpack values. */
static void test_tcp_values(void)
{
    run_tcp("values");
}

#ifdef MWT_MPIEXEC
static void run_mpi(const char *form)
{
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm = start(crew, MWT_ARGV(MWT_MPIEXEC, "-n", "3", MWT_LARGE_FARM,
                                                    "--mw-quiet", LIMITS, LARGE_BYTES, form, "2"));

    check_master(farm);
    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    CU_ASSERT_TRUE(check_memory(farm, "large: ", 3) > LARGE_KIB);
    mwt_crew_destroy(crew);
}

/* Over MPI, raw bytes. */
static void test_mpi_bytes(void)
{
    run_mpi("bytes");
}

/* Over MPI, msgpack values. */
static void test_mpi_values(void)
{
    run_mpi("values");
}
#endif

int main(void)
{
    CU_TestInfo tests[] = {
        {"tcp, bytes", test_tcp_bytes},
        {"tcp, values", test_tcp_values},
#ifdef MWT_MPIEXEC
        {"mpi, bytes", test_mpi_bytes},
        {"mpi, values", test_mpi_values},
#endif
        CU_TEST_INFO_NULL,
    };
    return mwt_run("large payloads", tests);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Measures the memory that a waiting task takes. A master without slaves submits --tasks with
 * arguments of --bytes, and prints the growth of its memory per task beyond these bytes: as the
 * kernel counts it (VmRSS) and as malloc does. Run it with --mw-master.
 */
#include <mw/mw.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

struct memory {
    double resident, in_use; /* bytes */
};

static struct memory look(void)
{
    struct memory memory = {0, 0};
    struct mallinfo2 info = mallinfo2();
    memory.in_use = (double)info.uordblks + (double)info.hblkhd;
    unsigned long pages, resident_pages;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%lu %lu", &pages, &resident_pages) != 2)
        mwt_bench_die("/proc/self/statm");
    fclose(file);
    memory.resident = (double)resident_pages * (double)sysconf(_SC_PAGESIZE);
    return memory;
}

static bool submit_all(mw_master *master, const struct mwt_bench *bench, unsigned char *arguments)
{
    for (size_t i = 0; i < bench->tasks; i++) {
        mwt_bench_write(arguments, bench->bytes, i);
        if (mw_master_submit_bytes(master, &(mw_task){.algorithm = "none", .tag = (int64_t)i},
                                   arguments, bench->bytes) != MW_OK)
            return false;
    }
    return true;
}

static void none(mw_call *call)
{
    mw_call_return(call, "");
}

static int direct(mw_master *master, int argc, char **argv)
{
    struct mwt_bench bench = {.program = "mw_queue", .tasks = 1000000, .bytes = 64};
    const struct mwt_bench_option own[] = {{NULL, NULL, 0}};
    if (!mwt_bench_parse(&bench, own, argc, argv))
        return 2;
    unsigned char *arguments = mwt_bench_alloc(bench.bytes);
    struct memory before = look();
    bench.begin_ns = mwt_bench_now_ns();
    bool ran = submit_all(master, &bench, arguments);
    bench.end_ns = mwt_bench_now_ns();
    struct memory after = look();
    free(arguments);
    if (!ran) {
        fprintf(stderr, "mw_queue: %s\n", mw_master_error(master));
        return 1;
    }
    double tasks = (double)bench.tasks, payload = (double)bench.bytes;
    printf("{\"program\": \"mw_queue\", \"tasks\": %zu, \"bytes\": %zu, \"resident_per_task\": "
           "%.2f, \"malloc_per_task\": %.2f, \"submit_ns\": %.1f}\n",
           bench.tasks, bench.bytes, (after.resident - before.resident) / tasks - payload,
           (after.in_use - before.in_use) / tasks - payload,
           (double)(bench.end_ns - bench.begin_ns) / tasks);
    return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"none", none}, {NULL, NULL}};
    return mw_main(&(mw_program){.algorithms = algorithms, .master = direct}, argc, argv);
}

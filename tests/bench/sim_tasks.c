/* SPDX-License-Identifier: Apache-2.0
 *
 * mw_bench in a simulated world, see mw/sim.h: a master and --workers slaves in one process and
 * one thread, on a clock of their own.
 *
 * It measures no time. Every run is the same, instruction by instruction, so that instructions.py
 * can count its instructions: of all, or with --part, a number of enum mwt_sim_part_kind, of one
 * part of the farm. With --window N callgrind looks at N results only, after --before others, when
 * the farm is in full swing, and then the run ends: see flatness.py.
 */
#include <mw/embed.h>
#include <mw/sim.h>

#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "mwt_await.h"
#include "sim_part.h"

#define NAME_BYTES 32

struct farm {
    struct mwt_bench bench;
    size_t group;  /* --group: tasks and results per message; 0: the default */
    size_t ahead;  /* --ahead: tasks that are submitted and not yet back */
    size_t window; /* --window: results; 0: all */
    size_t before; /* --before: results before the window */
    size_t part;   /* --part */
    struct mwt_sim_part counting;
    size_t submitted;
    mw_sim *sim;
    mw_program program;
    unsigned char *arguments;
};

static void echo(mw_call *call)
{
    void *data;
    size_t size;
    if (mw_call_bytes(call, &data, &size) == MW_OK)
        mw_call_return_bytes(call, data, size);
}

static bool submit(struct farm *farm, mw_master *master, size_t number)
{
    mw_task task = {.algorithm = "echo", .tag = (int64_t)number};
    mwt_bench_write(farm->arguments, farm->bench.bytes, number);
    mwt_sim_part_begin(&farm->counting, MWT_SIM_PART_SUBMIT);
    mw_error error = mw_master_submit_bytes(master, &task, farm->arguments, farm->bench.bytes);
    mwt_sim_part_end(&farm->counting);
    return error == MW_OK;
}

static bool take(struct farm *farm, mw_master *master)
{
    mwt_sim_part_begin(&farm->counting, MWT_SIM_PART_NEXT);
    const mw_result *result = mw_master_next(master);
    mwt_sim_part_end(&farm->counting);
    if (result == NULL || result->outcome != MW_DONE)
        return false;
    mwt_bench_take(&farm->bench, (uint64_t)result->tag, result->data, result->size);
    return true;
}

/* Keeps --ahead tasks out until `count` results have come in all. */
static bool run_until(struct farm *farm, mw_master *master, size_t count)
{
    while (farm->bench.results < count) {
        for (; farm->submitted < farm->bench.tasks &&
               farm->submitted - farm->bench.results < farm->ahead;
             farm->submitted++)
            if (!submit(farm, master, farm->submitted))
                return false;
        if (!take(farm, master))
            return false;
    }
    return true;
}

static bool run_tasks(struct farm *farm, mw_master *master)
{
    if (farm->window == 0)
        return run_until(farm, master, farm->bench.tasks);
    bool ran = run_until(farm, master, farm->before);
    mwt_sim_part_watch();
    ran = ran && run_until(farm, master, farm->before + farm->window);
    mwt_sim_part_ignore();
    farm->bench.tasks = farm->bench.results;
    return ran;
}

static bool set_options(struct farm *farm, mw_options *options, mw_sim_host *host,
                        const char *address, struct mwt_sim_part_place *place)
{
    bool is_counted = farm->part != MWT_SIM_PART_NONE;
    char group[NAME_BYTES];
    snprintf(group, sizeof group, "%zu", farm->group);
    return mw_options_set(options, "quiet", "1") == MW_OK &&
           (farm->group == 0 || (mw_options_set(options, "slave-task-group", group) == MW_OK &&
                                 mw_options_set(options, "slave-result-group", group) == MW_OK)) &&
           mw_options_use_transport(options,
                                    is_counted ? &mwt_sim_part_transport : &mw_sim_transport,
                                    is_counted ? (void *)place : host, address) == MW_OK;
}

static int run_master(mw_sim_host *host, void *context)
{
    struct farm *farm = context;
    mw_options *options = NULL;
    mw_master *master = NULL;
    struct mwt_sim_part_place place = {&farm->counting, host};
    bool ran = mw_options_create(&options) == MW_OK &&
               set_options(farm, options, host, "", &place) &&
               mw_master_open(&master, &farm->program, options) == MW_OK;
    ran = ran && mwt_await_slaves(master, farm->bench.workers) && run_tasks(farm, master);
    mw_master_close(master);
    mw_options_destroy(options);
    return ran ? 0 : 1;
}

static int run_slave(mw_sim_host *host, void *context)
{
    struct farm *farm = context;
    mw_options *options = NULL;
    mw_slave *slave = NULL;
    int status = 1;
    struct mwt_sim_part_place place = {&farm->counting, host};
    bool is_open = mw_options_create(&options) == MW_OK &&
                   set_options(farm, options, host, "master", &place) &&
                   mw_slave_open(&slave, &farm->program, options) == MW_OK;
    mw_options_destroy(options);
    if (is_open) {
        mwt_sim_part_begin(&farm->counting, MWT_SIM_PART_SLAVE);
        status = mw_slave_loop_simple(slave);
        mwt_sim_part_end(&farm->counting);
    }
    mw_slave_close(slave);
    return status;
}

static bool start(struct farm *farm, mw_sim_host **master)
{
    if (mw_sim_create(&farm->sim, &(mw_sim_config){.seed = 1}) != MW_OK ||
        mw_sim_host_start(farm->sim, "master", run_master, farm, master) != MW_OK)
        return false;
    for (size_t i = 0; i < farm->bench.workers; i++) {
        char name[NAME_BYTES];
        snprintf(name, sizeof name, "slave-%zu", i);
        if (mw_sim_host_start(farm->sim, name, run_slave, farm, NULL) != MW_OK)
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"echo", echo}, {NULL, NULL}};
    struct farm farm = {.bench = {.program = "sim_tasks", .tasks = 1000, .bytes = 64, .workers = 4},
                        .ahead = 1000,
                        .program = {.algorithms = algorithms}};
    const struct mwt_bench_option own[] = {{"workers", &farm.bench.workers, 1},
                                           {"group", &farm.group, 0},
                                           {"ahead", &farm.ahead, 1},
                                           {"window", &farm.window, 0},
                                           {"before", &farm.before, 0},
                                           {"part", &farm.part, 0},
                                           {NULL, NULL, 0}};
    if (!mwt_bench_parse(&farm.bench, own, argc, argv))
        return 2;
    if (farm.bench.mode == MWT_BENCH_LATENCY)
        farm.ahead = 1;
    if (farm.window > 0)
        farm.bench.tasks = farm.before + farm.window + farm.ahead;
    farm.counting.counted = (enum mwt_sim_part_kind)farm.part;
    farm.arguments = mwt_bench_alloc(farm.bench.bytes);
    mw_sim_host *master = NULL;
    int status = 1;
    bool ran = start(&farm, &master) && mw_sim_run(farm.sim, INT64_MAX) &&
               mw_sim_host_ended(master, &status) && status == 0 &&
               farm.bench.results == farm.bench.tasks;
    if (!ran)
        fprintf(stderr, "sim_tasks: it did not run to its end\n");
    mw_sim_destroy(farm.sim);
    free(farm.arguments);
    return ran ? 0 : 1;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The farm of crashes.h. Its random numbers are drawn in one order, so that a seed is always the
 * same farm: mwt_crashes_draw, then the test, and then the events of the run.
 */
#include "crashes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mwt_host.h"
#include "options/options.h"
#include "sim_disk.h"

#define SECOND (1000 * MWT_CRASHES_MS)
#define COMMON_TAG_FROM 300
#define LARGE_BYTES ((size_t)50000)

static int64_t draw_ms(struct mwt_crashes *farm, size_t limit_ms)
{
    return (int64_t)mwt_random_below(&farm->random, limit_ms) * MWT_CRASHES_MS;
}

void mwt_crashes_draw(struct mwt_crashes *farm, uint64_t seed, bool has_power_cuts)
{
    struct mwt_random *random = &farm->random;
    farm->seed = seed;
    random->state = ~seed;
    farm->has_power_cuts = has_power_cuts;
    farm->tasks_count = 1 + mwt_random_below(random, MWT_CRASHES_TASKS_MAX);
    farm->slaves_count = 1 + mwt_random_below(random, MWT_CRASHES_SLAVES_MAX);
    farm->task_ns_max = mwt_random_below(random, 4) == 0 ? 0 : draw_ms(farm, 60);
    farm->has_reconnect = mwt_random_below(random, 2) == 0;
    farm->crashes_left = (unsigned)mwt_random_below(random, 6);
}

void mwt_crashes_complain(struct mwt_crashes *farm, const char *what, long long number)
{
    if (!farm->is_wrong)
        fprintf(stderr, "seed %llu: %s (%lld); replay with --seed %llu --seeds 1\n",
                (unsigned long long)farm->seed, what, number, (unsigned long long)farm->seed);
    farm->is_wrong = true;
}

bool mwt_crashes_is_common(int64_t tag)
{
    return tag >= COMMON_TAG_FROM;
}

int64_t mwt_crashes_argument(int64_t tag)
{
    return mwt_crashes_is_common(tag) ? COMMON_TAG_FROM : tag;
}

static bool is_large(int64_t tag)
{
    return tag % 50 == 7 && !mwt_crashes_is_common(tag);
}

void mwt_crashes_spend(struct mwt_crashes *farm)
{
    if (farm->task_ns_max > 0)
        mw_sim_spend(farm->sim,
                     (int64_t)mwt_random_below(&farm->random, (size_t)farm->task_ns_max));
}

void mwt_crashes_return(struct mwt_crashes *farm, mw_call *call, int64_t tag)
{
    static const unsigned char zeros[LARGE_BYTES];
    if (mwt_crashes_is_common(tag))
        mw_call_return(call, "l", ++farm->next_value);
    else if (is_large(tag))
        mw_call_return(call, "ly", 7 * tag, zeros, LARGE_BYTES);
    else
        mw_call_return(call, "l", 7 * tag);
}

bool mwt_crashes_read(struct mwt_crashes *farm, const mw_result *result, int64_t tag,
                      int64_t *value)
{
    const void *bytes;
    size_t size;
    bool has_read = is_large(tag) ? mw_result_get(result, "ly", value, &bytes, &size) == MW_OK &&
                                        size == LARGE_BYTES
                                  : mw_result_get(result, "l", value) == MW_OK;
    if (has_read && !mwt_crashes_is_common(tag) && *value != 7 * tag)
        mwt_crashes_complain(farm, "a task has a value of another", tag);
    return has_read;
}

void mwt_crashes_add(struct mwt_crashes *farm, struct mwt_crashes_values *values, int64_t value)
{
    for (size_t i = 0; i < values->count; i++)
        if (values->values[i] == value)
            mwt_crashes_complain(farm, "one result was handed out for two tasks", value);
    values->values[values->count++] = value;
}

static mw_options *make_options(const struct mwt_crashes *farm, mw_sim_host *host,
                                const char *address)
{
    const char *const settings[][2] = {{"audit-level", "none"},
                                       {"connect-timeout", "1000"},
                                       {"reconnect", farm->has_reconnect ? "1000" : "0"},
                                       {NULL, NULL}};
    return mwt_host_options(host, address, settings);
}

static int be_master(mw_sim_host *host, void *context)
{
    struct mwt_crashes *farm = context;
    mw_program program = {.algorithms = farm->algorithms, .user = farm->context};
    mw_options *options = make_options(farm, host, "");
    mw_master *master;
    mw_options_set(options, "journal", "s.mwj");
    mwi_options_use_disk(options, &mwi_sim_disk_api, farm->disk);
    farm->masters_count++;
    if (mw_master_open(&master, &program, options) == MW_OK) {
        if (farm->master(farm->context, master))
            farm->is_done = true;
        mw_master_close(master);
    } else {
        mwt_crashes_complain(farm, mw_options_error(options), 0);
    }
    mw_options_destroy(options);
    return 0;
}

static int be_slave(mw_sim_host *host, void *context)
{
    struct mwt_crashes *farm = context;
    return mwt_host_be_slave(make_options(farm, host, "master"), farm->algorithms, farm->context);
}

static void start_slaves(struct mwt_crashes *farm)
{
    char name[32];
    for (size_t i = 0; i < farm->slaves_count; i++) {
        snprintf(name, sizeof name, "slave-%zu", i);
        if (farm->slave_hosts[i] == NULL || mw_sim_host_ended(farm->slave_hosts[i], NULL))
            mw_sim_host_start(farm->sim, name, be_slave, farm, &farm->slave_hosts[i]);
    }
}

static void start_master(mw_sim *sim, void *context)
{
    struct mwt_crashes *farm = context;
    mw_sim_host_start(sim, "master", be_master, farm, &farm->master_host);
}

/* Starts slaves in place of those that have ended with their master. A world whose hosts have all
 * ended would stand still: this one waits for the next master. */
static int keep_slaves(mw_sim_host *host, void *context)
{
    struct mwt_crashes *farm = context;
    (void)host;
    while (!farm->is_done && mw_sim_now(farm->sim) < 4000 * SECOND) {
        start_slaves(farm);
        mw_sim_spend(farm->sim, 100 * MWT_CRASHES_MS);
    }
    return 0;
}

static void crash(mw_sim *sim, void *context)
{
    struct mwt_crashes *farm = context;
    if (farm->is_done || farm->crashes_left == 0 || mw_sim_host_ended(farm->master_host, NULL))
        return;
    farm->crashes_left--;
    bool is_power_cut = farm->has_power_cuts && mwt_random_below(&farm->random, 2) == 0;
    mw_sim_kill(farm->master_host);
    if (is_power_cut) {
        mwi_sim_disk_cut_power(farm->disk);
        if (farm->lose_power != NULL)
            farm->lose_power(farm->context);
    }
    mw_sim_at(sim, mw_sim_now(sim) + draw_ms(farm, 300), start_master, farm);
    mw_sim_at(sim, mw_sim_now(sim) + 300 * MWT_CRASHES_MS + draw_ms(farm, 900), crash, farm);
}

void mwt_crashes_run(struct mwt_crashes *farm)
{
    if (mw_sim_create(&farm->sim, &(mw_sim_config){.seed = farm->seed}) != MW_OK)
        abort();
    farm->disk = mwi_sim_disk_create(
        farm->sim, &(struct mwi_sim_disk_plan){.sync_min_ns = MWT_CRASHES_MS / 20,
                                               .sync_max_ns = 3 * MWT_CRASHES_MS});
    mw_sim_host_start(farm->sim, "keeper", keep_slaves, farm, NULL);
    start_master(farm->sim, farm);
    mw_sim_at(farm->sim, draw_ms(farm, 900), crash, farm);
    mw_sim_run(farm->sim, 5000 * SECOND);
    mw_sim_destroy(farm->sim);
    if (!farm->is_done)
        mwt_crashes_complain(farm, "the farm has not come to its end", farm->masters_count);
}

void mwt_crashes_read_seeds(struct mwt_crashes_seeds *seeds, int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seed") == 0)
            seeds->first = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seeds") == 0)
            seeds->count = strtoull(argv[i + 1], NULL, 10);
    }
}

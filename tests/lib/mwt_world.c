/* SPDX-License-Identifier: Apache-2.0
 *
 * The farm of mwt_world.h: each master and slave is a coroutine of one simulated world. Slaves
 * connect to the host named "master", even if it does not run yet.
 */
#include "mwt_world.h"

#include <stdio.h>
#include <string.h>

#define HOUR_NS (3600 * MWT_WORLD_SECOND)

static void apply(mw_options *options, const char *const (*settings)[2])
{
    for (; settings != NULL && (*settings)[0] != NULL; settings++)
        if (mw_options_set(options, (*settings)[0], (*settings)[1]) != MW_OK)
            printf("\n%s\n", mw_options_error(options));
}

/* Makes options that use the host's own transport. Returns NULL out of memory. */
static mw_options *make_options(const struct mwt_world *world, mw_sim_host *host,
                                const char *address)
{
    mw_options *options;
    if (mw_options_create(&options) != MW_OK)
        return NULL;
    if (mw_options_set(options, "audit-level", "none") == MW_OK &&
        mw_options_use_transport(options, &mw_sim_transport, host, address) == MW_OK) {
        apply(options, world->settings);
        return options;
    }
    mw_options_destroy(options);
    return NULL;
}

static int run_master(mw_sim_host *host, void *context)
{
    struct mwt_world *world = context;
    mw_master *master;
    mw_options *options = make_options(world, host, "");
    if (options == NULL) {
        world->master_error = MW_ENOMEM;
        return -1;
    }
    world->master_error = mw_master_open(&master, &world->program, options);
    if (world->master_error == MW_OK) {
        world->master_status = world->master(world, master);
        mw_master_close(master);
    } else {
        snprintf(world->sentence, sizeof world->sentence, "%s", mw_options_error(options));
    }
    mw_options_destroy(options);
    return 0;
}

static int run_slave(mw_sim_host *host, void *context)
{
    struct mwt_world *world = context;
    mw_slave *slave;
    mw_options *options = make_options(world, host, "master");
    if (options == NULL) {
        world->slave_error = MW_ENOMEM;
        return -1;
    }
    apply(options, world->slave_settings);
    mw_error error = mw_slave_open(&slave, &world->program, options);
    if (error == MW_OK) {
        world->slave_status =
            world->slave == NULL ? mw_slave_loop_simple(slave) : world->slave(world, slave);
        mw_slave_close(slave);
    } else {
        world->slave_error = error;
        snprintf(world->sentence, sizeof world->sentence, "%s", mw_options_error(options));
    }
    mw_options_destroy(options);
    return 0;
}

void mwt_world_spend(mw_call *call)
{
    double seconds;
    const struct mwt_world *world = mw_call_user(call);
    if (mw_call_args(call, "d", &seconds) != MW_OK)
        return;
    mw_sim_spend(world->sim, (int64_t)(seconds * 1e9));
    mw_call_return(call, "d", seconds);
}

void mwt_world_start_slave(struct mwt_world *world)
{
    char name[32];
    snprintf(name, sizeof name, "slave-%zu", world->slaves_started);
    if (world->slaves_started < MWT_WORLD_SLAVES_MAX)
        mw_sim_host_start(world->sim, name, run_slave, world,
                          &world->slave_hosts[world->slaves_started++]);
}

static void start_master(mw_sim *sim, void *context)
{
    struct mwt_world *world = context;
    mw_sim_host_start(sim, "master", run_master, world, &world->master_host);
}

bool mwt_world_run(struct mwt_world *world)
{
    world->master_status = world->slave_status = -1;
    if (mw_sim_create(&world->sim, &(mw_sim_config){.seed = 1}) != MW_OK)
        return false;
    if (world->master != NULL)
        mw_sim_at(world->sim, world->master_start_ns, start_master, world);
    for (size_t i = 0; i < world->slaves_count; i++)
        mwt_world_start_slave(world);
    world->has_finished = mw_sim_run(world->sim, HOUR_NS);
    world->end_ns = mw_sim_now(world->sim);
    mw_sim_destroy(world->sim);
    return true;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * A small farm through the public functions, in a simulated world: one master and some slaves,
 * each on a host of its own, running functions of the test. Those functions must not make fatal
 * assertions, which would jump from a host's stack to CUnit's.
 */
#ifndef MWT_WORLD_H
#define MWT_WORLD_H

#include <mw/embed.h>
#include <mw/sim.h>

#define MWT_WORLD_SLAVES_MAX 8
#define MWT_WORLD_SECOND INT64_C(1000000000)

struct mwt_world {
    /* The test sets these members; 0 means the default. */
    mw_program program;
    int (*master)(struct mwt_world *world, mw_master *master); /* NULL: there is none */
    int (*slave)(struct mwt_world *world, mw_slave *slave);    /* NULL: mw_slave_loop_simple */
    size_t slaves_count;
    const char *const (*settings)[2];       /* options of all, ended by {NULL} */
    const char *const (*slave_settings)[2]; /* of the slaves, besides */
    int64_t master_start_ns;                /* when the master starts */
    void *context;
    /* The outcome. */
    mw_sim *sim;
    mw_sim_host *master_host;
    mw_sim_host *slave_hosts[MWT_WORLD_SLAVES_MAX];
    size_t slaves_started;
    mw_error master_error, slave_error; /* of the last open that failed, and its sentence */
    char sentence[512];
    int master_status, slave_status; /* what the functions returned */
    int64_t end_ns;
    bool has_finished; /* all hosts ended within an hour of virtual time */
};

/* Runs the world until all hosts have ended. Returns false if the world cannot be made. */
bool mwt_world_run(struct mwt_world *world);

/* A task algorithm that computes for as many seconds of the world as its argument says, and returns
 * them. The program's user must be the world. */
void mwt_world_spend(mw_call *call);

/* Starts another slave now. A host may call it too. */
void mwt_world_start_slave(struct mwt_world *world);

#endif

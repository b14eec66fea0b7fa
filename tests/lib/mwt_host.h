/* SPDX-License-Identifier: Apache-2.0
 *
 * The hosts of a simulated world (mw/sim.h) that a test of whole farms starts: the options with
 * which a host opens its master or slave, and a host that is a slave. All code is in this header,
 * so that a test needs no other source for it.
 */
#ifndef MWT_HOST_H
#define MWT_HOST_H

#include <stdlib.h>

#include <mw/embed.h>
#include <mw/sim.h>

/* Returns options with these settings, ended by {NULL}, that use the host's own transport. The
 * address is "" for a master, and for a slave the name of its master's host. Aborts if a setting is
 * refused, or memory lacks. The caller destroys the options. */
static inline mw_options *mwt_host_options(mw_sim_host *host, const char *address,
                                           const char *const (*settings)[2])
{
    mw_options *options;
    if (mw_options_create(&options) != MW_OK ||
        mw_options_use_transport(options, &mw_sim_transport, host, address) != MW_OK)
        abort();
    for (; (*settings)[0] != NULL; settings++)
        if (mw_options_set(options, (*settings)[0], (*settings)[1]) != MW_OK)
            abort();
    return options;
}

/* Is a slave of the host named "master" until the slave has ended. Returns its status, or 1 if it
 * cannot be opened. Takes the options. */
static inline int mwt_host_be_slave(mw_options *options, const mw_algorithm *algorithms, void *user)
{
    const mw_program program = {.algorithms = algorithms, .user = user};
    mw_slave *slave;
    int status = 1;
    if (mw_slave_open(&slave, &program, options) == MW_OK) {
        status = mw_slave_loop_simple(slave);
        mw_slave_close(slave);
    }
    mw_options_destroy(options);
    return status;
}

#endif

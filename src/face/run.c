/* SPDX-License-Identifier: Apache-2.0
 *
 * For programs without mw_main: the functions that run a whole master or slave, and the one that
 * says which of the two the process is. Users call them.
 *
 * Invariants: unlike mw_main, they install no signal handlers, read no argv, and print nothing:
 * errors and their sentences stay in the options. A rank of an MPI communicator that cannot open
 * its master or slave still makes the collective call (decline.c).
 */
#include <stdlib.h>

#include "face/decline.h"
#include "face/job.h"
#include "face/master_loop.h"
#include "face/master_open.h"
#include "face/slave.h"
#include "face/slave_error.h"
#include "options/check.h"
#include "options/role.h"

mw_error mw_options_is_slave(mw_options *options, bool *is_slave)
{
    size_t custom_count;
    mw_error error = mwi_check_options(options);
    if (error != MW_OK)
        return error;
    if (mwi_options_communicator(options) != NULL)
        return mwi_options_fail(options, MW_ESTATE,
                                "rank %s of the MPI communicator is the master, its other ranks "
                                "are slaves: ask MPI for the rank",
                                mwi_options_master_rank(options));
    mwi_options_transports(options, &custom_count);
    if (custom_count > 0) {
        *is_slave = mwi_options_flag(options, MWI_OPTION_SLAVE);
        return MW_OK;
    }
    struct mwi_launch launch = mwi_job_launch();
    enum mwi_mode mode = mwi_role_mode(options, launch);
    *is_slave = mode == MWI_MODE_RANK ? launch.rank > 0 : mwi_role_is_slave(mode);
    return MW_OK;
}

mw_error mw_run_master(const mw_program *program, mw_options *options, int argc, char **argv,
                       int *status)
{
    mw_master *master;
    mwi_options_fail(options, MW_OK, "%s", "");
    if (program->master == NULL) {
        mwi_decline(options, false);
        return mwi_options_fail(options, MW_EINVAL, "the program has no master algorithm");
    }
    mw_error error = mwi_master_open_by_options(&master, program, options, argc, argv);
    if (error != MW_OK)
        return error;
    *status = mwi_master_status(master, program->master(master, argc, argv));
    error = mw_master_status(master);
    if (error != MW_OK)
        mwi_options_fail(options, error, "%s", mwi_master_sentence(master)->text);
    mwi_master_close(master, master->broken == MW_OK, *status);
    return error;
}

mw_error mw_run_slave(const mw_program *program, mw_options *options, int argc, char **argv,
                      int *status)
{
    mw_slave *slave;
    bool is_rank = mwi_options_communicator(options) != NULL;
    mwi_options_fail(options, MW_OK, "%s", "");
    mw_error error = mw_slave_open(&slave, program, options);
    if (error == MW_EGONE && !is_rank) {
        *status = 0;
        return MW_OK;
    }
    if (error != MW_OK)
        return error;
    *status =
        program->slave == NULL ? mw_slave_loop_simple(slave) : program->slave(slave, argc, argv);
    error = mwi_slave_error_check(slave);
    if (error != MW_OK)
        mwi_options_fail(options, error, "%s", mw_slave_error(slave));
    mw_slave_close(slave);
    return error;
}

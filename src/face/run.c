/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole master or slave inside a program of the caller's.
 */
#include "face/decline.h"
#include "face/master_loop.h"
#include "face/master_open.h"
#include "face/slave.h"

mw_error mw_run_master(const mw_program *program, mw_options *options, int argc, char **argv,
                       int *status)
{
    mw_master *master;
    mwi_options_fail(options, MW_OK, "%s", "");
    if (program->master == NULL) {
        mwi_decline(options, &(struct mwi_launch){0});
        return mwi_options_fail(options, MW_EINVAL, "the program has no master algorithm");
    }
    mw_error error = mw_master_open(&master, program, options);
    if (error != MW_OK)
        return error;
    *status = mwi_master_status(master, program->master(master, argc, argv));
    error = mw_master_status(master);
    if (error != MW_OK)
        mwi_options_fail(options, error, "%s", master->fault.text);
    mw_master_close(master);
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
    error = mwi_slave_check(slave);
    if (error != MW_OK)
        mwi_options_fail(options, error, "%s", mw_slave_error(slave));
    mw_slave_close(slave);
    return error;
}

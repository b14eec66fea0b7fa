/* SPDX-License-Identifier: Apache-2.0
 *
 * For programs without mw_main: the functions that run a whole master or slave, and the one that
 * says which of the two the process is. Users call them.
 *
 * Invariants: unlike mw_main, they install no signal handlers, read no argv, and print nothing:
 * errors and their sentences stay in the options. A rank of an MPI communicator that cannot open
 * its master or slave still makes the collective call (decline.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "face/decline.h"
#include "face/isolation.h"
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

/* Runs the slave's algorithm, or serves its processes, and closes it. */
static mw_error run_opened(mw_slave *slave, mw_options *options, struct mwi_zygote *zygote,
                           int argc, char **argv, int *status)
{
    const mw_program *program = slave->program;
    if (zygote != NULL)
        *status = mwi_isolation_serve(slave, zygote);
    else if (program->slave == NULL)
        *status = mw_slave_loop_simple(slave);
    else
        *status = program->slave(slave, argc, argv);
    mw_error error = mwi_slave_error_check(slave);
    if (error != MW_OK)
        mwi_options_fail(options, error, "%s", mw_slave_error(slave));
    mw_slave_close(slave);
    return error;
}

static mw_error run_slave(const mw_program *program, mw_options *options, struct mwi_zygote *zygote,
                          int argc, char **argv, int *status)
{
    mw_slave *slave;
    bool is_rank = mwi_options_communicator(options) != NULL;
    mw_error error =
        mwi_slave_open_isolated(&slave, program, options, zygote == NULL ? NULL : zygote->page);
    if (error == MW_EGONE && !is_rank) {
        *status = 0;
        return MW_OK;
    }
    return error == MW_OK ? run_opened(slave, options, zygote, argc, argv, status) : error;
}

/* In a process that runs the tasks of an isolated slave. It knows nothing of the caller's, so it
 * never returns there. */
static _Noreturn void run_child(const mw_program *program, const mw_options *options,
                                struct mwi_relay_page *page, int channel, int argc, char **argv)
{
    mw_slave *slave;
    mw_reason why;
    struct mwi_slave_settings settings;
    bool has_joined;
    int status = 255;
    mwi_isolation_read_child(&settings, options, page, channel);
    if (mwi_slave_open(&slave, program, &settings, false, &has_joined, &why) == MW_OK) {
        status = program->slave == NULL ? mw_slave_loop_simple(slave)
                                        : program->slave(slave, argc, argv);
        mw_slave_close(slave);
    }
    fflush(NULL);
    _exit(status);
}

static mw_error fail_isolation(mw_options *options, mw_error error, const char *sentence)
{
    mwi_decline(options, false);
    return mwi_options_fail(options, error, "%s", sentence);
}

static mw_error run_isolated(const mw_program *program, mw_options *options, int argc, char **argv,
                             int *status)
{
    struct mwi_zygote zygote;
    enum mwi_zygote_side side;
    int channel;
    mw_reason why;
    if (!mwi_options_may_fork(options))
        return fail_isolation(options, MW_EUSAGE,
                              "--mw-slave-isolate forks processes, which is not safe where "
                              "threads, MPI or a device use the memory of the program: if it is "
                              "safe in this one, it calls mw_options_allow_fork");
    enum mwi_mode mode = mwi_role_mode_embedded(options, mwi_job_launch(), true);
    const struct mwi_zygote_plan plan = mwi_isolation_plan(options, mode);
    fflush(NULL); /* otherwise each process would write the text in the buffers */
    mw_error error = mwi_zygote_open(&zygote, &plan, &side, &channel, &why);
    if (error != MW_OK)
        return fail_isolation(options, error, why.text);
    if (side == MWI_ZYGOTE_OF_CHILD)
        run_child(program, options, zygote.page, channel, argc, argv);
    error = run_slave(program, options, &zygote, argc, argv, status);
    mwi_zygote_close(&zygote);
    return error;
}

mw_error mw_run_slave(const mw_program *program, mw_options *options, int argc, char **argv,
                      int *status)
{
    mwi_options_fail(options, MW_OK, "%s", "");
    return mwi_options_flag(options, MWI_OPTION_SLAVE_ISOLATE)
               ? run_isolated(program, options, argc, argv, status)
               : run_slave(program, options, NULL, argc, argv, status);
}

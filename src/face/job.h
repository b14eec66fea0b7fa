/* SPDX-License-Identifier: Apache-2.0
 *
 * The MPI job of mw_main: the processes that a launcher started together and that MPI joins.
 */
#ifndef MWI_JOB_H
#define MWI_JOB_H

#include <mw/transport.h>

#include "options/launcher.h"

struct mwi_job {
    const mw_mpi_job_api *api; /* NULL: MPI was not started here */
    mw_mpi_job self;           /* this process as MPI sees it */
};

/* Reads from the environment which launcher started this process, and with how many others. */
struct mwi_launch mwi_job_launch(void);

/* If a launcher has started this process, marks the environment, so that programs that it starts
 * do not take the launcher's variables for their own. Only mw_main does. */
void mwi_job_mark(void);

/* Starts MPI and asks it for rank and size. Collective over the job. On failure `job` needs no end,
 * and *why says what the user can do. Errors:
 *   MW_EUNAVAILABLE  there is no MPI module, or it does not know of the other processes that the
 *                    launcher started
 *   MW_ENETWORK      MPI failed
 * MPI calls exit if it cannot start at all. Then `give_up` is called with the sentence, and the
 * process ends with `status`. */
mw_error mwi_job_start(struct mwi_job *job, struct mwi_launch launch,
                       void (*give_up)(void *context, const char *sentence), void *context,
                       int status, mw_reason *why) MW_USE_RESULT;

/* MW_EUNAVAILABLE, with a sentence, for a master or slave that is alone on its communicator, or in
 * its job if it has none. */
mw_error mwi_job_fail_lonely(bool has_communicator, mw_reason *why);

/* Ends MPI if the job was started and started it. Collective. */
void mwi_job_end(struct mwi_job *job);

/* Ends all processes of the job with this status, if it was started; the others may be waiting for
 * this one. */
void mwi_job_abort(const struct mwi_job *job, int status);

#endif

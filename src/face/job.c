/* SPDX-License-Identifier: Apache-2.0
 *
 * Starts and ends MPI for mw_main, when neither options nor anything else but MPI says whether the
 * process is the master or a slave. A launcher that started several processes is believed: if MPI
 * sees one process alone, each would do all of the work, so that is an error.
 *
 * Invariant: `starting` is set only while MPI starts. It is global because an exit handler is
 * called without a context.
 */
#include "face/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "transports/registry.h"

struct starting {
    pid_t pid; /* 0: MPI is not being started */
    struct mwi_launch launch;
    void (*give_up)(void *context, const char *sentence);
    void *context;
    int status;
};

static struct starting starting;

/* The number of the socket in the kernel. */
static uint64_t socket_of(int fd)
{
    struct stat found;
    return fstat(fd, &found) == 0 && S_ISSOCK(found.st_mode) ? (uint64_t)found.st_ino : 0;
}

static struct mwi_launcher_process this_process(void)
{
    return (struct mwi_launcher_process){.pid = getpid(), .get = getenv, .socket_of = socket_of};
}

struct mwi_launch mwi_job_launch(void)
{
    struct mwi_launcher_process process = this_process();
    return mwi_launcher_read(&process);
}

void mwi_job_mark(void)
{
    char mark[MWI_LAUNCHER_MARK_BYTES];
    struct mwi_launcher_process process = this_process();
    if (mwi_launcher_read(&process).name == NULL)
        return;
    mwi_launcher_mark(&process, mark);
    setenv(MWI_LAUNCHER_VARIABLE, mark, 1);
}

/* "srun started 4 processes, but ", or nothing without a launcher. */
static int begin_sentence(struct mwi_launch launch, mw_reason *why)
{
    why->text[0] = '\0';
    if (launch.name == NULL || launch.size == 1)
        return 0;
    if (launch.size == 0)
        return snprintf(why->text, sizeof why->text, "%s started processes, but ", launch.name);
    return snprintf(why->text, sizeof why->text, "%s started %d processes, but ", launch.name,
                    launch.size);
}

/* Appends what the user can do. Without a launcher the sentence ends before. */
static void advise(struct mwi_launch launch, mw_reason *why)
{
    size_t length = strlen(why->text);
    if (launch.name == NULL)
        return;
    const char *launchers =
        strcmp(launch.name, "srun") == 0
            ? "srun --mpi=pmix (for MPICH: --mpi=pmi2) or the mpirun of that MPI"
            : "the mpirun of the MPI that mw was built with";
    snprintf(why->text + length, sizeof why->text - length,
             ": start the program with %s, or choose --mw-local, --mw-master or --mw-slave",
             launchers);
}

static mw_error fail(struct mwi_launch launch, mw_error error, mw_reason *why)
{
    mw_reason cause = *why;
    int length = begin_sentence(launch, why);
    if (length == 0) {
        *why = cause;
        return error;
    }
    snprintf(why->text + length, sizeof why->text - (size_t)length,
             "MPI cannot be used in them (%.250s)", cause.text);
    advise(launch, why);
    return error;
}

static mw_error fail_alone(struct mwi_launch launch, const char *library, mw_reason *why)
{
    int length = begin_sentence(launch, why);
    snprintf(why->text + length, sizeof why->text - (size_t)length, "for %s each of them is alone",
             library);
    advise(launch, why);
    return MW_EUNAVAILABLE;
}

static void end_starting(void)
{
    mw_reason why;
    if (starting.pid != getpid())
        return;
    int length = begin_sentence(starting.launch, &why);
    snprintf(why.text + length, sizeof why.text - (size_t)length, "MPI could not start%s",
             starting.launch.name == NULL ? "" : " in them");
    advise(starting.launch, &why);
    starting.give_up(starting.context, why.text);
    fflush(NULL);
    _exit(starting.status);
}

static mw_error start(struct mwi_job *job, const mw_transport_api *api, mw_reason *why)
{
    mw_error error = atexit(end_starting) == 0 ? MW_OK : MW_ENOMEM;
    if (error == MW_OK)
        error = api->job->start(&job->self, why);
    else
        snprintf(why->text, sizeof why->text, "%s", mw_error_text(error));
    starting = (struct starting){0};
    return error;
}

mw_error mwi_job_start(struct mwi_job *job, struct mwi_launch launch,
                       void (*give_up)(void *context, const char *sentence), void *context,
                       int status, mw_reason *why)
{
    const mw_transport_api *api;
    *job = (struct mwi_job){.api = NULL};
    mw_error error = mwi_registry_find("mpi", &api, why);
    if (error != MW_OK)
        return fail(launch, error, why);
    starting = (struct starting){getpid(), launch, give_up, context, status};
    error = start(job, api, why);
    if (error != MW_OK)
        return fail(launch, error, why);
    job->api = api->job;
    if (job->self.size > 1 || (launch.size < 2 && launch.rank < 1))
        return MW_OK;
    error = fail_alone(launch, job->self.library, why);
    mwi_job_end(job);
    return error;
}

mw_error mwi_job_fail_lonely(bool has_communicator, mw_reason *why)
{
    snprintf(why->text, sizeof why->text, "%s",
             has_communicator
                 ? "no other rank of the communicator takes part"
                 : "mpi needs at least 2 processes: start the program with mpirun -n N or "
                   "srun --mpi=pmix -n N");
    return MW_EUNAVAILABLE;
}

void mwi_job_end(struct mwi_job *job)
{
    if (job->api != NULL)
        job->api->stop(&job->self);
    job->api = NULL;
}

void mwi_job_abort(const struct mwi_job *job, int status)
{
    if (job->api != NULL)
        job->api->abort(status);
}

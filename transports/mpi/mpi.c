/* SPDX-License-Identifier: Apache-2.0
 *
 * The transport over MPI: the table of functions that the module exports, waiting, and closing.
 * registry.c loads the module, and the loop calls the functions. One transport has two
 * communicators of its own with the same ranks; its peers are links to these ranks. MPI has no
 * descriptor to sleep on, so a poll looks and naps.
 *
 * Invariants: events are called in a poll and nowhere else. Every rank of the caller's communicator
 * opens or declines, and closing waits for all ranks, so that no message is left in a communicator
 * that is freed. A new kind of message goes into protocol.c; how communicators are made, into
 * ranks.c.
 */
#include "protocol.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/time.h"

/* Peers are named by their addresses. */
#define RANK_PREFIX "rank "
/* The number of looks of a spinning poll between two looks at wake_fd. */
#define LOOKS_PER_WAKE_CHECK 64
/* A launcher that ends a job throws away output that it has not forwarded; it gets this time. */
#define TELLING_NS INT64_C(200000000)

MW_API extern const mw_transport_api mw_transport_module;

static int64_t mpi_now(void *transport)
{
    (void)transport;
    return mwi_clock_monotonic_ns();
}

static void free_transport(struct mwi_mpi_transport *mpi)
{
    mwi_mpi_receives_fini(&mpi->receives);
    mwi_mpi_sends_fini(&mpi->sends);
    mwi_mpi_links_fini(&mpi->links);
    mwi_mpi_near_fini(&mpi->near);
    mwi_mpi_ranks_close(&mpi->ranks);
    free(mpi);
}

static mw_error open_transport(struct mwi_mpi_transport *mpi, mw_reason *why)
{
    mw_error error = mwi_mpi_ranks_open(&mpi->ranks, mpi->config.environment, why);
    bool is_ready;
    if (error != MW_OK)
        return error;
    is_ready = mwi_mpi_links_init(&mpi->links, mpi->ranks.size) == MW_OK &&
               mwi_mpi_near_init(&mpi->near, &mpi->ranks) == MW_OK &&
               mwi_mpi_receives_init(&mpi->receives, &mpi->near, &mpi->ranks, why) == MW_OK;
    error = mwi_mpi_ranks_agree(&mpi->ranks, is_ready, (int64_t)mpi->config.frame_bytes_max, why);
    return error == MW_OK ? mwi_mpi_near_meet(&mpi->near, &mpi->ranks, why) : error;
}

static mw_error mpi_open(void **transport, const mw_transport_config *config, mw_reason *why)
{
    struct mwi_mpi_transport *mpi;
    mw_error error;
    if (config->events == NULL)
        return mwi_mpi_ranks_decline(config->environment, why);
    if (config->frame_bytes_max > MW_FRAME_BYTES_MAX) {
        (void)mwi_mpi_ranks_decline(config->environment, why);
        return mwi_mpi_why_fail(why, MW_EINVAL, "mpi: a frame limit of %zu is over %llu",
                                config->frame_bytes_max, (unsigned long long)MW_FRAME_BYTES_MAX);
    }
    mpi = calloc(1, sizeof *mpi);
    if (mpi == NULL) {
        (void)mwi_mpi_ranks_decline(config->environment, why);
        return mwi_mpi_why_fail(why, MW_ENOMEM, "out of memory");
    }
    const mw_mpi_environment *environment = config->environment;
    mpi->config = *config;
    mpi->ending = environment == NULL ? NULL : environment->ending;
    mpi->sends.near = &mpi->near;
    mpi->near.offer_fd = -1;
    mwi_backoff_init(&mpi->backoff, config->wait);
    error = open_transport(mpi, why);
    if (error != MW_OK)
        free_transport(mpi);
    else
        *transport = mpi;
    return error;
}

/* Reads "rank 3" or "3" as 3. Returns -1 for any other text. */
static int read_rank(const char *address)
{
    char *end;
    long rank;
    if (strncmp(address, RANK_PREFIX, strlen(RANK_PREFIX)) == 0)
        address += strlen(RANK_PREFIX);
    if (address[0] < '0' || address[0] > '9')
        return -1;
    rank = strtol(address, &end, 10);
    return *end == '\0' && rank <= INT_MAX ? (int)rank : -1;
}

static mw_error mpi_listen(void *transport, const char *address, char *bound, size_t size,
                           mw_reason *why)
{
    struct mwi_mpi_transport *mpi = transport;
    int length;
    if (!mwi_mpi_start_may_call(&mpi->ranks.threads))
        return mwi_mpi_start_fail_thread(why);
    if (address[0] != '\0' && read_rank(address) != (int)mpi->ranks.own.parent_rank)
        return mwi_mpi_why_fail(why, MW_EINVAL,
                                "\"%.100s\" is no address to listen at: this process is rank %d",
                                address, (int)mpi->ranks.own.parent_rank);
    length = snprintf(bound, size, RANK_PREFIX "%d", (int)mpi->ranks.own.parent_rank);
    if (length < 0 || (size_t)length >= size)
        return mwi_mpi_why_fail(why, MW_EINVAL, "no room for the address");
    mpi->is_listening = true;
    return MW_OK;
}

static mw_error mpi_connect(void *transport, const char *address, mw_peer *peer, mw_reason *why)
{
    struct mwi_mpi_transport *mpi = transport;
    int parent_rank = read_rank(address);
    int rank = mwi_mpi_ranks_find(&mpi->ranks, parent_rank);
    if (!mwi_mpi_start_may_call(&mpi->ranks.threads))
        return mwi_mpi_start_fail_thread(why);
    if (parent_rank < 0 || parent_rank >= mpi->ranks.parent_size)
        return mwi_mpi_why_fail(why, MW_EINVAL, "\"%.100s\" is no rank: they are 0 to %d", address,
                                mpi->ranks.parent_size - 1);
    if (rank < 0)
        return mwi_mpi_why_fail(why, MW_EUNAVAILABLE, "rank %d does not take part", parent_rank);
    if (rank == mpi->ranks.rank)
        return mwi_mpi_why_fail(why, MW_EINVAL, "rank %d is this process itself", parent_rank);
    return mwi_mpi_protocol_connect(mpi, rank, peer, why);
}

static mw_error mpi_send(void *transport, mw_peer peer, void *frame, size_t size,
                         const mw_body *body)
{
    return mwi_mpi_protocol_send(transport, peer, frame, size, body);
}

static void mpi_drop(void *transport, mw_peer peer)
{
    struct mwi_mpi_transport *mpi = transport;
    struct mwi_mpi_link_entry *link = mwi_mpi_links_of_peer(&mpi->links, peer);
    if (link != NULL)
        mwi_mpi_protocol_leave(mpi, link);
}

/* Sleeps for `nap_ns`, or until wake_fd is readable or a signal came. Returns whether it was cut
 * short. */
static bool nap(int wake_fd, int64_t duration_ns)
{
    struct pollfd wake = {.fd = wake_fd, .events = POLLIN};
    struct timespec duration = {.tv_sec = duration_ns / MWI_NS_PER_S,
                                .tv_nsec = duration_ns % MWI_NS_PER_S};
    return ppoll(&wake, wake_fd >= 0 ? 1 : 0, &duration, NULL) != 0;
}

/* Waits a little, as the back-off says, but not beyond the deadline. Returns whether something
 * other than MPI ended the wait. */
static bool wait_a_little(struct mwi_mpi_transport *mpi, int wake_fd, int64_t now_ns,
                          int64_t deadline_ns)
{
    int64_t nap_ns;
    mwi_backoff_quiet(&mpi->backoff, now_ns);
    nap_ns = mwi_backoff_next(&mpi->backoff, now_ns, mpi->sends.bytes + mpi->receives.bytes);
    if (nap_ns == MWI_BACKOFF_SPIN)
        return false;
    if (nap_ns == MWI_BACKOFF_YIELD) {
        sched_yield();
        mwi_backoff_yielded(&mpi->backoff, now_ns, mwi_clock_monotonic_ns());
        return false;
    }
    return nap(wake_fd, nap_ns < deadline_ns - now_ns ? nap_ns : deadline_ns - now_ns);
}

static bool is_woken(const struct mwi_mpi_transport *mpi)
{
    return mpi->config.wake_fd >= 0 && nap(mpi->config.wake_fd, 0);
}

/* Returns for the reasons in mw/transport.h, and also when a send is done that was not done at
 * once, so that a caller that counts the bodies it has released notices. */
static mw_error mpi_poll(void *transport, int64_t deadline, mw_reason *why)
{
    struct mwi_mpi_transport *mpi = transport;
    uint64_t events_count = mpi->events_count;
    size_t done_count = 0;
    if (!mwi_mpi_start_may_call(&mpi->ranks.threads))
        return mwi_mpi_start_fail_thread(why);
    for (unsigned looks_count = 1;; looks_count++) {
        mw_error error = mwi_mpi_protocol_look(mpi, &done_count, why);
        int64_t now_ns;
        if (error != MW_OK)
            return error;
        if (mpi->events_count != events_count || done_count > 0) {
            mwi_backoff_active(&mpi->backoff);
            return MW_OK;
        }
        if (deadline == INT64_MIN)
            return MW_OK;
        now_ns = mwi_clock_monotonic_ns();
        if (now_ns >= deadline || wait_a_little(mpi, mpi->config.wake_fd, now_ns, deadline))
            return MW_OK;
        if (looks_count % LOOKS_PER_WAKE_CHECK == 0 && is_woken(mpi))
            return MW_OK;
    }
}

/* Ends the job if the caller wants that for ranks that are late. Returns the time until which they
 * are waited for. */
static int64_t check_ending(const struct mwi_mpi_transport *mpi, int64_t now_ns)
{
    const mw_mpi_ending *ending = mpi->ending;
    if (ending == NULL || now_ns < ending->deadline_ns)
        return ending == NULL ? INT64_MAX : ending->deadline_ns;
    if (ending->late != NULL) {
        ending->late(ending->context);
        nap(-1, TELLING_NS);
    }
    MPI_Abort(MPI_COMM_WORLD, ending->status);
    return INT64_MAX;
}

/* Looks until every rank has come to its close and no message is on its way to or from us. A rank
 * enters the barrier only when all its links have ended. After that it makes no new link, and
 * answers here the late ends of other ranks' links. */
static mw_error part(struct mwi_mpi_transport *mpi, mw_reason *why)
{
    MPI_Request barrier = MPI_REQUEST_NULL;
    int is_passed = 0;
    bool is_entered = false;
    size_t done_count = 0;
    mw_error error = MW_OK;
    mwi_backoff_active(&mpi->backoff);
    while (error == MW_OK && !(is_passed && mwi_mpi_protocol_quiet(mpi))) {
        error = mwi_mpi_protocol_look(mpi, &done_count, why);
        if (error == MW_OK && !is_entered && mwi_mpi_protocol_quiet(mpi)) {
            error = mwi_mpi_why_check(MPI_Ibarrier(mpi->ranks.comm, &barrier), "MPI_Ibarrier", why);
            is_entered = true;
        }
        if (error == MW_OK && is_entered && !is_passed)
            error = mwi_mpi_why_check(MPI_Test(&barrier, &is_passed, MPI_STATUS_IGNORE), "MPI_Test",
                                      why);
        int64_t now_ns = mwi_clock_monotonic_ns();
        int64_t deadline_ns = is_passed ? INT64_MAX : check_ending(mpi, now_ns);
        if (!is_passed)
            wait_a_little(mpi, -1, now_ns, deadline_ns);
    }
    return error;
}

static size_t mpi_peers_max(void *transport)
{
    const struct mwi_mpi_transport *mpi = transport;
    return (size_t)mpi->ranks.size - 1;
}

/* MPI has no descriptor to wait for. */
static int mpi_fd(void *transport)
{
    (void)transport;
    return -1;
}

static void mpi_close(void *transport)
{
    struct mwi_mpi_transport *mpi = transport;
    mw_reason why;
    if (mpi == NULL)
        return;
    mpi->is_listening = false;
    if (mwi_mpi_start_is_usable()) {
        mwi_mpi_protocol_leave_all(mpi);
        (void)part(mpi, &why);
    }
    free_transport(mpi);
}

static mw_error start_job(mw_mpi_job *job, mw_reason *why)
{
    bool must_stop;
    mw_error error = mwi_mpi_start(true, &must_stop, why);
    if (error != MW_OK)
        return error;
    *job = (mw_mpi_job){.must_stop = must_stop};
    mwi_mpi_start_name(job->library, sizeof job->library);
    error = mwi_mpi_why_check(MPI_Comm_rank(MPI_COMM_WORLD, &job->rank), "MPI_Comm_rank", why);
    if (error == MW_OK)
        error = mwi_mpi_why_check(MPI_Comm_size(MPI_COMM_WORLD, &job->size), "MPI_Comm_size", why);
    return error;
}

static void stop_job(mw_mpi_job *job)
{
    if (job->must_stop && mwi_mpi_start_is_usable())
        MPI_Finalize();
    job->must_stop = false;
}

static void abort_job(int status)
{
    MPI_Abort(MPI_COMM_WORLD, status);
}

static const mw_mpi_job_api job_api = {.start = start_job, .stop = stop_job, .abort = abort_job};

const mw_transport_api mw_transport_module = {
    .version = MW_TRANSPORT_VERSION,
    .scheme = "mpi",
    .sleeps = false,
    .open = mpi_open,
    .listen = mpi_listen,
    .connect = mpi_connect,
    .send = mpi_send,
    .drop = mpi_drop,
    .poll = mpi_poll,
    .peers_max = mpi_peers_max,
    .fd = mpi_fd,
    .now = mpi_now,
    .close = mpi_close,
    .job = &job_api,
};

/* SPDX-License-Identifier: Apache-2.0
 *
 * Opens and closes the communicators, for mpi.c.
 *
 * Invariants: the caller's communicator is only read. Its error handler stays, though MPI calls it
 * if the split fails. Only a rank that initialised MPI here finalises it. To tell all ranks another
 * fact of each rank, add an int64_t to struct mwi_mpi_card.
 *
 * Our communicator is made by MPI_Comm_split. MPI_Comm_dup would call the caller's attribute
 * functions, and no rank could stay out. The second communicator, for parts, is a duplicate of
 * ours. The ranks exchange their largest frames here, so that no rank ever sends a frame that
 * another cannot take: MPI has no way to refuse a message, and Open MPI 4.1 writes past the buffer
 * of a receive that truncates a large one.
 */
#include "ranks.h"

#include <stdlib.h>

static mw_error check_parent(MPI_Comm parent, mw_reason *why)
{
    int is_inter = 0;
    mw_error error;
    if (parent == MPI_COMM_NULL)
        return mwi_mpi_why_fail(why, MW_EINVAL,
                                "the communicator is MPI_COMM_NULL: this process is not in it");
    error = mwi_mpi_why_check(MPI_Comm_test_inter(parent, &is_inter), "MPI_Comm_test_inter", why);
    if (error == MW_OK && is_inter)
        return mwi_mpi_why_fail(why, MW_EINVAL, "the communicator is an inter-communicator");
    return error;
}

/* Collective. Ranks that decline get MPI_COMM_NULL. */
static mw_error split(MPI_Comm parent, bool takes_part, MPI_Comm *comm, mw_reason *why)
{
    mw_error error = check_parent(parent, why);
    if (error == MW_OK)
        error = mwi_mpi_why_check(MPI_Comm_split(parent, takes_part ? 0 : MPI_UNDEFINED, 0, comm),
                                  "MPI_Comm_split", why);
    return error;
}

static mw_error measure(struct mwi_mpi_ranks *ranks, MPI_Comm parent, mw_reason *why)
{
    int parent_rank = 0;
    mw_error error = mwi_mpi_why_check(MPI_Comm_set_errhandler(ranks->comm, MPI_ERRORS_RETURN),
                                       "MPI_Comm_set_errhandler", why);
    if (error == MW_OK)
        error =
            mwi_mpi_why_check(MPI_Comm_dup(ranks->comm, &ranks->parts_comm), "MPI_Comm_dup", why);
    if (error == MW_OK)
        error = mwi_mpi_why_check(MPI_Comm_size(ranks->comm, &ranks->size), "MPI_Comm_size", why);
    if (error == MW_OK)
        error = mwi_mpi_why_check(MPI_Comm_rank(ranks->comm, &ranks->rank), "MPI_Comm_rank", why);
    if (error == MW_OK)
        error = mwi_mpi_why_check(MPI_Comm_rank(parent, &parent_rank), "MPI_Comm_rank", why);
    if (error == MW_OK)
        error = mwi_mpi_why_check(MPI_Comm_size(parent, &ranks->parent_size), "MPI_Comm_size", why);
    ranks->own.parent_rank = parent_rank;
    return error;
}

/* Open MPI and MPICH keep MPI_TAG_UB on every communicator; the standard promises it only for
 * MPI_COMM_WORLD. */
static mw_error read_tag_max(struct mwi_mpi_ranks *ranks, mw_reason *why)
{
    int *value = NULL;
    int found = 0;
    mw_error error = mwi_mpi_why_check(
        MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, &value, &found), "MPI_Comm_get_attr", why);
    ranks->tag_max = found != 0 ? *value : 32767;
    return error;
}

static mw_error join(struct mwi_mpi_ranks *ranks, MPI_Comm parent, mw_reason *why)
{
    mw_error error = split(parent, true, &ranks->comm, why);
    if (error == MW_OK)
        error = measure(ranks, parent, why);
    if (error == MW_OK)
        error = read_tag_max(ranks, why);
    return error;
}

static bool has_communicator(const mw_mpi_environment *environment)
{
    return environment != NULL && environment->comm != NULL;
}

static MPI_Comm parent_of(const mw_mpi_environment *environment)
{
    return has_communicator(environment) ? *(MPI_Comm *)environment->comm : MPI_COMM_WORLD;
}

static mw_error start(struct mwi_mpi_ranks *ranks, const mw_mpi_environment *environment,
                      bool may_initialize, mw_reason *why)
{
    mw_error error = mwi_mpi_start_check_kind(environment == NULL ? NULL : environment->kind, why);
    if (error == MW_OK)
        error = mwi_mpi_start(may_initialize, &ranks->must_finalize, why);
    if (error == MW_OK)
        error = mwi_mpi_start_threads(&ranks->threads, why);
    return error;
}

mw_error mwi_mpi_ranks_open(struct mwi_mpi_ranks *ranks, const mw_mpi_environment *environment,
                            mw_reason *why)
{
    mw_error error;
    *ranks = (struct mwi_mpi_ranks){.comm = MPI_COMM_NULL, .parts_comm = MPI_COMM_NULL};
    ranks->own.master_rank = environment == NULL ? -1 : environment->master_rank;
    error = start(ranks, environment, !has_communicator(environment), why);
    if (error == MW_OK)
        error = join(ranks, parent_of(environment), why);
    return error;
}

mw_error mwi_mpi_ranks_decline(const mw_mpi_environment *environment, mw_reason *why)
{
    MPI_Comm none = MPI_COMM_NULL;
    mw_error error = start(&(struct mwi_mpi_ranks){0}, environment, false, why);
    return error == MW_OK ? split(parent_of(environment), false, &none, why) : error;
}

int mwi_mpi_ranks_find(const struct mwi_mpi_ranks *ranks, int parent_rank)
{
    for (int i = 0; i < ranks->size; i++)
        if (ranks->cards[i].parent_rank == parent_rank)
            return i;
    return -1;
}

static mw_error check_masters(const struct mwi_mpi_ranks *ranks, mw_reason *why)
{
    const struct mwi_mpi_card *first = NULL;
    for (int i = 0; i < ranks->size; i++) {
        const struct mwi_mpi_card *card = &ranks->cards[i];
        if (card->master_rank < 0)
            continue;
        if (first != NULL && card->master_rank != first->master_rank)
            return mwi_mpi_why_fail(
                why, MW_EINVAL,
                "the ranks name different masters: rank %lld says %lld, rank %lld "
                "says %lld",
                (long long)first->parent_rank, (long long)first->master_rank,
                (long long)card->parent_rank, (long long)card->master_rank);
        first = card;
    }
    return MW_OK;
}

mw_error mwi_mpi_ranks_agree(struct mwi_mpi_ranks *ranks, bool is_ready, int64_t frame_bytes_max,
                             mw_reason *why)
{
    enum { CARD_COUNT = sizeof(struct mwi_mpi_card) / sizeof(int64_t) };
    int own = is_ready;
    int all = 0;
    mw_error error;

    ranks->own.frame_bytes_max = frame_bytes_max;
    ranks->cards = calloc((size_t)ranks->size, sizeof *ranks->cards);
    if (ranks->cards == NULL)
        own = 0;
    error = mwi_mpi_why_check(MPI_Allreduce(&own, &all, 1, MPI_INT, MPI_MIN, ranks->comm),
                              "MPI_Allreduce", why);
    if (error == MW_OK && own == 0)
        return mwi_mpi_why_fail(why, MW_ENOMEM, "out of memory");
    if (error == MW_OK && all == 0)
        return mwi_mpi_why_fail(why, MW_ENETWORK,
                                "another process has no memory for its transport");
    if (error == MW_OK)
        error = mwi_mpi_why_check(MPI_Allgather(&ranks->own, CARD_COUNT, MPI_INT64_T, ranks->cards,
                                                CARD_COUNT, MPI_INT64_T, ranks->comm),
                                  "MPI_Allgather", why);
    return error == MW_OK ? check_masters(ranks, why) : error;
}

void mwi_mpi_ranks_close(struct mwi_mpi_ranks *ranks)
{
    if (mwi_mpi_start_is_usable()) {
        if (ranks->parts_comm != MPI_COMM_NULL)
            MPI_Comm_free(&ranks->parts_comm);
        if (ranks->comm != MPI_COMM_NULL)
            MPI_Comm_free(&ranks->comm);
        if (ranks->must_finalize)
            MPI_Finalize();
    }
    free(ranks->cards);
    ranks->cards = NULL;
}

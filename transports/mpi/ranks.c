/* SPDX-License-Identifier: Apache-2.0
 *
 * Opening and closing the communicators. What belongs to the caller is left alone: its communicator
 * is only read, that one's error handler stays, though it is told if MPI fails in the split, and
 * MPI is finalised only by who initialised it. Ours is made by MPI_Comm_split and not by
 * MPI_Comm_dup, which would call the caller's attribute functions, and which no rank could stay out
 * of; the second one, for parts, is a duplicate of it. The largest frames of all ranks are
 * exchanged here, so that no rank ever sends what another will not take: MPI has no way to refuse a
 * message, and Open MPI 4.1 writes past the buffer of a receive that truncates a large one.
 */
#include "ranks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

mw_error mwi_mpi_fail(mw_reason *why, mw_error error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(why->text, sizeof why->text, format, arguments);
    va_end(arguments);
    return error;
}

mw_error mwi_mpi_explain(int code, const char *call, mw_reason *why)
{
    char text[MPI_MAX_ERROR_STRING] = "unknown error";
    int length;

    MPI_Error_string(code, text, &length);
    return mwi_mpi_fail(why, MW_ENETWORK, "%s: %.200s", call, text);
}

bool mwi_mpi_world_usable(void)
{
    int initialized = 0;
    int finalized = 0;

    MPI_Initialized(&initialized);
    MPI_Finalized(&finalized);
    return initialized && !finalized;
}

static mw_error initialize(struct mwi_mpi_world *world, mw_reason *why)
{
    int provided;
    mw_error error =
        mwi_mpi_check(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided), "MPI_Init", why);

    world->finalize = error == MW_OK;
    return error;
}

/* The standard asks a program that is not alone with its threads for MPI_THREAD_FUNNELED, and who
 * embeds a farm does not know what threads its libraries make. Below MPI_THREAD_SERIALIZED only the
 * thread that initialised MPI may call it. */
static mw_error check_thread(mw_reason *why)
{
    int provided = MPI_THREAD_SINGLE;
    int is_main = 0;
    mw_error error = mwi_mpi_check(MPI_Query_thread(&provided), "MPI_Query_thread", why);

    if (error == MW_OK)
        error = mwi_mpi_check(MPI_Is_thread_main(&is_main), "MPI_Is_thread_main", why);
    if (error == MW_OK && provided < MPI_THREAD_FUNNELED)
        return mwi_mpi_fail(why, MW_EUNAVAILABLE,
                            "MPI was initialised with MPI_THREAD_SINGLE, as MPI_Init does: call "
                            "MPI_Init_thread and ask for MPI_THREAD_FUNNELED");
    if (error == MW_OK && !is_main && provided < MPI_THREAD_SERIALIZED)
        return mwi_mpi_fail(why, MW_EUNAVAILABLE,
                            "MPI was initialised by another thread, at a level that lets no other "
                            "thread call it: ask MPI_Init_thread for MPI_THREAD_SERIALIZED");
    return error;
}

static mw_error start_mpi(struct mwi_mpi_world *world, bool may_initialize, mw_reason *why)
{
    int finalized = 0;

    MPI_Finalized(&finalized);
    if (finalized)
        return mwi_mpi_fail(why, MW_EUNAVAILABLE,
                            "MPI was already finalised: it cannot be used again in this process");
    if (mwi_mpi_world_usable())
        return check_thread(why);
    if (!may_initialize)
        return mwi_mpi_fail(why, MW_EUNAVAILABLE,
                            "a communicator is given, but MPI is not initialised");
    return initialize(world, why);
}

static mw_error check_parent(MPI_Comm parent, mw_reason *why)
{
    int is_inter = 0;
    mw_error error;

    if (parent == MPI_COMM_NULL)
        return mwi_mpi_fail(why, MW_EINVAL,
                            "the communicator is MPI_COMM_NULL: this process is not in it");
    error = mwi_mpi_check(MPI_Comm_test_inter(parent, &is_inter), "MPI_Comm_test_inter", why);
    if (error == MW_OK && is_inter)
        return mwi_mpi_fail(why, MW_EINVAL, "the communicator is an inter-communicator");
    return error;
}

/* Collective. Those that decline get MPI_COMM_NULL. */
static mw_error split(MPI_Comm parent, bool takes_part, MPI_Comm *comm, mw_reason *why)
{
    mw_error error = check_parent(parent, why);

    if (error == MW_OK)
        error = mwi_mpi_check(MPI_Comm_split(parent, takes_part ? 0 : MPI_UNDEFINED, 0, comm),
                              "MPI_Comm_split", why);
    return error;
}

static mw_error measure(struct mwi_mpi_world *world, MPI_Comm parent, mw_reason *why)
{
    int parent_rank = 0;
    mw_error error = mwi_mpi_check(MPI_Comm_set_errhandler(world->comm, MPI_ERRORS_RETURN),
                                   "MPI_Comm_set_errhandler", why);

    if (error == MW_OK)
        error = mwi_mpi_check(MPI_Comm_dup(world->comm, &world->parts_comm), "MPI_Comm_dup", why);
    if (error == MW_OK)
        error = mwi_mpi_check(MPI_Comm_size(world->comm, &world->size), "MPI_Comm_size", why);
    if (error == MW_OK)
        error = mwi_mpi_check(MPI_Comm_rank(world->comm, &world->rank), "MPI_Comm_rank", why);
    if (error == MW_OK)
        error = mwi_mpi_check(MPI_Comm_rank(parent, &parent_rank), "MPI_Comm_rank", why);
    if (error == MW_OK)
        error = mwi_mpi_check(MPI_Comm_size(parent, &world->parent_size), "MPI_Comm_size", why);
    world->own.parent_rank = parent_rank;
    return error;
}

/* Open MPI and MPICH keep MPI_TAG_UB on every communicator; the standard promises it only for
 * MPI_COMM_WORLD. */
static mw_error read_tag_max(struct mwi_mpi_world *world, mw_reason *why)
{
    int *value = NULL;
    int found = 0;
    mw_error error = mwi_mpi_check(MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, &value, &found),
                                   "MPI_Comm_get_attr", why);

    world->tag_max = found ? *value : 32767;
    return error;
}

static mw_error join(struct mwi_mpi_world *world, MPI_Comm parent, mw_reason *why)
{
    mw_error error = split(parent, true, &world->comm, why);

    if (error == MW_OK)
        error = measure(world, parent, why);
    if (error == MW_OK)
        error = read_tag_max(world, why);
    return error;
}

/* MPI_COMM_WORLD is what nobody has given. */
static MPI_Comm parent_of(const mw_mpi_environment *environment)
{
    return environment == NULL ? MPI_COMM_WORLD : *(MPI_Comm *)environment->comm;
}

mw_error mwi_mpi_world_open(struct mwi_mpi_world *world, const mw_mpi_environment *environment,
                            mw_reason *why)
{
    mw_error error;

    *world = (struct mwi_mpi_world){.comm = MPI_COMM_NULL, .parts_comm = MPI_COMM_NULL};
    world->own.master_rank = environment == NULL ? -1 : environment->master_rank;
    error = start_mpi(world, environment == NULL, why);
    if (error == MW_OK)
        error = join(world, parent_of(environment), why);
    return error;
}

mw_error mwi_mpi_world_decline(const mw_mpi_environment *environment, mw_reason *why)
{
    MPI_Comm none = MPI_COMM_NULL;
    mw_error error = start_mpi(&(struct mwi_mpi_world){0}, false, why);

    return error == MW_OK ? split(parent_of(environment), false, &none, why) : error;
}

int mwi_mpi_world_find(const struct mwi_mpi_world *world, int parent_rank)
{
    for (int i = 0; i < world->size; i++)
        if (world->cards[i].parent_rank == parent_rank)
            return i;
    return -1;
}

static mw_error check_masters(const struct mwi_mpi_world *world, mw_reason *why)
{
    const struct mwi_mpi_card *first = NULL;

    for (int i = 0; i < world->size; i++) {
        const struct mwi_mpi_card *card = &world->cards[i];

        if (card->master_rank < 0)
            continue;
        if (first != NULL && card->master_rank != first->master_rank)
            return mwi_mpi_fail(why, MW_EINVAL,
                                "the ranks name different masters: rank %lld says %lld, rank %lld "
                                "says %lld",
                                (long long)first->parent_rank, (long long)first->master_rank,
                                (long long)card->parent_rank, (long long)card->master_rank);
        first = card;
    }
    return MW_OK;
}

mw_error mwi_mpi_world_agree(struct mwi_mpi_world *world, bool is_ready, int64_t frame_bytes_max,
                             mw_reason *why)
{
    enum { CARD_COUNT = sizeof(struct mwi_mpi_card) / sizeof(int64_t) };
    int own = is_ready;
    int all = 0;
    mw_error error;

    world->own.frame_bytes_max = frame_bytes_max;
    world->cards = calloc((size_t)world->size, sizeof *world->cards);
    if (world->cards == NULL)
        own = 0;
    error = mwi_mpi_check(MPI_Allreduce(&own, &all, 1, MPI_INT, MPI_MIN, world->comm),
                          "MPI_Allreduce", why);
    if (error == MW_OK && !own)
        return mwi_mpi_fail(why, MW_ENOMEM, "out of memory");
    if (error == MW_OK && !all)
        return mwi_mpi_fail(why, MW_ENETWORK, "another process has no memory for its transport");
    if (error == MW_OK)
        error = mwi_mpi_check(MPI_Allgather(&world->own, CARD_COUNT, MPI_INT64_T, world->cards,
                                            CARD_COUNT, MPI_INT64_T, world->comm),
                              "MPI_Allgather", why);
    return error == MW_OK ? check_masters(world, why) : error;
}

void mwi_mpi_world_close(struct mwi_mpi_world *world)
{
    if (mwi_mpi_world_usable()) {
        if (world->parts_comm != MPI_COMM_NULL)
            MPI_Comm_free(&world->parts_comm);
        if (world->comm != MPI_COMM_NULL)
            MPI_Comm_free(&world->comm);
        if (world->finalize)
            MPI_Finalize();
    }
    free(world->cards);
    world->cards = NULL;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory that a rank shares with the master over the mpi transport: one process has both ends,
 * each with a mapping of its own.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "mwt_run.h"

/* The mappings of a slave and of its master. */
struct ends {
    struct mwi_mpi_memory_place place;
    struct mwi_mpi_mapping *slave, *master;
    int fd;
};

static void open_ends(struct ends *ends)
{
    ends->slave = mwi_mpi_memory_make(&ends->place, &ends->fd);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ends->slave);
    ends->master = mwi_mpi_memory_open(&ends->place);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ends->master);
    close(ends->fd);
}

static void close_ends(struct ends *ends)
{
    mwi_mpi_memory_close(ends->slave);
    mwi_mpi_memory_close(ends->master);
}

/* Puts a text into a slot, as the slave does. Returns the index of the slot. */
static size_t put(struct ends *ends, const char *text)
{
    struct mwi_mpi_memory *memory = mwi_mpi_memory_of(ends->slave);
    struct mwi_mpi_slot *slot = mwi_mpi_memory_find_slot(memory);
    CU_ASSERT_PTR_NOT_NULL_FATAL(slot);
    strcpy((char *)slot->bytes, text);
    atomic_store(&slot->is_taken, true);
    return (size_t)(slot - memory->slots);
}

/* A message that one end writes is read by the other, in both directions. */
static void test_rings(void)
{
    struct ends ends;
    int tag;
    unsigned char *data;
    size_t size;
    open_ends(&ends);
    struct mwi_mpi_ring_writer writer = {.ring = &mwi_mpi_memory_of(ends.master)->from_master};
    struct mwi_mpi_ring_reader reader = {.ring = &mwi_mpi_memory_of(ends.slave)->from_master};

    CU_ASSERT_TRUE(mwi_mpi_ring_put(&writer, 5, "task", 4));
    CU_ASSERT_TRUE_FATAL(mwi_mpi_ring_look(&reader, &tag, &data, &size));
    CU_ASSERT_EQUAL(tag, 5);
    CU_ASSERT_EQUAL(memcmp(data, "task", 4), 0);
    close_ends(&ends);
}

/* A slot is free again when its frame was given back, and no sooner. */
static void test_slots(void)
{
    struct ends ends;
    void *blocks[MWI_MPI_SLOTS_COUNT];
    unsigned char *data;
    open_ends(&ends);

    for (size_t i = 0; i < MWI_MPI_SLOTS_COUNT; i++)
        blocks[i] = mwi_mpi_memory_lend(ends.master, put(&ends, "a result"), &data);
    CU_ASSERT_STRING_EQUAL((char *)data, "a result");
    CU_ASSERT_PTR_NULL(mwi_mpi_memory_find_slot(mwi_mpi_memory_of(ends.slave)));
    mwi_mpi_memory_give_back(blocks[3]);
    CU_ASSERT_EQUAL(put(&ends, "another"), 3);
    for (size_t i = 0; i < MWI_MPI_SLOTS_COUNT; i++)
        if (i != 3)
            mwi_mpi_memory_give_back(blocks[i]);
    close_ends(&ends);
}

/* A slot that is lent is not lent again, nor one that does not exist. A loan that is undone leaves
 * the frame in its slot. */
static void test_loans(void)
{
    struct ends ends;
    unsigned char *data = NULL;
    open_ends(&ends);
    size_t index = put(&ends, "a result");

    CU_ASSERT_PTR_NULL(mwi_mpi_memory_lend(ends.master, MWI_MPI_SLOTS_COUNT, &data));
    mwi_mpi_memory_unlend(mwi_mpi_memory_lend(ends.master, index, &data));
    void *block = mwi_mpi_memory_lend(ends.master, index, &data);
    CU_ASSERT_PTR_NOT_NULL_FATAL(block);
    CU_ASSERT_STRING_EQUAL((char *)data, "a result");
    CU_ASSERT_PTR_NULL(mwi_mpi_memory_lend(ends.master, index, &data));
    mwi_mpi_memory_give_back(block);
    close_ends(&ends);
}

/* A frame that is kept outlives both ends. */
static void test_outlive(void)
{
    struct ends ends;
    unsigned char *data;
    open_ends(&ends);
    void *block = mwi_mpi_memory_lend(ends.master, put(&ends, "kept"), &data);

    close_ends(&ends);
    CU_ASSERT_STRING_EQUAL((char *)data, "kept");
    mwi_mpi_memory_give_back(block);
}

/* Another file at the place, or none, is not taken for the memory. */
static void test_strange_place(void)
{
    struct ends ends;
    open_ends(&ends);
    struct mwi_mpi_memory_place closed = ends.place, stale = ends.place;
    int fd;
    struct mwi_mpi_mapping *other = mwi_mpi_memory_make(&ends.place, &fd);
    CU_ASSERT_PTR_NOT_NULL_FATAL(other);
    stale.fd = fd;
    stale.stamp = ends.place.stamp + 1;

    CU_ASSERT_PTR_NULL(mwi_mpi_memory_open(&stale));
    close(fd);
    CU_ASSERT_PTR_NULL(mwi_mpi_memory_open(&closed));
    mwi_mpi_memory_close(other);
    close_ends(&ends);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"rings", test_rings},
        {"slots", test_slots},
        {"loans", test_loans},
        {"a frame that is kept", test_outlive},
        {"a place of something else", test_strange_place},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("mpi memory", tests);
}

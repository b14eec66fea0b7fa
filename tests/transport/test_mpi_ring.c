/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring in shared memory of the mpi transport: both ends in one thread, and each end in a thread
 * of its own.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mwt_run.h"
#include "ring.h"

#define MESSAGES_COUNT 200000

/* Both ends of one ring. */
struct ends {
    struct mwi_mpi_ring *ring;
    struct mwi_mpi_ring_writer writer;
    struct mwi_mpi_ring_reader reader;
    unsigned seed;
};

static void open_ends(struct ends *ends)
{
    *ends = (struct ends){.seed = (unsigned)time(NULL)};
    ends->ring = aligned_alloc(_Alignof(struct mwi_mpi_ring), sizeof *ends->ring);
    CU_ASSERT_PTR_NOT_NULL_FATAL(ends->ring);
    memset(ends->ring, 0xff, sizeof *ends->ring);
    mwi_mpi_ring_init(ends->ring);
    ends->writer.ring = ends->ring;
    ends->reader.ring = ends->ring;
}

/* The size of message `number`: short or long, as it comes. */
static size_t size_of(unsigned seed, unsigned number)
{
    unsigned mixed = (seed + number) * 2654435761u;
    size_t size_max = mixed % 4 == 0 ? MWI_MPI_RING_MESSAGE_MAX : 200;
    return (mixed >> 8) % (size_max + 1);
}

static bool put(struct ends *ends, unsigned number)
{
    static const unsigned char zeros[MWI_MPI_RING_MESSAGE_MAX];
    unsigned char message[MWI_MPI_RING_MESSAGE_MAX];
    size_t size = size_of(ends->seed, number);
    memcpy(message, zeros, size);
    if (size > 0)
        message[0] = message[size - 1] = (unsigned char)(number % 255 + 1);
    return mwi_mpi_ring_put(&ends->writer, (int)number, message, size);
}

/* Whether the next message is that of `number`; false also if there is none. */
static bool take(struct ends *ends, unsigned number, bool *is_there)
{
    int tag;
    unsigned char *data;
    size_t size;
    *is_there = mwi_mpi_ring_look(&ends->reader, &tag, &data, &size);
    if (!*is_there)
        return false;
    unsigned char byte = (unsigned char)(number % 255 + 1);
    bool is_right = tag == (int)number && size == size_of(ends->seed, number) &&
                    (uintptr_t)data % 16 == 0 &&
                    (size == 0 || (data[0] == byte && data[size - 1] == byte));
    mwi_mpi_ring_release(&ends->reader);
    return is_right;
}

/* A message stays until it is released, and a ring without messages has none. */
static void test_one(void)
{
    struct ends ends;
    int tag;
    unsigned char *data;
    size_t size;
    open_ends(&ends);

    CU_ASSERT_FALSE(mwi_mpi_ring_look(&ends.reader, &tag, &data, &size));
    CU_ASSERT_TRUE(mwi_mpi_ring_put(&ends.writer, 7, "hello", 5));
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_TRUE_FATAL(mwi_mpi_ring_look(&ends.reader, &tag, &data, &size));
        CU_ASSERT_EQUAL(tag, 7);
        CU_ASSERT_EQUAL_FATAL(size, 5);
        CU_ASSERT_EQUAL(memcmp(data, "hello", 5), 0);
    }
    mwi_mpi_ring_release(&ends.reader);
    CU_ASSERT_FALSE(mwi_mpi_ring_look(&ends.reader, &tag, &data, &size));
    free(ends.ring);
}

/* Messages of no bytes and of the most bytes arrive. */
static void test_sizes(void)
{
    struct ends ends;
    static unsigned char largest[MWI_MPI_RING_MESSAGE_MAX];
    int tag;
    unsigned char *data;
    size_t size;
    open_ends(&ends);
    largest[MWI_MPI_RING_MESSAGE_MAX - 1] = 1;

    CU_ASSERT_TRUE(mwi_mpi_ring_put(&ends.writer, 0, NULL, 0));
    CU_ASSERT_TRUE(mwi_mpi_ring_put(&ends.writer, INT32_MAX, largest, sizeof largest));
    CU_ASSERT_TRUE_FATAL(mwi_mpi_ring_look(&ends.reader, &tag, &data, &size));
    CU_ASSERT_EQUAL(tag, 0);
    CU_ASSERT_EQUAL(size, 0);
    mwi_mpi_ring_release(&ends.reader);
    CU_ASSERT_TRUE_FATAL(mwi_mpi_ring_look(&ends.reader, &tag, &data, &size));
    CU_ASSERT_EQUAL(tag, INT32_MAX);
    CU_ASSERT_EQUAL_FATAL(size, sizeof largest);
    CU_ASSERT_EQUAL(memcmp(data, largest, sizeof largest), 0);
    free(ends.ring);
}

/* A full ring takes nothing, loses nothing, and takes messages again when it was read. The rounds
 * begin at every place of the ring, so messages meet its end in every way. */
static void test_full(void)
{
    struct ends ends;
    unsigned written = 0, taken = 0, wrong_count = 0;
    open_ends(&ends);

    for (int round = 0; round < 3000; round++) {
        bool is_there = true;
        unsigned before = written;
        while (put(&ends, written))
            written++;
        CU_ASSERT_TRUE(written > before || taken < written);
        for (unsigned keep = (unsigned)round % 5; is_there && written - taken > keep; taken++)
            wrong_count += !take(&ends, taken, &is_there);
    }
    CU_ASSERT_EQUAL(wrong_count, 0);
    CU_ASSERT_TRUE(written > 3000);
    if (wrong_count > 0)
        printf("seed %u\n", ends.seed);
    free(ends.ring);
}

/* A head that no writer of a ring would write breaks the ring for good, wherever it stands: nothing
 * outside of the ring is read. */
static void test_broken(void)
{
    static const uint64_t heads[] = {
        1,                                                  /* neither a message nor a mark */
        UINT64_C(1) << 32,                                  /* two marks, one behind the other */
        (UINT64_C(2) + MWI_MPI_RING_MESSAGE_MAX + 1) << 32, /* over the limit */
        (UINT64_C(2) + 49) << 32,                           /* beyond the end of the ring */
        (UINT64_C(2) + 1) << 32 | UINT32_MAX,               /* a negative tag */
        UINT64_MAX,
    };
    int tag;
    unsigned char *data;
    size_t size;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct ends ends;
        open_ends(&ends);
        ends.reader.read = MWI_MPI_RING_BYTES - MWI_MPI_RING_LINE;
        memcpy(ends.ring->bytes + ends.reader.read, &heads[i], sizeof heads[i]);
        memcpy(ends.ring->bytes, &heads[i], sizeof heads[i]);

        CU_ASSERT_FALSE(mwi_mpi_ring_look(&ends.reader, &tag, &data, &size));
        CU_ASSERT_TRUE(ends.reader.is_broken);
        CU_ASSERT_TRUE(mwi_mpi_ring_put(&ends.writer, 7, "hello", 5));
        CU_ASSERT_FALSE(mwi_mpi_ring_look(&ends.reader, &tag, &data, &size));
        free(ends.ring);
    }
}

static void *write_all(void *context)
{
    struct ends *ends = context;
    for (unsigned i = 0; i < MESSAGES_COUNT; i++)
        while (!put(ends, i))
            sched_yield();
    return NULL;
}

/* A writer and a reader at the same time: all messages arrive whole and in order. */
static void test_together(void)
{
    struct ends ends;
    pthread_t writer;
    unsigned taken = 0, wrong_count = 0;
    open_ends(&ends);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&writer, NULL, write_all, &ends), 0);

    while (taken < MESSAGES_COUNT) {
        bool is_there;
        bool is_right = take(&ends, taken, &is_there);
        wrong_count += is_there && !is_right;
        taken += is_there;
        if (!is_there)
            sched_yield();
    }
    CU_ASSERT_EQUAL(pthread_join(writer, NULL), 0);
    CU_ASSERT_EQUAL(wrong_count, 0);
    if (wrong_count > 0)
        printf("seed %u\n", ends.seed);
    free(ends.ring);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"one message", test_one},      {"sizes", test_sizes},          {"a full ring", test_full},
        {"a broken ring", test_broken}, {"two threads", test_together}, CU_TEST_INFO_NULL,
    };
    return mwt_run("mpi ring", tests);
}

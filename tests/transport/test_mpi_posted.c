/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring of posted receives, in one process that sends to itself. Wrappers of MPI_Start and
 * MPI_Cancel stand in front of MPI's: the first can be told to fail, the second counts.
 */
#include <stdlib.h>

#include <CUnit/Basic.h>
#include <mpi.h>

#include "posted.h"

#define STARTS_UNTOLD (-1)

/* Room for all messages of a test, with what MPI adds. */
#define BUFFER_BYTES (4 * MWI_MPI_POSTED_COUNT * (MPI_BSEND_OVERHEAD + 64))

struct starts {
    int left; /* before one fails; or STARTS_UNTOLD */
    MPI_Request failed;
    int cancels_count;
    int cancels_of_failed;
};

/* MPI's profiling interface hands no context to a wrapper. */
static struct starts starts;

int MPI_Start(MPI_Request *request)
{
    if (starts.left == 0) {
        starts.left = STARTS_UNTOLD;
        starts.failed = *request;
        return MPI_ERR_OTHER;
    }
    if (starts.left > 0)
        starts.left--;
    return PMPI_Start(request);
}

int MPI_Cancel(MPI_Request *request)
{
    starts.cancels_count++;
    starts.cancels_of_failed += *request == starts.failed;
    return PMPI_Cancel(request);
}

static void watch_starts(int left)
{
    starts = (struct starts){.left = left, .failed = MPI_REQUEST_NULL};
}

/* Into MPI's buffer, since nobody may receive it before the process goes on. */
static void send(unsigned char byte, int tag)
{
    CU_ASSERT_EQUAL_FATAL(MPI_Bsend(&byte, 1, MPI_BYTE, 0, tag, MPI_COMM_SELF), MPI_SUCCESS);
}

/* Open MPI may need several tests until it sees a message. */
static struct mwi_mpi_message await(struct mwi_mpi_posted *posted)
{
    struct mwi_mpi_message message = {0};
    mw_reason why;
    bool is_there = false;

    while (!is_there)
        CU_ASSERT_EQUAL_FATAL(mwi_mpi_posted_look(posted, &is_there, &message, &why), MW_OK);
    return message;
}

static void test_order(void)
{
    struct mwi_mpi_posted posted;
    mw_reason why;

    watch_starts(STARTS_UNTOLD);
    CU_ASSERT_EQUAL_FATAL(mwi_mpi_posted_init(&posted, MPI_COMM_SELF, &why), MW_OK);
    for (int i = 0; i < 3 * MWI_MPI_POSTED_COUNT; i++)
        send((unsigned char)i, i);
    for (int i = 0; i < 3 * MWI_MPI_POSTED_COUNT; i++) {
        struct mwi_mpi_message message = await(&posted);

        CU_ASSERT_EQUAL(message.tag, i);
        CU_ASSERT_EQUAL_FATAL(message.size, 1);
        CU_ASSERT_EQUAL(message.data[0], i);
        CU_ASSERT_EQUAL(mwi_mpi_posted_release(&posted, &why), MW_OK);
    }
    mwi_mpi_posted_fini(&posted);
    CU_ASSERT_EQUAL(starts.cancels_count, MWI_MPI_POSTED_COUNT);
}

/* A message that nobody released belongs to the ring until its end. */
static void test_held(void)
{
    struct mwi_mpi_posted posted;
    mw_reason why;

    watch_starts(STARTS_UNTOLD);
    CU_ASSERT_EQUAL_FATAL(mwi_mpi_posted_init(&posted, MPI_COMM_SELF, &why), MW_OK);
    send(7, 1);
    await(&posted);
    CU_ASSERT_EQUAL(await(&posted).data[0], 7);
    mwi_mpi_posted_fini(&posted);
    CU_ASSERT_EQUAL(starts.cancels_count, MWI_MPI_POSTED_COUNT - 1);
}

static void test_no_start(void)
{
    struct mwi_mpi_posted posted;
    mw_reason why;

    watch_starts(MWI_MPI_POSTED_COUNT);
    CU_ASSERT_EQUAL_FATAL(mwi_mpi_posted_init(&posted, MPI_COMM_SELF, &why), MW_OK);
    send(7, 1);
    await(&posted);
    CU_ASSERT_EQUAL(mwi_mpi_posted_release(&posted, &why), MW_ENETWORK);
    mwi_mpi_posted_fini(&posted);
    CU_ASSERT_EQUAL(starts.cancels_of_failed, 0);
    CU_ASSERT_EQUAL(starts.cancels_count, MWI_MPI_POSTED_COUNT - 1);
}

static void test_no_first_start(void)
{
    struct mwi_mpi_posted posted;
    mw_reason why;

    watch_starts(2);
    CU_ASSERT_EQUAL(mwi_mpi_posted_init(&posted, MPI_COMM_SELF, &why), MW_ENETWORK);
    mwi_mpi_posted_fini(&posted);
    CU_ASSERT_EQUAL(starts.cancels_of_failed, 0);
    CU_ASSERT_EQUAL(starts.cancels_count, 2);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        {"order", test_order},
        {"a message that is held", test_held},
        {"a receive that cannot be posted again", test_no_start},
        {"a receive that cannot be posted", test_no_first_start},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {{"mpi posted", NULL, NULL, NULL, NULL, tests}, CU_SUITE_INFO_NULL};
    unsigned failures_count;

    static char buffer[BUFFER_BYTES];
    void *detached;
    int size;

    if (MPI_Init(&argc, &argv) != MPI_SUCCESS ||
        MPI_Buffer_attach(buffer, sizeof buffer) != MPI_SUCCESS ||
        CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS)
        return EXIT_FAILURE;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failures_count = CU_get_number_of_failures();
    CU_cleanup_registry();
    MPI_Buffer_detach(&detached, &size);
    MPI_Finalize();
    return failures_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory that ranks of one machine share: the messages that go through it, and a rank that
 * writes something else there.
 */
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "mpi_cases.h"
#include "tags.h"

/* Counted by a function that the module calls in place of MPI's, as this program exports it. */
static int isends_count;

int MPI_Isend(const void *data, int count, MPI_Datatype type, int rank, int tag, MPI_Comm comm,
              MPI_Request *request)
{
    isends_count++;
    return PMPI_Isend(data, count, type, rank, tag, comm, request);
}

/* Between the master and a rank of its machine, small frames are no messages of MPI; between other
 * ranks they are. */
void mwt_mpi_send_in_rings(struct mwt_mpi_rank *self)
{
    for (int master = 0; master < 2; master++) {
        struct mwt_mpi_end end;

        isends_count = 0;
        mwt_mpi_open_world(self, &end);
        mwt_mpi_run_farm(self, &end, self->rank, self->size, master);
        if (master == 0)
            MWT_MPI_CHECK(self, isends_count == 0);
        else
            MWT_MPI_CHECK(self, (isends_count == 0) == (self->rank == 0));
        mwt_mpi_close_end(self, &end);
    }
}

/* A slave of the master's machine sends it larger frames without MPI too. The master gets them in
 * blocks that it may keep. */
void mwt_mpi_send_in_slots(struct mwt_mpi_rank *self)
{
    struct mwt_mpi_end end;

    isends_count = 0;
    mwt_mpi_open_world(self, &end);
    if (self->rank == 0) {
        mwt_mpi_serve(self, &end, (unsigned)self->size - 1);
        MWT_MPI_CHECK(self, end.blocks_count == end.frames_count);
    } else {
        mwt_mpi_exchange(self, &end, 0, 100000);
        MWT_MPI_CHECK(self, isends_count == 0);
    }
    mwt_mpi_close_end(self, &end);
}

/* The memory that this rank shares with the master; NULL if there is none. */
static struct mwi_mpi_memory *find_memory(void)
{
    uintptr_t address = 0;
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "re");
    while (maps != NULL && address == 0 && fgets(line, sizeof line, maps) != NULL)
        if (strstr(line, "/memfd:mw ") != NULL)
            address = (uintptr_t)strtoull(line, NULL, 16);
    if (maps != NULL)
        fclose(maps);
    return (struct mwi_mpi_memory *)address;
}

/* Fills the ring with heads, each with a note that names a slot that does not exist. */
static void name_no_slot(struct mwi_mpi_ring *ring)
{
    const uint64_t head = (UINT64_C(2) + MWI_MPI_NUMBER_BYTES) << 32 | MWI_MPI_SLOT;
    for (size_t at = 0; at < sizeof ring->bytes; at += MWI_MPI_RING_LINE) {
        memset(ring->bytes + at + 16, MWI_MPI_SLOTS_COUNT, 1);
        memcpy(ring->bytes + at, &head, sizeof head);
    }
}

static void scribble(struct mwt_mpi_rank *self, struct mwt_mpi_end *end, bool has_heads)
{
    struct mwi_mpi_memory *memory = find_memory();

    mwt_mpi_exchange(self, end, 0, 100);
    MWT_MPI_CHECK(self, memory != NULL);
    if (memory != NULL && has_heads)
        name_no_slot(&memory->to_master);
    else if (memory != NULL)
        memset(memory->to_master.bytes, 0xff, sizeof memory->to_master.bytes);
    MWT_MPI_CHECK(self, mwt_mpi_await_downs(end, 1));
}

/* A rank that overwrites its memory goes down at the master, which serves the others as before, and
 * all of them close. */
static void outlive_scribble(struct mwt_mpi_rank *self, bool has_heads)
{
    struct mwt_mpi_end end;

    mwt_mpi_open_world(self, &end);
    if (self->rank == 0) {
        end.does_echo = true;
        mwt_mpi_listen(&end);
        MWT_MPI_CHECK(self, mwt_mpi_await_downs(&end, 1));
        MWT_MPI_CHECK(self, strcmp(end.peers[0].name, "rank 1") == 0 && end.peers[0].is_down);
        MWT_MPI_CHECK(self, strcmp(end.down_reason, "a malformed message in shared memory") == 0);
        MPI_Barrier(MPI_COMM_WORLD);
        MWT_MPI_CHECK(self, mwt_mpi_await_downs(&end, (unsigned)self->size - 1));
        MWT_MPI_CHECK(self, strcmp(end.down_reason, "closed by the peer") == 0);
    } else if (self->rank == 1) {
        scribble(self, &end, has_heads);
        MPI_Barrier(MPI_COMM_WORLD);
    } else {
        MPI_Barrier(MPI_COMM_WORLD);
        mwt_mpi_exchange(self, &end, 0, 100000);
    }
    mwt_mpi_close_end(self, &end);
}

void mwt_mpi_scribble_in_ring(struct mwt_mpi_rank *self)
{
    outlive_scribble(self, false);
    outlive_scribble(self, true);
}

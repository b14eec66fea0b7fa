/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes and reads the rings of near.c, which has one for each direction between two ranks.
 * Messages lie one behind the other, each behind a head. A message that does not fit in before the
 * end of the ring begins at its start; a head of its own marks the rest of the ring as empty.
 *
 * Invariants: the head of a message is written last, and the head of the next one is 0 by then, so
 * the reader never sees a message that is not complete. Head and data of a short message share a
 * cache line, which is all that moves between two processors. The writer leaves a line free behind
 * the last message, for the 0; the reader has no need of the writer's count. The reader reads
 * nothing outside of the ring, whatever the writer did.
 */
#include "ring.h"

#include <assert.h>
#include <string.h>

/* A head is 0, or the tag in the lower half and one of these, plus the size, in the upper half. */
#define SKIP UINT64_C(1)
#define MESSAGE UINT64_C(2)
#define SIZE_SHIFT 32
#define TAG_MASK ((UINT64_C(1) << SIZE_SHIFT) - 1)
/* Keeps the data aligned. */
#define HEAD_BYTES 16

static _Atomic uint64_t *head_at(struct mwi_mpi_ring *ring, uint64_t place)
{
    return (_Atomic uint64_t *)(void *)(ring->bytes + place % MWI_MPI_RING_BYTES);
}

/* With its head, and up to the next line. */
static size_t room_of(size_t size)
{
    return (HEAD_BYTES + size + MWI_MPI_RING_LINE - 1) / MWI_MPI_RING_LINE * MWI_MPI_RING_LINE;
}

static size_t left_at(uint64_t place)
{
    return MWI_MPI_RING_BYTES - place % MWI_MPI_RING_BYTES;
}

void mwi_mpi_ring_init(struct mwi_mpi_ring *ring)
{
    atomic_store(&ring->read, 0);
    atomic_store(head_at(ring, 0), 0);
}

/* Looks at the other process's count only if the room that is known does not do. */
static bool has_room(struct mwi_mpi_ring_writer *writer, size_t size)
{
    uint64_t needed = writer->written + size + MWI_MPI_RING_LINE;
    if (needed - writer->read <= MWI_MPI_RING_BYTES)
        return true;
    writer->read = atomic_load_explicit(&writer->ring->read, memory_order_acquire);
    return needed - writer->read <= MWI_MPI_RING_BYTES;
}

bool mwi_mpi_ring_put(struct mwi_mpi_ring_writer *writer, int tag, const void *data, size_t size)
{
    assert(tag >= 0 && size <= MWI_MPI_RING_MESSAGE_MAX);
    size_t room = room_of(size);
    uint64_t begin = writer->written;
    size_t skipped = room > left_at(begin) ? left_at(begin) : 0;
    if (!has_room(writer, skipped + room))
        return false;
    uint64_t place = begin + skipped;
    _Atomic uint64_t *head = head_at(writer->ring, place);
    if (size > 0)
        memcpy((unsigned char *)head + HEAD_BYTES, data, size);
    writer->written = place + room;
    atomic_store_explicit(head_at(writer->ring, writer->written), 0, memory_order_relaxed);
    atomic_store_explicit(head, (MESSAGE + size) << SIZE_SHIFT | (uint64_t)tag,
                          memory_order_release);
    if (skipped > 0)
        atomic_store_explicit(head_at(writer->ring, begin), SKIP << SIZE_SHIFT,
                              memory_order_release);
    return true;
}

static uint64_t read_head(const struct mwi_mpi_ring_reader *reader)
{
    return atomic_load_explicit(head_at(reader->ring, reader->read), memory_order_acquire);
}

/* A tag that is not negative and a size that fits in. Without MESSAGE the size is huge. */
static bool is_message(uint64_t head, uint64_t place)
{
    uint64_t size = (head >> SIZE_SHIFT) - MESSAGE;
    return (head & TAG_MASK) <= INT32_MAX && size <= MWI_MPI_RING_MESSAGE_MAX &&
           room_of(size) <= left_at(place);
}

bool mwi_mpi_ring_look(struct mwi_mpi_ring_reader *reader, int *tag, unsigned char **data,
                       size_t *size)
{
    uint64_t head = read_head(reader);
    if (head >> SIZE_SHIFT == SKIP) {
        reader->read += left_at(reader->read);
        head = read_head(reader);
    }
    if (head == 0 || reader->is_broken)
        return false;
    if (!is_message(head, reader->read)) {
        reader->is_broken = true;
        return false;
    }
    *tag = (int)(head & TAG_MASK);
    *size = (size_t)((head >> SIZE_SHIFT) - MESSAGE);
    *data = (unsigned char *)head_at(reader->ring, reader->read) + HEAD_BYTES;
    reader->next = reader->read + room_of(*size);
    return true;
}

void mwi_mpi_ring_release(struct mwi_mpi_ring_reader *reader)
{
    assert(reader->next > reader->read);
    reader->read = reader->next;
    atomic_store_explicit(&reader->ring->read, reader->read, memory_order_release);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * A message between two ranks, the fields of its tag, and the numbers that a few messages have as
 * bodies. README.md has the wire form.
 */
#ifndef MWI_MPI_TAGS_H
#define MWI_MPI_TAGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mwi_mpi_kind {
    MWI_MPI_FRAME,
    MWI_MPI_HELLO,
    MWI_MPI_WELCOME,
    MWI_MPI_BYE,
    MWI_MPI_OVERSIZE,
    MWI_MPI_SIZE, /* of a frame that comes in parts */
    MWI_MPI_PART, /* the only kind on the communicator for parts */
    MWI_MPI_SLOT  /* in a ring: the number of the slot that has a frame, and the frame's size */
};

#define MWI_MPI_KIND_BITS 3
#define MWI_MPI_KIND_MASK ((1 << MWI_MPI_KIND_BITS) - 1)
#define MWI_MPI_BY_CONNECTOR (1 << MWI_MPI_KIND_BITS)
#define MWI_MPI_NUMBER_SHIFT (MWI_MPI_KIND_BITS + 1)

/* Between ranks that have no ring, a frame of more bytes goes in parts. Open MPI sends this size
 * over shared memory, and larger ones over TCP, without asking the receiver. */
#define MWI_MPI_SMALL_BYTES ((size_t)4000)

/* The size of a part; the last part of a frame may be smaller. */
#define MWI_MPI_PART_BYTES ((size_t)4 * 1024 * 1024)

/* A number as the body of a message, lowest byte first. */
#define MWI_MPI_NUMBER_BYTES 8

/* A message that came. */
struct mwi_mpi_message {
    int rank;
    int tag;
    unsigned char *data; /* until it is released */
    size_t size;
    void *block; /* as in mw_frame; or NULL */
};

static inline int mwi_mpi_tag(enum mwi_mpi_kind kind, int number, bool is_by_connector)
{
    return number << MWI_MPI_NUMBER_SHIFT | (is_by_connector ? MWI_MPI_BY_CONNECTOR : 0) |
           (int)kind;
}

static inline enum mwi_mpi_kind mwi_mpi_tag_kind(int tag)
{
    return (enum mwi_mpi_kind)(tag & MWI_MPI_KIND_MASK);
}

/* The same tag of another kind. */
static inline int mwi_mpi_tag_as(int tag, enum mwi_mpi_kind kind)
{
    return (tag & ~MWI_MPI_KIND_MASK) | (int)kind;
}

static inline void mwi_mpi_put_number(unsigned char *to, uint64_t number)
{
    for (int i = 0; i < MWI_MPI_NUMBER_BYTES; i++)
        to[i] = (unsigned char)(number >> 8 * i & 0xff);
}

static inline uint64_t mwi_mpi_get_number(const unsigned char *from)
{
    uint64_t number = 0;
    for (int i = MWI_MPI_NUMBER_BYTES; i-- > 0;)
        number = number << 8 | from[i];
    return number;
}

#endif

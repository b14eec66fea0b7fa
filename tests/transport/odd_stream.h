/* SPDX-License-Identifier: Apache-2.0
 *
 * A stream that does everything a stream may do: it passes one byte a call, holds input inside,
 * begins with a proof, and breaks at a given byte.
 */
#ifndef MWT_ODD_STREAM_H
#define MWT_ODD_STREAM_H

#include "stream.h"

/* The words of a stream that broke. */
#define MWT_ODD_STREAM_PROBLEM "the odd stream broke"

/* The context of mwt_odd_stream_open, for the streams of one hub. */
struct mwt_odd_plan {
    bool has_proof;         /* the client writes a byte, then the server, before frames pass */
    bool fails_proof;       /* the first step of the proof fails */
    bool is_refused;        /* opening fails */
    size_t read_bytes_max;  /* the stream breaks when it has read this many */
    size_t write_bytes_max; /* the same for writing */
    unsigned open_count;    /* streams that are open now */
    unsigned writes_count;  /* calls of write so far */
    unsigned proofs_count;  /* calls of prove so far */
};

/* A mwi_tcp_stream_open_fn; the context is a struct mwt_odd_plan. */
struct mwi_tcp_stream *mwt_odd_stream_open(void *context, int fd, bool is_server, bool is_given);

#endif

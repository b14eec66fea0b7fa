/* SPDX-License-Identifier: Apache-2.0
 *
 * The far end of the conformance suite. It connects to the near end and obeys the frames from
 * there. It checks nothing.
 */
#ifndef MWT_FAR_H
#define MWT_FAR_H

#include <mw/transport.h>

enum mwt_order_kind {
    MWT_ORDER_ECHO,   /* send the next `count` frames back, then obey again */
    MWT_ORDER_COUNT,  /* take in the next `count` frames, then answer with an mwt_tally */
    MWT_ORDER_SEND,   /* send `count` frames of `size` bytes, each filled by `seed` and its index */
    MWT_ORDER_ANSWER, /* send one empty frame */
    MWT_ORDER_LEAVE,  /* drop me at once */
    MWT_ORDER_LAST_WORDS,   /* SEND and LEAVE at once */
    MWT_ORDER_ANOTHER,      /* connect `count` more times */
    MWT_ORDER_RETURN,       /* when this connection goes down, connect again */
    MWT_ORDER_SECOND,       /* open a second transport, listen, answer with the address */
    MWT_ORDER_SECOND_SEND,  /* SEND to all peers of the second transport, and close it at once */
    MWT_ORDER_SECOND_CLOSE, /* close the second transport */
    MWT_ORDER_END           /* close everything and return */
};

/* An order is a frame with this struct. Both ends are programs of one machine. */
struct mwt_order {
    uint32_t kind;
    uint32_t count;
    uint64_t size;
    uint64_t seed;
};

/* The answer to MWT_ORDER_COUNT. */
struct mwt_tally {
    uint64_t frames;
    uint64_t bytes;
    uint64_t wrong; /* frames that are not what `seed` and index say */
};

struct mwt_far {
    const mw_transport_api *api;
    void *environment;
    const char *address; /* of the near end */
    const char *listen_address;
    size_t frame_bytes_max;
};

/* Connects, and obeys until it is told to end or until no peer is connected any more. Returns 0, or
 * 1 if something failed that the near end cannot see. */
int mwt_far_run(const struct mwt_far *far);

#endif

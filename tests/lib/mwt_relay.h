/* SPDX-License-Identifier: Apache-2.0
 *
 * A relay between slaves and their master, in a thread of the test program: somebody who holds no
 * key and sits on the network. It passes on the bytes of each connection, keeps a record of them,
 * and meddles with them as the test says.
 *
 * Slaves connect to mwt_relay_port. Connections are numbered from 0 in the order in which they
 * came. All functions belong to the thread of the test. A wait that lasts longer than MWT_WAIT_S is
 * a failed check.
 */
#ifndef MWT_RELAY_H
#define MWT_RELAY_H

#include <stdbool.h>
#include <stddef.h>

struct mwt_relay;

/* The direction of bytes: from the slave up to the master, or from the master down to the slave. */
enum mwt_way { MWT_UP, MWT_DOWN };

enum mwt_fault {
    MWT_FAULT_NONE,
    MWT_FAULT_CUT,   /* both connections end before byte `at` */
    MWT_FAULT_FLIP,  /* the lowest bit of byte `at` is changed */
    MWT_FAULT_DROP,  /* byte `at` is left out */
    MWT_FAULT_TWICE, /* the bytes that came together with byte `at` are sent twice */
    MWT_FAULT_HOLD, /* byte `at` and the bytes behind it wait for mwt_relay_release; if their sender
                         ends before that, they are lost */
    MWT_FAULT_REFLECT /* byte `at` and the bytes behind it go back to their sender */
};

struct mwt_meddling {
    enum mwt_fault fault;
    enum mwt_way way;
    size_t at;         /* counted from the first byte of the connection that goes this way */
    size_t piece_size; /* bytes are passed on in pieces of this size, both ways; 0: as they come */
};

/* The counts that mwt_relay_await can wait for. */
enum mwt_relay_count {
    MWT_RELAY_CONNECTIONS, /* connections that have begun */
    MWT_RELAY_ENDED,       /* connections that have ended */
    MWT_RELAY_MEDDLED,     /* faults that have happened; a hold has begun to hold bytes */
    MWT_RELAY_BYTES_UP,    /* bytes that came from slaves, over all connections */
    MWT_RELAY_BYTES_DOWN,
    MWT_RELAY_COUNTS
};

/* Listens on a port of its own, and leads to the port of the master, both on 127.0.0.1. Never
 * NULL. */
struct mwt_relay *mwt_relay_create(const char *master_port);

/* Ends all connections and frees everything. */
void mwt_relay_destroy(struct mwt_relay *relay);

/* The relay's own port, as long as the relay lives. */
const char *mwt_relay_port(const struct mwt_relay *relay);

/* Connections that begin from now on lead to this port, and are meddled with in this way. */
void mwt_relay_lead(struct mwt_relay *relay, const char *master_port);
void mwt_relay_meddle(struct mwt_relay *relay, struct mwt_meddling meddling);

/* Lets the bytes go that are held, and holds no others in the connections that there are. */
void mwt_relay_release(struct mwt_relay *relay);

/* A count as it is now, and a wait until it is `least` or more; false if the time is up. */
size_t mwt_relay_count(struct mwt_relay *relay, enum mwt_relay_count which);
bool mwt_relay_await(struct mwt_relay *relay, enum mwt_relay_count which, size_t least);

/* A copy of the bytes that one connection has brought, before any meddling; the caller frees it.
 * Empty if there was no such connection. */
unsigned char *mwt_relay_record(struct mwt_relay *relay, size_t connection, enum mwt_way way,
                                size_t *size);

/* Whether the bytes of any connection contain the text, in either direction. */
bool mwt_relay_has_seen(struct mwt_relay *relay, const char *text);

#endif

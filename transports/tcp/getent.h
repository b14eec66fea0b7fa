/* SPDX-License-Identifier: Apache-2.0
 *
 * From a host's name to its addresses by all sources of names that the machine has: as getaddrinfo
 * does, but without blocking. The system's program getent asks in a process of its own.
 */
#ifndef MWI_TCP_GETENT_H
#define MWI_TCP_GETENT_H

#include <event2/event.h>
#include <event2/util.h>

struct mwi_tcp_getent;

/* The outcome: `found` is a list of addresses, which the callee takes and frees with
 * evutil_freeaddrinfo; NULL if the name is not known, or getent cannot be run. The callee may
 * destroy the getent in the call. */
typedef void mwi_tcp_getent_fn(void *context, struct evutil_addrinfo *found);

/* Begins; `port` and `host` are borrowed until destroy. `done` is called once, in a later turn of
 * the event loop. NULL if the process cannot be started. */
struct mwi_tcp_getent *mwi_tcp_getent_begin(struct event_base *base, const char *host,
                                            const char *port, mwi_tcp_getent_fn *done,
                                            void *context);

/* Ends the process, without calling `done`, and frees. NULL is legal. */
void mwi_tcp_getent_destroy(struct mwi_tcp_getent *getent);

#endif

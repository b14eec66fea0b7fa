/* SPDX-License-Identifier: Apache-2.0
 *
 * From a host's name to its addresses, without blocking.
 */
#ifndef MWI_TCP_RESOLVE_H
#define MWI_TCP_RESOLVE_H

#include <stdint.h>

#include <event2/event.h>
#include <event2/util.h>

struct mwi_tcp_resolve;

/* `found` is the callee's, to be freed with evutil_freeaddrinfo; or it is NULL and `problem` says
 * why. The resolve may be destroyed in the call. */
typedef void mwi_tcp_resolve_fn(void *context, struct evutil_addrinfo *found, const char *problem);

/* Begins; `done` is called once, in a later turn of the loop. NULL if memory is out. */
struct mwi_tcp_resolve *mwi_tcp_resolve_begin(struct event_base *base, const char *host,
                                              uint16_t port, mwi_tcp_resolve_fn *done,
                                              void *context);

/* Frees it; `done` will not be called if it has not been. What is still under way in libevent is
 * given up in the next turn of the loop. NULL is legal. */
void mwi_tcp_resolve_destroy(struct mwi_tcp_resolve *resolve);

#endif

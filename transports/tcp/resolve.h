/* SPDX-License-Identifier: Apache-2.0
 *
 * From a host's name to its addresses, without blocking.
 */
#ifndef MWI_TCP_RESOLVE_H
#define MWI_TCP_RESOLVE_H

#include <stddef.h>
#include <stdint.h>

#include <event2/event.h>
#include <event2/util.h>

struct mwi_tcp_resolve;

/* The outcome: `found` is the list of addresses, which the callee takes and frees with
 * evutil_freeaddrinfo; or it is NULL, and `problem`, borrowed for the call, says why. The callee
 * may destroy the resolve in the call. */
typedef void mwi_tcp_resolve_fn(void *context, struct evutil_addrinfo *found, const char *problem);

/* Begins, copying `host`; `done` is called once, in a later turn of the event loop. NULL out of
 * memory. */
struct mwi_tcp_resolve *mwi_tcp_resolve_begin(struct event_base *base, const char *host,
                                              uint16_t port, mwi_tcp_resolve_fn *done,
                                              void *context);

/* Frees it, without calling `done`. If libevent is still asking, it gives up in the next turn of
 * the event loop, which must come before the loop is freed. NULL is legal. */
void mwi_tcp_resolve_destroy(struct mwi_tcp_resolve *resolve);

/* Looks a host up and waits for the outcome, but for a second at most. Returns the addresses, which
 * the caller frees with evutil_freeaddrinfo; or NULL, and writes a sentence to problem[0..size). */
struct evutil_addrinfo *mwi_tcp_resolve_now(const char *host, uint16_t port, char *problem,
                                            size_t size);

#endif

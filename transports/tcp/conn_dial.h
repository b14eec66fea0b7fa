/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections that this end begins.
 */
#ifndef MWI_TCP_CONN_DIAL_H
#define MWI_TCP_CONN_DIAL_H

#include <stdbool.h>

#include "address.h"
#include "conn.h"

/* Begins a connection to `address` and gives it a peer number, which `peer` receives. The outcome
 * is an up or a down event in a later poll. `is_server` says that this end listens, which an
 * address that is a descriptor leaves open. MW_ENOMEM; the descriptor of an address that has one is
 * then still the caller's. */
mw_error mwi_tcp_conn_dial(struct mwi_tcp_hub *hub, const struct mwi_tcp_address *address,
                           bool is_server, mw_peer *peer);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * The transport over TCP and other stream sockets. mw/transport.h is its contract; README.md has
 * the wire form, the decisions and the limits.
 */
#ifndef MWI_TCP_H
#define MWI_TCP_H

#include <mw/transport.h>

extern const mw_transport_api mwi_tcp_transport;

#endif

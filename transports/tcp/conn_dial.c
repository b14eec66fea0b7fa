/* SPDX-License-Identifier: Apache-2.0
 *
 * Begins a connection: gives it a peer number and a dial, which looks for a socket as dial.c says.
 * The dial calls on_dialled with a socket, or with the reason why there is none. tcp.c calls it.
 */
#include "conn_dial.h"

#include <errno.h>

#include "conn_start.h"
#include "conn_turn.h"
#include "dial.h"

static void on_dialled(void *context, int fd, const char *text)
{
    struct mwi_tcp_conn *conn = context;
    mwi_tcp_dial_destroy(conn->dial);
    conn->dial = NULL;
    if (fd < 0)
        mwi_tcp_conn_go_down(conn, text);
    else if (!mwi_tcp_conn_start(conn, fd, text, mwi_tcp_conn_turn_ready))
        mwi_tcp_conn_go_down_for(conn, ENOMEM);
}

mw_error mwi_tcp_conn_dial(struct mwi_tcp_hub *hub, const struct mwi_tcp_address *address,
                           bool is_server, mw_peer *peer)
{
    struct mwi_tcp_conn *conn = mwi_tcp_conn_create(hub);
    if (conn == NULL)
        return MW_ENOMEM;
    conn->is_server = is_server;
    conn->is_given = address->kind == MWI_TCP_ADDRESS_FD;
    if (mwi_tcp_conn_become_peer(conn))
        conn->dial = mwi_tcp_dial_begin(hub->poller.base, address, on_dialled, conn);
    if (conn->dial == NULL) {
        mwi_tcp_conn_bury(conn);
        return MW_ENOMEM;
    }
    *peer = conn->peer;
    return MW_OK;
}

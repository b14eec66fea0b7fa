/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps that the tests of tcp share.
 */
#ifndef MWT_TCP_CASE_H
#define MWT_TCP_CASE_H

#include <CUnit/CUnit.h>

#include "end.h"
#include "tcp.h"

#define MWT_TCP_LIMIT_BYTES ((size_t)64 * 1024 * 1024)
#define MWT_TCP_MS_NS ((int64_t)1000 * 1000)

/* The tests of each file. */
void mwt_tcp_addresses(CU_pSuite suite);
void mwt_tcp_descriptors(CU_pSuite suite);
void mwt_tcp_strangers(CU_pSuite suite);
void mwt_tcp_turns(CU_pSuite suite);
void mwt_tcp_add(CU_pSuite suite, const CU_TestInfo *test);

/* A transport that listens. */
struct mwt_tcp_master {
    struct mwt_end end;
    char address[256];
};

void mwt_tcp_open(struct mwt_end *end);
void mwt_tcp_open_master(struct mwt_tcp_master *master, const char *address);

/* Checks that the peers of the end lived as promised, too. */
void mwt_tcp_close(struct mwt_end *end);

/* Take the next event and check its kind; `words` are in the reason. */
struct mwt_event mwt_tcp_expect(struct mwt_end *end, enum mwt_event_kind kind);
void mwt_tcp_expect_down(struct mwt_end *end, const char *words);
mw_peer mwt_tcp_expect_up(struct mwt_end *end);

/* Connects a plain socket, and waits until the master has accepted it. */
int mwt_tcp_connect_raw(struct mwt_tcp_master *master, mw_peer *peer);

/* Polls one end and then the other until the first has an event, and takes that. */
struct mwt_event mwt_tcp_take_between(struct mwt_end *end, struct mwt_end *other);

/* Sends a frame from one end to the other and checks it. */
void mwt_tcp_exchange(struct mwt_end *from, mw_peer peer, struct mwt_end *to);

/* Connects a second transport to the address, and checks that frames pass both ways. */
void mwt_tcp_check_reachable(struct mwt_tcp_master *master, const char *address);

/* Whether this machine has IPv6. If not, prints on standard error that something is skipped. */
bool mwt_tcp_has_ipv6(void);

/* Polls until that time has passed, and returns the processor time that it took. */
int64_t mwt_tcp_wait_idly(struct mwt_end *end, int64_t duration_ns);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * The steps that the cases of the conformance suite share. A case gets a near end and one far end
 * that is up, gives orders to the far end, and checks the events.
 *
 * Nothing waits for a fixed time: a case waits for an event, and gives up only after a patience
 * that no working transport exhausts. Cases must not use CUnit's fatal assertions, which would
 * jump off the stack of a simulated host. A new case is a function in the table of its file.
 */
#ifndef MWT_CASES_H
#define MWT_CASES_H

#include <CUnit/CUnit.h>

#include "conformance.h"

#define MWT_CASE_LIMIT_BYTES ((size_t)16 * 1024 * 1024)
#define MWT_MS_NS ((int64_t)1000 * 1000)

/* The cases of each file. */
void mwt_cases_frames(CU_pSuite suite);
void mwt_cases_bodies(CU_pSuite suite);
void mwt_cases_peers(CU_pSuite suite);
void mwt_cases_waiting(CU_pSuite suite);
void mwt_cases_objects(CU_pSuite suite);
void mwt_case_add(CU_pSuite suite, const CU_TestInfo *test);

/* Runs `body` as the near end, with both limits at MWT_CASE_LIMIT_BYTES. */
void mwt_case_run(void (*body)(struct mwt_near *near));

/* Draws a seed and prints it; MW_TEST_SEED replays one. */
uint64_t mwt_case_seed(void);

void mwt_case_order(struct mwt_near *near, mw_peer peer, enum mwt_order_kind kind, uint32_t count,
                    size_t size, uint64_t seed);

/* Sends a frame whose contents follow from its seed and index. */
void mwt_case_send(struct mwt_end *end, mw_peer peer, size_t size, uint64_t seed, uint64_t index);

/* Takes the next event and checks that it is this frame. */
struct mwt_event mwt_case_expect(struct mwt_end *end, enum mwt_event_kind kind, mw_peer peer);
void mwt_case_expect_pattern(struct mwt_end *end, mw_peer peer, size_t size, uint64_t seed,
                             uint64_t index);
void mwt_case_expect_tally(struct mwt_near *near, uint64_t frames, uint64_t bytes);
void mwt_case_expect_down(struct mwt_end *end, mw_peer peer);

/* Takes the up of a new peer. */
mw_peer mwt_case_expect_up(struct mwt_end *end);

/* Sends a frame there and back. So the peer works, and all events before it have been taken. */
void mwt_case_exchange(struct mwt_near *near, mw_peer peer);

/* Makes another connection of the far end. */
mw_peer mwt_case_bring_another(struct mwt_near *near);

/* Checks that the transport refuses a peer that is not there. */
void mwt_case_check_stale(struct mwt_near *near, mw_peer peer);

/* Polls until the deadline, and returns the number of polls. A poll may return early, but not all
 * the time. */
unsigned mwt_case_poll_until(struct mwt_end *end, int64_t deadline);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Descendants that outlived the processes of a test.
 */
#ifndef MWT_ORPHANS_H
#define MWT_ORPHANS_H

/* From now on, orphans become children of the test program. */
void mwt_orphans_begin(void);

/* Waits for all children that are left. A child that does not end by itself within a few seconds is
 * killed, and is a failed check. */
void mwt_orphans_end(void);

#endif

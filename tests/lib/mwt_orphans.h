/* SPDX-License-Identifier: Apache-2.0
 *
 * Descendants that outlived the processes of a test.
 */
#ifndef MWT_ORPHANS_H
#define MWT_ORPHANS_H

/* Orphans become children of the test program from now on. */
void mwt_orphans_begin(void);

/* Waits for all children that are left. One that does not end by itself within a few seconds is
 * killed, and a failed check. */
void mwt_orphans_end(void);

#endif

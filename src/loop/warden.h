/* SPDX-License-Identifier: Apache-2.0
 *
 * A process beside a local master that ends what the local slaves have started. Each slave leads a
 * session of its own and has a mark in its environment (loop/family.h); so has every process that
 * it starts. When a slave has ended, the warden kills the processes that are left of it; when the
 * master has ended, however, those of all slaves. While the master is stopped, as by Ctrl-Z, so are
 * the slaves.
 *
 * local.c uses it for masters under mw_main; an embedded master has none.
 */
#ifndef MWI_WARDEN_H
#define MWI_WARDEN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <mw/error.h>

struct mwi_warden;

/* Starts a warden at *warden, for slaves in up to `places_count` places. They have marks of the
 * farm `name`, which is copied. Errors, with a sentence: MW_EIO, MW_ENOMEM. */
mw_error mwi_warden_open(struct mwi_warden **warden, const char *name, size_t places_count,
                         mw_reason *why) MW_USE_RESULT;

/* The slave with this process, whose mark has this serial, now has the place. Serials count up.
 * NULL is legal here and below, and means that there is no warden. */
void mwi_warden_guard(struct mwi_warden *warden, size_t place, pid_t pid, uint64_t serial);

/* The slave of the place has been reaped: what it has left is to be killed soon. */
void mwi_warden_release(struct mwi_warden *warden, size_t place);

/* All slaves have ended: waits until what they have left is killed too, a few seconds at most, and
 * ends the warden. */
void mwi_warden_close(struct mwi_warden *warden);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Starts one process of a test.
 */
#ifndef MWT_SPAWN_H
#define MWT_SPAWN_H

#include "mwt_process.h"

/* Starts it with ends[MWT_OUT] and ends[MWT_ERR] as its output. Returns -1 if it cannot be forked.
 * A later failure is a line on its error output and the status 126 or 127. */
pid_t mwt_spawn(const struct mwt_start *start, const int ends[2]);

#endif

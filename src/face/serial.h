/* SPDX-License-Identifier: Apache-2.0
 *
 * The only slave of a serial farm, which runs in the master's own process and thread. The program's
 * slave algorithm is a coroutine, which gets a turn whenever the master polls. If it returns while
 * the farm goes on, it is started again, as a local slave would be.
 */
#ifndef MWI_SERIAL_H
#define MWI_SERIAL_H

#include "loop/loop.h"
#include "options/settings.h"

struct mwi_serial;

/* Prepares the slave at *serial and adds a chore to `loop`, which starts it in the next turn,
 * starts it again, and lets it end when the chores are closed. Copies the settings; borrows
 * `program` and the arguments in the settings until destroy. MW_ENOMEM. */
mw_error mwi_serial_create(struct mwi_serial **serial, const mw_program *program,
                           const struct mwi_serial_settings *settings, struct mwi_loop *loop,
                           mw_reason *why) MW_USE_RESULT;

/* Frees it. The loop, with the transport, is closed by then. NULL is legal. */
void mwi_serial_destroy(struct mwi_serial *serial);

/* The environment of the master's transport, of scheme "inproc". */
void *mwi_serial_environment(struct mwi_serial *serial);

/* The slave is a slave no more. `was_useful`: it has returned a result, or begun a task. */
void mwi_serial_lost(struct mwi_serial *serial, bool was_useful);

/* The farm stops: the slave is not started again. */
void mwi_serial_stop(struct mwi_serial *serial);

/* Whether the slave is given up, since it ended too often in a row without having begun a task;
 * then *why says how it ended last. */
bool mwi_serial_is_exhausted(const struct mwi_serial *serial, mw_reason *why);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * SIGINT and SIGTERM while mw_main runs. The first one asks the program to end. The second one ends
 * it at once, as if there were no handler. A signal handler can reach global variables only: this
 * room holds the one piece of global state of the library, and mw_main is its one user.
 */
#ifndef MWI_SIGNALS_H
#define MWI_SIGNALS_H

#include <stdbool.h>

#include <mw/error.h>

#include "loop/loop.h"

/* Installs the handlers, and ignores SIGPIPE and SIGXFSZ. A local slave ignores SIGINT too: the
 * terminal sends it to all processes, and the master will tell its slaves. MW_EIO. */
mw_error mwi_signals_install(bool is_local_slave);

/* Puts back the handlers that were there. The loops that watch signals are closed by then. */
void mwi_signals_restore(void);

/* A descriptor that is readable after a signal, until mwi_signals_caught is called. */
int mwi_signals_fd(void);

/* Lets a signal end the waits of the loop, which has no transport yet. Errors, with a sentence:
 * those of mwi_loop_open_descriptors and mwi_descriptors_add. */
mw_error mwi_signals_watch(struct mwi_loop *loop, mw_reason *why) MW_USE_RESULT;

/* The signal that came, 0 if none did. */
int mwi_signals_caught(void);

/* "SIGINT"; constant. */
const char *mwi_signals_name(int number);

#endif

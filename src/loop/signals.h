/* SPDX-License-Identifier: Apache-2.0
 *
 * SIGINT and SIGTERM while mw_main runs. The first asks the program to end; the second ends it at
 * once, as if nobody handled it. A signal handler can reach only what is global: this module holds
 * the one piece of global state of the library, and mw_main is its one user.
 */
#ifndef MWI_SIGNALS_H
#define MWI_SIGNALS_H

#include <stdbool.h>

#include <mw/error.h>

/* Installs the handlers, and ignores SIGPIPE and SIGXFSZ. A local slave ignores SIGINT: the
 * terminal sends it to all processes, and the master will tell its slaves. MW_EIO. */
mw_error mwi_signals_install(bool is_local_slave);

/* Puts back what was there. */
void mwi_signals_restore(void);

/* A descriptor that is readable once a signal came and was not asked for yet. */
int mwi_signals_fd(void);

/* The signal that came, 0 if none did. Once asked, it no longer ends polls. */
int mwi_signals_caught(void);

/* "SIGINT"; constant. */
const char *mwi_signals_name(int number);

#endif

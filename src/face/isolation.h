/* SPDX-License-Identifier: Apache-2.0
 *
 * An isolated slave under mw_main: its tasks and its slave algorithm run in processes that come
 * from a zygote, one at a time, while this process talks to the master.
 */
#ifndef MWI_ISOLATION_H
#define MWI_ISOLATION_H

#include "face/slave.h"
#include "loop/zygote.h"

/* The plan of the zygote of a slave of this mode. */
struct mwi_zygote_plan mwi_isolation_plan(const mw_options *options, enum mwi_mode mode);

/* The settings of a process from the zygote: its master is the isolated slave at the other end of
 * `channel`, which also keeps the trail. */
void mwi_isolation_read_child(struct mwi_slave_settings *settings, const mw_options *options,
                              struct mwi_relay_page *page, int channel);

/* Serves a slave that was opened with settings->is_isolated, until it is to be closed. Returns the
 * exit status of the slave: that of the last process, or 255. An error is in slave->broken then. */
int mwi_isolation_serve(mw_slave *slave, struct mwi_zygote *zygote);

#endif

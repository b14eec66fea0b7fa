/* SPDX-License-Identifier: Apache-2.0
 *
 * Checkpoints of a master: mw_master_checkpoint and mw_master_restored, which users call.
 */
#ifndef MWI_MASTER_CHECKPOINT_H
#define MWI_MASTER_CHECKPOINT_H

#include "face/master.h"

/* Frees what checkpoints have kept. */
void mwi_master_checkpoint_fini(mw_master *master);

#endif

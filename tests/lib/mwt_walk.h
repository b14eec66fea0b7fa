/* SPDX-License-Identifier: Apache-2.0
 *
 * Walks the stores of a master's engine.
 */
#ifndef MWT_WALK_H
#define MWT_WALK_H

#include "mwt_model.h"

/* Checks that the stores agree with each other, with the counts and with the model. */
void mwt_walk_check(struct mwt_model *farm);

#endif

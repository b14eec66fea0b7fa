/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether the results in a journal may stand for those of the program that opens it.
 */
#ifndef MWI_JOURNAL_IDENTITY_H
#define MWI_JOURNAL_IDENTITY_H

#include <mw/error.h>

#include "record/journal_items.h"

/* Whether results of one program may stand for those of the other. *why says how they differ, and
 * is "" if they do not; it is also set if they differ in something for which the program vouches by
 * its version. */
bool mwi_journal_identity_may_stand_for(const struct mwi_journal_identity *was,
                                        const struct mwi_journal_identity *is, mw_reason *why);

#endif

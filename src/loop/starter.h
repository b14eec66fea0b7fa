/* SPDX-License-Identifier: Apache-2.0
 *
 * How a local slave is started: as this program was started, with the options and arguments for
 * slaves, in the folder in which the farm was opened.
 */
#ifndef MWI_STARTER_H
#define MWI_STARTER_H

#include "loop/child.h"
#include "loop/executable.h"
#include "loop/family.h"
#include "options/settings.h"

struct mwi_starter {
    const struct mwi_executable *executable;
    char **arguments; /* each an own string */
    size_t arguments_count;
    size_t channel_index; /* of the argument that names a slave's channel */
    int folder;           /* the working directory when the farm was opened; -1: none */
    bool has_own_process; /* the process is the farm's, so slaves lead sessions */
    char name[MWI_FAMILY_NAME_BYTES];
    uint64_t serial; /* of the mark of the last slave */
};

/* Copies the settings, and borrows the executable until fini, which is to be called in any case.
 * False out of memory. */
bool mwi_starter_init(struct mwi_starter *starter, const struct mwi_local_settings *settings,
                      const struct mwi_executable *executable, bool has_own_process) MW_USE_RESULT;
void mwi_starter_fini(struct mwi_starter *starter);

/* Starts another slave. `is_unguarded`: no warden ends what it leaves. Errors: MW_EIO, with a
 * sentence. */
mw_error mwi_starter_start(struct mwi_starter *starter, struct mwi_child *child, bool is_unguarded,
                           mw_reason *why) MW_USE_RESULT;

#endif

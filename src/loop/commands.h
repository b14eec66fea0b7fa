/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands that the tasks of a slave start: they are ended when the slave ends. For slaves
 * under mw_main that somebody else has started, a batch system for instance, whose process is
 * theirs alone; the slaves of a local master have its warden (loop/warden.h).
 */
#ifndef MWI_COMMANDS_H
#define MWI_COMMANDS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "loop/family.h"

/* The most children from before that are left alone; further ones count as commands. */
#define MWI_COMMANDS_BEFORE_MAX 64

struct mwi_commands {
    char name[MWI_FAMILY_NAME_BYTES + 1];
    char *marks; /* MWI_FAMILY_VARIABLE as it was; NULL: it was not set */
    pid_t self;
    pid_t before[MWI_COMMANDS_BEFORE_MAX]; /* this process's children when it began */
    size_t before_count;
};

/* From now on, what this process starts belongs to its tasks. It gets a mark in its environment. */
void mwi_commands_begin(struct mwi_commands *commands);

/* Kills all that this process has started since begin, and what that has started, a second at most.
 * Children from before are left alone. Safe in a signal handler. */
void mwi_commands_end(const struct mwi_commands *commands);

/* Sets the environment as it was. */
void mwi_commands_fini(struct mwi_commands *commands);

#endif

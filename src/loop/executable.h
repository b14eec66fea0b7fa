/* SPDX-License-Identifier: Apache-2.0
 *
 * Finds the program that slaves run: the one that --mw-slave-executable names, or this program
 * itself, with the words by which it was started. The program is found once, when a master is
 * opened, so it does not depend on a later change of the working directory. If this program's file
 * is replaced, slaves run the old one, or are not started: they never run the new one.
 */
#ifndef MWI_EXECUTABLE_H
#define MWI_EXECUTABLE_H

#include <stddef.h>

#include <mw/error.h>

#include "options/settings.h"

struct mwi_executable;

/* Finds the program. The settings are copied. MW_ENOMEM. A program that cannot be found is an error
 * of mwi_executable_to_start. */
mw_error mwi_executable_open(struct mwi_executable **executable,
                             const struct mwi_executable_settings *settings) MW_USE_RESULT;

/* NULL is legal. */
void mwi_executable_close(struct mwi_executable *executable);

/* The absolute path under which others find the program; "" if the system does not tell. Borrowed
 * until close. */
const char *mwi_executable_path(const struct mwi_executable *executable);

/* The *count words of the command line that stand before a slave's options. The first is the
 * program's name as it was called, and mostly the only one. Others follow if a loader runs the
 * program, or an interpreter a script with its options. Borrowed until close. */
char *const *mwi_executable_words(const struct mwi_executable *executable, size_t *count);

/* The path with which this process can start the program now, borrowed until close. It differs from
 * mwi_executable_path if this process's own file was moved or replaced since it started: then the
 * system still has the file, under a name that is good for this process alone. MW_EIO, with a
 * sentence: the program cannot be found, or only another one in its place. */
mw_error mwi_executable_to_start(const struct mwi_executable *executable, const char **path,
                                 mw_reason *why) MW_USE_RESULT;

/* Puts "--mw-slave-executable: " in front of the sentence, if that option names the program. */
void mwi_executable_name_option(const struct mwi_executable *executable, mw_reason *why);

#endif

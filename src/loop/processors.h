/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts the processors that this process may use. A batch job or a container often has only a
 * share of its machine.
 */
#ifndef MWI_PROCESSORS_H
#define MWI_PROCESSORS_H

#include <stdbool.h>
#include <stddef.h>

/* Reads the file at `path` into text[0..size), cut off and ended by a NUL; false if it cannot be
 * read. */
typedef bool mwi_processors_reader(void *context, const char *path, char *text, size_t size);

/* The smallest of three numbers: the processors on which the system lets the calling thread run;
 * the result of mwi_processors_quota; and the processors that Slurm has given the job on this node.
 * `get` reads an environment variable. At least 1. */
size_t mwi_processors_usable(char *(*get)(const char *name));

/* The number of processors that equals the smallest quota of this process's control groups, rounded
 * up; SIZE_MAX if there is no quota. At least 1. */
size_t mwi_processors_quota(mwi_processors_reader *read, void *context);

#endif

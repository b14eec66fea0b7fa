/* SPDX-License-Identifier: Apache-2.0
 *
 * How many processors this process may use: a batch job or a container often has a share of its
 * machine.
 */
#ifndef MWI_PROCESSORS_H
#define MWI_PROCESSORS_H

#include <stdbool.h>
#include <stddef.h>

/* Reads the file at `path` into text[0..size), cut off and ended by a NUL; false if it cannot be
 * read. */
typedef bool mwi_processors_reader(void *context, const char *path, char *text, size_t size);

/* The processors on which the system lets the calling thread run, but no more than the quotas of
 * its control groups amount to, rounded up, and no more than Slurm has given the job on this node:
 * `get` reads the environment. At least 1. */
size_t mwi_processors_usable(char *(*get)(const char *name));

/* The processors that the smallest quota of this process's control groups amounts to, rounded up;
 * SIZE_MAX if there is no quota. At least 1. */
size_t mwi_processors_quota(mwi_processors_reader *read, void *context);

#endif

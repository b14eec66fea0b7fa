/* SPDX-License-Identifier: Apache-2.0
 *
 * The path of the program that slaves run: the one that the user asked for, or this program's own.
 */
#ifndef MWI_EXECUTABLE_H
#define MWI_EXECUTABLE_H

/* The path under which others find the program. `asked` is copied if it is not NULL; otherwise it
 * is the path of this process's program, "" if the system does not tell. Malloc'd, to be freed;
 * NULL out of memory. */
char *mwi_executable_path(const char *asked);

/* The path with which this process can start the program. It differs from mwi_executable_path only
 * if this process's own file was moved or replaced since it started: then the system still has the
 * file, under a name that is good for this process alone. Malloc'd, to be freed; NULL out of
 * memory. */
char *mwi_executable_to_start(const char *asked);

#endif

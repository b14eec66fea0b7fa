/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads from the environment which launcher started this process. mpirun, srun and the like start
 * several processes together and tell each its number. Everything that such a process starts
 * inherits the variables. So each process that a launcher started leaves a mark in its environment:
 * a process that finds the mark of another knows that the variables are not about itself. The
 * functions here change nothing.
 */
#ifndef MWI_LAUNCHER_H
#define MWI_LAUNCHER_H

#include <stddef.h>
#include <stdint.h>

/* The variable of the mark. */
#define MWI_LAUNCHER_VARIABLE "MW_LAUNCHED"

/* Room for a mark, with its NUL. */
#define MWI_LAUNCHER_MARK_BYTES 256

/* The process whose environment is read, or one that a test makes up. */
struct mwi_launcher_process {
    long pid;
    char *(*get)(const char *name); /* getenv */
    /* A number that is the same for all copies of an open socket and for no other socket; 0: the
     * descriptor is no open socket. */
    uint64_t (*socket_of)(int fd);
};

/* The launch that this process is part of. */
struct mwi_launch {
    int size;         /* the processes that were started together; 1: this one alone, by a launcher
                         or without any; 0: the launcher does not say */
    int rank;         /* the number of this one, from 0; -1: the launcher does not say */
    const char *name; /* of the launcher, such as "mpirun"; NULL: there is none. A constant. */
};

struct mwi_launch mwi_launcher_read(const struct mwi_launcher_process *process);

/* Writes the value that MWI_LAUNCHER_VARIABLE shall have in the environment of what this process
 * starts. */
void mwi_launcher_mark(const struct mwi_launcher_process *process,
                       char mark[MWI_LAUNCHER_MARK_BYTES]);

#endif

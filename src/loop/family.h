/* SPDX-License-Identifier: Apache-2.0
 *
 * The processes of this machine as /proc shows them: whose children they are, and which farm has
 * started them. A farm writes a mark into the environment of the processes that it starts, and what
 * those start inherits it; so a process is known even if it has left its group, its session and its
 * parent. The warden and the commands of a slave use this to end what is left.
 *
 * The functions that read /proc and kill are safe in a signal handler. Where there is no /proc
 * nothing is found.
 */
#ifndef MWI_FAMILY_H
#define MWI_FAMILY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The environment variable with the marks of a process, separated by spaces, the newest first. A
 * mark is "FARM:SERIAL", and the name of a local farm begins with the pid of its master. */
#define MWI_FAMILY_VARIABLE "MW_STARTED_BY"

#define MWI_FAMILY_NAME_BYTES 48

/* Makes the name of a farm of this process, which no other farm has. */
void mwi_family_make_name(char name[MWI_FAMILY_NAME_BYTES]);

/* Room for the marks of farms in farms; those of the outermost are cut off. */
#define MWI_FAMILY_MARKS_BYTES 1024

/* Writes the value of MWI_FAMILY_VARIABLE for a process with this mark: the mark, and behind it
 * those of this process. */
void mwi_family_write_marks(char marks[MWI_FAMILY_MARKS_BYTES], const char *mark);

struct mwi_family_process {
    pid_t pid;
    pid_t parent;
    pid_t session;  /* 0: of the kernel's own */
    uint64_t start; /* when it began, in ticks since the machine did */
    bool is_chosen; /* kept for mwi_family_kill_trees */
    char state;     /* as in /proc/PID/stat: 'T' stopped, 'Z' ended and not yet reaped */
};

/* Reads about one process; false if there is none. */
bool mwi_family_read(pid_t pid, struct mwi_family_process *process);

/* Whether the process has a mark of the farm in its environment, as it was when the process began
 * to run its program; then *serial is that of the mark. */
bool mwi_family_is_marked(pid_t pid, const char *name, uint64_t *serial);

/* The memory that the descendants of the process have in use, in bytes; 0 if it cannot be read. The
 * process itself is not counted, and neither are children that other threads than the first have
 * started. A page that several processes share counts for each of them, and pages of files count.
 * Takes some microseconds for each process. */
size_t mwi_family_resident_bytes(pid_t pid);

/* The same, but a page counts once: for each process of those that share it in equal parts, whether
 * they are descendants or not. Pages of mapped files do not count, since the kernel can take them
 * back at any time, but shared memory does. For a process about which the kernel does not say that,
 * this is as above. Takes some milliseconds for each GiB. */
size_t mwi_family_memory_bytes(pid_t pid);

/* Whether a process is to be killed. */
typedef bool mwi_family_judge_fn(void *context, const struct mwi_family_process *process);

/* Kills the processes of the machine that `judge` chooses, but not this one. Processes that have
 * ended are not judged. Returns how many were killed. New ones may have come meanwhile: call it
 * again until there are none. */
size_t mwi_family_kill(mwi_family_judge_fn *judge, void *context);

/* Room for the processes of a machine. Those that do not fit are killed without their descendants.
 * The memory is borrowed. */
struct mwi_family_room {
    struct mwi_family_process *items;
    size_t capacity;
};

/* The same, and kills the descendants of the chosen ones too, whatever `judge` says of them. */
size_t mwi_family_kill_trees(const struct mwi_family_room *room, mwi_family_judge_fn *judge,
                             void *context);

#endif

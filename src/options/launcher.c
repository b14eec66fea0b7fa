/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of launchers and of the variables that each sets in the processes that it starts. The
 * public functions of face/ read it before they decide the role of the process.
 *
 * Invariants: variables whose numbers make no sense count as if they were not there. A launch that
 * the mark of another process lists is not this process's own. The mark is "PID:HASH:HASH...", with
 * a hash of each launch that the environment speaks of, since launchers are started within each
 * other: mpirun by a task of srun's, for instance.
 *
 * A new launcher is a row of `launchers`, in the order in which they are believed: mpirun starts
 * its processes through srun, so its row comes first.
 */
#include "options/launcher.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* Room for ":" and the 16 digits of a hash, with a NUL. */
#define HASH_BYTES 18

struct launcher {
    const char *name;
    const char *size; /* the variable of the number of processes; NULL: there is none */
    const char *rank;
    /* Variables that differ from launch to launch, or NULL; and one whose number is a socket
     * between the process and its launcher. */
    const char *jobs[2];
    const char *socket;
    /* Other launchers set these variables too, beside their own, which then have the same numbers
     * and give the name. */
    bool is_shared;
};

static const struct launcher launchers[] = {
    {"mpirun", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", {"PMIX_NAMESPACE"}, NULL, false},
    {"mpirun_rsh", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK", {NULL}, NULL, false},
    {"mpirun_rsh", "MVP_COMM_WORLD_SIZE", "MVP_COMM_WORLD_RANK", {NULL}, NULL, false},
    {"mpiexec", "PMI_SIZE", "PMI_RANK", {"PMI_JOBID", "PMI_PORT"}, "PMI_FD", true},
    {"flux run", "FLUX_JOB_SIZE", "FLUX_TASK_RANK", {"FLUX_JOB_ID"}, NULL, false},
    {"mpiexec_mpt", NULL, "MPT_MPI_RANK", {NULL}, NULL, false},
    {"srun",
     "SLURM_STEP_NUM_TASKS",
     "SLURM_PROCID",
     {"SLURM_JOB_ID", "SLURM_STEP_ID"},
     NULL,
     false},
    {"aprun", NULL, "ALPS_APP_PE", {NULL}, NULL, false},
    {"prun", NULL, "PMIX_RANK", {"PMIX_NAMESPACE"}, NULL, false},
};

/* The number that the variable has; `otherwise` if it has none that makes sense. */
static int read_number(const struct mwi_launcher_process *process, const char *variable,
                       int otherwise)
{
    const char *text = variable == NULL ? NULL : process->get(variable);
    char *end;
    if (text == NULL || text[0] == '\0')
        return otherwise;
    long number = strtol(text, &end, 10);
    return *end == '\0' && number >= 0 && number <= INT32_MAX ? (int)number : otherwise;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    return text == NULL ? hash : mwi_hash_bytes(hash, text, strlen(text) + 1);
}

static uint64_t hash_variable(uint64_t hash, const struct mwi_launcher_process *process,
                              const char *variable)
{
    return variable == NULL ? hash : hash_text(hash_text(hash, variable), process->get(variable));
}

/* The socket between this process and the launcher; 0 if the launcher has none. */
static uint64_t socket_of(const struct mwi_launcher_process *process,
                          const struct launcher *launcher)
{
    int fd = read_number(process, launcher->socket, -1);
    return fd < 0 ? 0 : process->socket_of(fd);
}

/* Writes ":" and what tells this launch from all others. */
static void write_hash(const struct mwi_launcher_process *process, const struct launcher *launcher,
                       char text[HASH_BYTES])
{
    uint64_t socket = socket_of(process, launcher);
    uint64_t hash = hash_variable(MWI_HASH_EMPTY, process, launcher->size);
    hash = hash_variable(hash, process, launcher->rank);
    for (size_t i = 0; i < COUNT_OF(launcher->jobs); i++)
        hash = hash_variable(hash, process, launcher->jobs[i]);
    hash = mwi_hash_bytes(hash, (const char *)&socket, sizeof socket);
    snprintf(text, HASH_BYTES, ":%016llx", (unsigned long long)hash);
}

/* The size and rank that the launcher's variables say. Returns false if they are not set. The size
 * tells of a launch: a batch script under Slurm has a rank although nothing started it beside
 * others. */
static bool read_launch(const struct mwi_launcher_process *process, const struct launcher *launcher,
                        struct mwi_launch *launch)
{
    int size = read_number(process, launcher->size, 0);
    int rank = read_number(process, launcher->rank, -1);
    if (launcher->size == NULL ? rank < 0 : size < 1)
        return false;
    *launch = (struct mwi_launch){.size = size, .rank = rank, .name = launcher->name};
    return true;
}

/* Whether the variables are about a process from which this one inherited them: its mark lists
 * them, or the socket to the launcher is not open here. A process that replaced its program keeps
 * its launch, and its pid. */
static bool is_inherited(const struct mwi_launcher_process *process,
                         const struct launcher *launcher)
{
    const char *mark = process->get(MWI_LAUNCHER_VARIABLE);
    char hash[HASH_BYTES];
    if (read_number(process, launcher->socket, -1) >= 0 && socket_of(process, launcher) == 0)
        return true;
    if (mark == NULL || strtol(mark, NULL, 10) == process->pid)
        return false;
    write_hash(process, launcher, hash);
    return strstr(mark, hash) != NULL;
}

/* The launcher that set the shared variables, as it has set its own to the same numbers. */
static const char *find_name(const struct mwi_launcher_process *process,
                             const struct mwi_launch *launch)
{
    struct mwi_launch other;
    for (size_t i = 0; i < COUNT_OF(launchers); i++)
        if (!launchers[i].is_shared && read_launch(process, &launchers[i], &other) &&
            other.size == launch->size && other.rank == launch->rank)
            return other.name;
    return launch->name;
}

struct mwi_launch mwi_launcher_read(const struct mwi_launcher_process *process)
{
    struct mwi_launch launch = {.size = 1, .rank = 0};
    for (size_t i = 0; i < COUNT_OF(launchers); i++) {
        const struct launcher *launcher = &launchers[i];
        if (!read_launch(process, launcher, &launch))
            continue;
        if (!is_inherited(process, launcher)) {
            if (launcher->is_shared)
                launch.name = find_name(process, &launch);
            return launch;
        }
    }
    return (struct mwi_launch){.size = 1, .rank = 0};
}

void mwi_launcher_mark(const struct mwi_launcher_process *process,
                       char mark[MWI_LAUNCHER_MARK_BYTES])
{
    struct mwi_launch launch;
    int length = snprintf(mark, MWI_LAUNCHER_MARK_BYTES, "%ld", process->pid);
    for (size_t i = 0; i < COUNT_OF(launchers); i++) {
        if (!read_launch(process, &launchers[i], &launch))
            continue;
        write_hash(process, &launchers[i], mark + length);
        length += HASH_BYTES - 1;
    }
}

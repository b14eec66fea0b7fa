/* SPDX-License-Identifier: Apache-2.0
 *
 * Kills the commands that the tasks of a slave have started. mw_main calls it for a slave. Commands
 * are found in two ways. While they are killed, this process takes in the orphans of its
 * descendants, so that those become its children one after the other. Orphans from before belong to
 * the system's first process, and are known by their mark.
 *
 * Invariant: a process that is not a descendant of this one, and has no mark of it, is left alone.
 * Some orphans have no mark and remain: those that have cleared their environment, and those that
 * have run no other program, since only exec hands a changed environment on. Another way to know a
 * command is a case in is_command.
 */
#include "loop/commands.h"

#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Killed processes take a moment to end, and then leave orphans: how long to wait before looking
 * again, and how often. */
#define AGAIN_MS 5
#define PASSES_MAX 200

static bool was_before(const struct mwi_commands *commands, pid_t pid)
{
    for (size_t i = 0; i < commands->before_count; i++)
        if (commands->before[i] == pid)
            return true;
    return false;
}

/* Notes a child, and kills nothing. */
static bool note_child(void *context, const struct mwi_family_process *process)
{
    struct mwi_commands *commands = context;
    if (process->parent == commands->self && commands->before_count < MWI_COMMANDS_BEFORE_MAX)
        commands->before[commands->before_count++] = process->pid;
    return false;
}

static bool is_command(void *context, const struct mwi_family_process *process)
{
    const struct mwi_commands *commands = context;
    uint64_t serial;
    if (process->parent == commands->self)
        return !was_before(commands, process->pid);
    return mwi_family_is_marked(process->pid, commands->name, &serial);
}

void mwi_commands_begin(struct mwi_commands *commands)
{
    char mark[sizeof commands->name + 4], marks[MWI_FAMILY_MARKS_BYTES];
    const char *others = getenv(MWI_FAMILY_VARIABLE);
    *commands = (struct mwi_commands){.self = getpid()};
    /* The letter in front: a command of this slave must not be taken for a slave of it. */
    commands->name[0] = 's';
    mwi_family_make_name(commands->name + 1);
    commands->marks = others == NULL ? NULL : strdup(others);
    snprintf(mark, sizeof mark, "%s:0", commands->name);
    mwi_family_write_marks(marks, mark);
    (void)setenv(MWI_FAMILY_VARIABLE, marks, 1);
    (void)mwi_family_kill(note_child, commands);
}

void mwi_commands_end(const struct mwi_commands *commands)
{
    int was_reaper = 0;
    struct mwi_commands copy = *commands;
    (void)prctl(PR_GET_CHILD_SUBREAPER, &was_reaper);
    (void)prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (int i = 0; i < PASSES_MAX && mwi_family_kill(is_command, &copy) > 0; i++) {
        int ignored = poll(NULL, 0, AGAIN_MS);
        (void)ignored;
    }
    (void)prctl(PR_SET_CHILD_SUBREAPER, was_reaper);
}

void mwi_commands_fini(struct mwi_commands *commands)
{
    if (commands->marks == NULL)
        (void)unsetenv(MWI_FAMILY_VARIABLE);
    else
        (void)setenv(MWI_FAMILY_VARIABLE, commands->marks, 1);
    free(commands->marks);
}

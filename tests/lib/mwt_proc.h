/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kernel says about a process that runs: its memory, descriptors and processor time. All
 * code is in this header, so that a test needs no other source for it.
 */
#ifndef MWT_PROC_H
#define MWT_PROC_H

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* A number of /proc/PID/status, such as "VmHWM" (the most memory that it had, in KiB); -1 if it is
 * not there. */
static inline long mwt_proc_status(pid_t pid, const char *name)
{
    char path[64], line[256];
    long number = -1;
    snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            sscanf(line + strlen(name) + 1, "%ld", &number);
    if (file != NULL)
        fclose(file);
    return number;
}

/* The number of descriptors that are open in a process; -1 if it is gone. */
static inline long mwt_proc_descriptors(pid_t pid)
{
    char path[64];
    long count = -2; /* without "." and ".." */
    snprintf(path, sizeof path, "/proc/%ld/fd", (long)pid);
    DIR *folder = opendir(path);
    if (folder == NULL)
        return -1;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

/* The processor time that a process has used, in seconds; -1 if it is gone. */
static inline double mwt_proc_seconds(pid_t pid)
{
    char path[64], text[1024];
    unsigned long user, system;
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "re");
    size_t size = file == NULL ? 0 : fread(text, 1, sizeof text - 1, file);
    if (file != NULL)
        fclose(file);
    text[size] = '\0';
    const char *behind_name = strrchr(text, ')');
    if (behind_name == NULL ||
        sscanf(behind_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system) != 2)
        return -1;
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

#endif

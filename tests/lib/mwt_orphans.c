/* SPDX-License-Identifier: Apache-2.0
 *
 * The test program is the reaper of orphans: when a process ends, its descendants become children
 * of the test program. So the program can tell whether a process was left behind.
 */
#include "mwt_orphans.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CUnit/CUnit.h>

#include "mwt_process.h"

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)
/* Descendants that were told to end get this time. */
#define ORPHAN_WAIT_S 10

void mwt_orphans_begin(void)
{
    int error = prctl(PR_SET_CHILD_SUBREAPER, 1);
    CU_ASSERT_EQUAL(error, 0);
}

/* The parent of a process, 0 if it is not known. */
static pid_t parent_of(const char *pid)
{
    char path[64], text[512] = "";
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    /* The text is "PID (NAME) STATE PARENT ...", and NAME may contain any character. */
    char *behind_name = size > 0 ? strrchr(text, ')') : NULL;
    if (behind_name == NULL || sscanf(behind_name, ") %*c %d", &parent) != 1)
        return 0;
    return parent;
}

/* A child of this process, 0 if there is none. */
static pid_t some_child(void)
{
    pid_t child = 0;
    DIR *directory = opendir("/proc");
    struct dirent *entry;
    while (child == 0 && directory != NULL && (entry = readdir(directory)) != NULL)
        if (isdigit((unsigned char)entry->d_name[0]) && parent_of(entry->d_name) == getpid())
            child = (pid_t)atoi(entry->d_name);
    if (directory != NULL)
        closedir(directory);
    return child;
}

/* Waits for an orphan, and kills it if it does not end by itself. */
static void end_orphan(pid_t pid, int64_t deadline_ns)
{
    int64_t left_ns = deadline_ns - mwt_now_ns();
    struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    if (poll(&end, 1, left_ns < 0 ? 0 : (int)(left_ns / NS_PER_MS)) == 0) {
        fprintf(stderr, "\nprocess %ld was left behind\n", (long)pid);
        CU_FAIL("a process was left behind");
        kill(pid, SIGKILL);
    }
    if (end.fd >= 0)
        close(end.fd);
    waitpid(pid, NULL, 0);
}

void mwt_orphans_end(void)
{
    int64_t deadline_ns = mwt_now_ns() + ORPHAN_WAIT_S * NS_PER_S;
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) >= 0)
        if (pid == 0 && (pid = some_child()) > 0)
            end_orphan(pid, deadline_ns);
}

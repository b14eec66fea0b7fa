/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts the processors that this process may use, for local.c, which starts a slave for each
 * unless the user gives a number. The affinity of the process covers taskset, cpusets and batch
 * systems that bind processes to processors. Slurm may be configured not to bind, and tells a job's
 * share in the environment. A quota of a control group limits time on all processors together. A
 * quota holds for all groups below, so the group of the process and all above it are read.
 *
 * Invariant: a file that is missing or strange means no limit. The control groups are expected
 * where all distributions mount them, below /sys/fs/cgroup. In a container its files may be those
 * of the container's own group, which is then found on the way up.
 *
 * Another batch system is a function like count_of_job, and a call in mwi_processors_usable.
 */
#include "loop/processors.h"

#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_BYTES 4096
#define PATH_BYTES (TEXT_BYTES + 128)
/* No kernel supports as many processors. */
#define PROCESSORS_MAX (1 << 20)

/* A reader, and the smallest number of processors that was found so far. */
struct search {
    mwi_processors_reader *read;
    void *context;
    size_t count;
};

/* Keeps the smallest count. `quota` is the processor time that may be used in each `period`. */
static void note_quota(struct search *search, int64_t quota, int64_t period)
{
    if (quota <= 0 || period <= 0)
        return;
    uint64_t count = (uint64_t)quota / (uint64_t)period + (quota % period != 0);
    if (count < search->count)
        search->count = (size_t)count;
}

/* Version 2 of control groups: one file contains "max 100000", or "150000 100000". */
static void look_at_second_version(struct search *search, const char *group)
{
    char path[PATH_BYTES], text[64];
    long long quota, period;
    snprintf(path, sizeof path, "%s/cpu.max", group);
    if (search->read(search->context, path, text, sizeof text) &&
        sscanf(text, "%lld %lld", &quota, &period) == 2)
        note_quota(search, quota, period);
}

/* Version 1 of control groups: two files. A quota of -1 means no limit. */
static void look_at_first_version(struct search *search, const char *group)
{
    char path[PATH_BYTES], quota[64], period[64];
    snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", group);
    if (!search->read(search->context, path, quota, sizeof quota))
        return;
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", group);
    if (search->read(search->context, path, period, sizeof period))
        note_quota(search, strtoll(quota, NULL, 10), strtoll(period, NULL, 10));
}

/* Looks at the group `name`, "/a/b", below the root, and at all groups above it. */
static void look_upwards(struct search *search, const char *root, const char *name,
                         void (*look)(struct search *search, const char *group))
{
    char group[PATH_BYTES];
    /* The group of the process lies outside of the container: only the root can be read. */
    if (strstr(name, "/..") != NULL)
        name = "";
    snprintf(group, sizeof group, "%s%s", root, name);
    for (;;) {
        look(search, group);
        char *slash = strrchr(group, '/');
        if (strlen(group) <= strlen(root) || slash == NULL)
            return;
        *slash = '\0';
    }
}

static bool names_controller(const char *controllers, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = controllers; *at != '\0'; at += strcspn(at, ",")) {
        at += *at == ',';
        if (strcspn(at, ",") == length && strncmp(at, name, length) == 0)
            return true;
    }
    return false;
}

/* A line of /proc/self/cgroup is "NUMBER:CONTROLLERS:/GROUP". Version 2 of control groups names no
 * controllers there. */
static void look_at_line(struct search *search, char *line)
{
    char *controllers = strchr(line, ':');
    char *group = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (group == NULL)
        return;
    *group++ = '\0';
    controllers++;
    if (controllers[0] == '\0') {
        look_upwards(search, "/sys/fs/cgroup", group, look_at_second_version);
        look_upwards(search, "/sys/fs/cgroup/unified", group, look_at_second_version);
    } else if (names_controller(controllers, "cpu")) {
        look_upwards(search, "/sys/fs/cgroup/cpu", group, look_at_first_version);
        look_upwards(search, "/sys/fs/cgroup/cpu,cpuacct", group, look_at_first_version);
    }
}

size_t mwi_processors_quota(mwi_processors_reader *read, void *context)
{
    char text[TEXT_BYTES], *rest = text, *line;
    struct search search = {.read = read, .context = context, .count = SIZE_MAX};
    bool has_groups = read(context, "/proc/self/cgroup", text, sizeof text);
    while (has_groups && (line = strsep(&rest, "\n")) != NULL)
        look_at_line(&search, line);
    return search.count;
}

static bool read_file(void *context, const char *path, char *text, size_t size)
{
    (void)context;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, size - 1);
    if (fd >= 0)
        close(fd);
    if (length < 0)
        return false;
    text[length] = '\0';
    return true;
}

/* The processors of the thread's affinity; 0: unknown. The kernel refuses a set that is too small
 * for the machine, so larger ones are tried. */
static size_t count_bound(void)
{
    for (int max = CPU_SETSIZE; max <= PROCESSORS_MAX; max *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)max);
        size_t size = CPU_ALLOC_SIZE((size_t)max);
        bool is_read = set != NULL && sched_getaffinity(0, size, set) == 0;
        int count = is_read ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (is_read)
            return (size_t)count;
    }
    return 0;
}

/* The processors that Slurm has given the job on this node; SIZE_MAX if this is no job of Slurm. */
static size_t count_of_job(char *(*get)(const char *name))
{
    const char *text = get("SLURM_CPUS_ON_NODE");
    long count = text == NULL ? 0 : strtol(text, NULL, 10);
    return count > 0 ? (size_t)count : SIZE_MAX;
}

static size_t smaller(size_t count, size_t other)
{
    return count < other ? count : other;
}

size_t mwi_processors_usable(char *(*get)(const char *name))
{
    size_t count = count_bound();
    if (count == 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        count = online < 1 ? 1 : (size_t)online;
    }
    count = smaller(count, mwi_processors_quota(read_file, NULL));
    return smaller(count, count_of_job(get));
}

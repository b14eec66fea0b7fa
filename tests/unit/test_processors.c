/* SPDX-License-Identifier: Apache-2.0
 *
 * The processors that a process may use: quotas of control groups in made-up trees of files, and
 * the affinity of this process.
 */
#include "loop/processors.h"

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "mwt_run.h"

#define FILES_MAX 8

struct file {
    const char *path, *text;
};

static bool read_made_up(void *context, const char *path, char *text, size_t size)
{
    const struct file *files = context;
    for (size_t i = 0; i < FILES_MAX && files[i].path != NULL; i++) {
        if (strcmp(files[i].path, path) != 0)
            continue;
        snprintf(text, size, "%s", files[i].text);
        return true;
    }
    return false;
}

static void check_quota(struct file *files, size_t expected)
{
    CU_ASSERT_EQUAL(mwi_processors_quota(read_made_up, files), expected);
}

/* Without control groups, or with files that say nothing, there is no quota. */
static void test_none(void)
{
    struct file nothing[FILES_MAX] = {{NULL, NULL}};
    struct file unlimited[FILES_MAX] = {{"/proc/self/cgroup", "0::/job\n"},
                                        {"/sys/fs/cgroup/job/cpu.max", "max 100000\n"}};
    struct file strange[FILES_MAX] = {{"/proc/self/cgroup", "0\nx:y\n\n0::/job\n"},
                                      {"/sys/fs/cgroup/job/cpu.max", "0 0\n"}};

    check_quota(nothing, SIZE_MAX);
    check_quota(unlimited, SIZE_MAX);
    check_quota(strange, SIZE_MAX);
}

/* A quota is rounded up. */
static void test_rounding(void)
{
    static const struct {
        const char *text;
        size_t expected;
    } cases[] = {{"100000 100000\n", 1},
                 {"100001 100000\n", 2},
                 {"1000 100000\n", 1},
                 {"250000 50000\n", 5},
                 {"max 100000\n", SIZE_MAX}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct file files[FILES_MAX] = {{"/proc/self/cgroup", "0::/\n"},
                                        {"/sys/fs/cgroup/cpu.max", cases[i].text}};
        check_quota(files, cases[i].expected);
    }
}

/* The smallest quota of the process's group and of all above it holds; others do not. */
static void test_groups_above(void)
{
    struct file files[FILES_MAX] = {{"/proc/self/cgroup", "0::/slurm/job_7/step_0\n"},
                                    {"/sys/fs/cgroup/slurm/job_7/step_0/cpu.max", "max 100000\n"},
                                    {"/sys/fs/cgroup/slurm/job_7/cpu.max", "400000 100000\n"},
                                    {"/sys/fs/cgroup/slurm/cpu.max", "6400000 100000\n"},
                                    {"/sys/fs/cgroup/slurm/job_8/cpu.max", "100000 100000\n"}};

    check_quota(files, 4);
}

/* A container without a view of its own sees its files at the root, though its group has a name. */
static void test_container(void)
{
    struct file named[FILES_MAX] = {{"/proc/self/cgroup", "0::/docker/123\n"},
                                    {"/sys/fs/cgroup/cpu.max", "200000 100000\n"}};
    struct file outside[FILES_MAX] = {{"/proc/self/cgroup", "0::/../../123\n"},
                                      {"/sys/fs/cgroup/cpu.max", "200000 100000\n"}};

    check_quota(named, 2);
    check_quota(outside, 2);
}

/* The first version of control groups has a tree for each controller, and two files for a quota. */
static void test_first_version(void)
{
    static const char lines[] = "5:cpuset:/other\n4:cpu,cpuacct:/job\n1:name=systemd:/x\n0::/y\n";
    struct file limited[FILES_MAX] = {{"/proc/self/cgroup", lines},
                                      {"/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "150000\n"},
                                      {"/sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "50000\n"}};
    struct file unlimited[FILES_MAX] = {{"/proc/self/cgroup", lines},
                                        {"/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "-1\n"},
                                        {"/sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "50000\n"}};
    struct file hybrid[FILES_MAX] = {{"/proc/self/cgroup", lines},
                                     {"/sys/fs/cgroup/unified/y/cpu.max", "100000 100000\n"}};
    struct file cpuset_only[FILES_MAX] = {{"/proc/self/cgroup", "5:cpuset,cpuacct:/job\n"},
                                          {"/sys/fs/cgroup/cpu/job/cpu.cfs_quota_us", "50000\n"},
                                          {"/sys/fs/cgroup/cpu/job/cpu.cfs_period_us", "50000\n"}};

    check_quota(limited, 3);
    check_quota(unlimited, SIZE_MAX);
    check_quota(hybrid, 1);
    check_quota(cpuset_only, SIZE_MAX);
}

static char *no_variable(const char *name)
{
    (void)name;
    return NULL;
}

/* A job of Slurm with one processor of its node. */
static char *one_of_job(const char *name)
{
    static char one[] = "1";
    return strcmp(name, "SLURM_CPUS_ON_NODE") == 0 ? one : NULL;
}

static char *strange_job(const char *name)
{
    static char text[] = "4(x2)", negative[] = "-1";
    return strcmp(name, "SLURM_CPUS_ON_NODE") == 0 ? negative : text;
}

/* A job of Slurm uses its share of the node, though Slurm may not bind it to that. */
static void test_job(void)
{
    CU_ASSERT_EQUAL(mwi_processors_usable(one_of_job), 1);
    CU_ASSERT_EQUAL(mwi_processors_usable(strange_job), mwi_processors_usable(no_variable));
}

/* A process that is bound to one processor may use one. */
static void test_bound(void)
{
    cpu_set_t before, one;
    CU_ASSERT_EQUAL_FATAL(sched_getaffinity(0, sizeof before, &before), 0);
    size_t first = 0;
    while (!CPU_ISSET(first, &before))
        first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);

    size_t all = mwi_processors_usable(no_variable);
    CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof one, &one), 0);
    size_t bound = mwi_processors_usable(no_variable);

    CU_ASSERT_TRUE(all >= 1 && all <= (size_t)CPU_COUNT(&before));
    CU_ASSERT_EQUAL(bound, 1);
    CU_ASSERT_EQUAL(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"none", test_none},
        {"rounding", test_rounding},
        {"groups above", test_groups_above},
        {"container", test_container},
        {"first version", test_first_version},
        {"job", test_job},
        {"bound", test_bound},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("processors", tests);
}

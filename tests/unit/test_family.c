/* SPDX-License-Identifier: Apache-2.0
 *
 * What /proc says of processes: parents, sessions and marks, wherever a mark stands among others.
 * Processes that are chosen by these are killed, and no others.
 */
#include "loop/family.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mwt_marked.h"
#include "mwt_run.h"

/* A process is read with its parent and session; one that does not exist is not. */
static void test_read(void)
{
    struct mwi_family_process process = {0};
    struct mwt_marked child;
    mwt_marked_start(&child, "1-a:1", true);

    CU_ASSERT_TRUE(mwi_family_read(child.pid, &process));
    CU_ASSERT_EQUAL(process.pid, child.pid);
    CU_ASSERT_EQUAL(process.parent, getpid());
    CU_ASSERT_EQUAL(process.session, child.pid);
    uint64_t start = process.start;
    kill(child.pid, SIGSTOP);
    while (mwi_family_read(child.pid, &process) && process.state != 'T')
        usleep(1000);
    CU_ASSERT_EQUAL(process.state, 'T');
    CU_ASSERT_TRUE(mwi_family_read(getpid(), &process));
    CU_ASSERT_EQUAL(process.parent, getppid());
    CU_ASSERT_EQUAL(process.session, getsid(0));
    CU_ASSERT_TRUE(process.start > 0 && process.start <= start);

    mwt_marked_end(&child);
    CU_ASSERT_FALSE(mwi_family_read(child.pid, &process));
}

/* A mark is found wherever it stands among others, and no other name is taken for it. */
static void test_marks(void)
{
    static const struct {
        const char *marks;
        bool is_marked;
        uint64_t serial;
    } cases[] = {
        {"77-abc:5", true, 5},       {"77-abc:12 8-d:1", true, 12},
        {"8-d:1 77-abc:6", true, 6}, {"8-d:1 177-abc:6", false, 0},
        {"77-abcd:6", false, 0},     {"77-ab:6", false, 0},
        {"77-abc", false, 0},        {"77-ab:1 77-abc:18446744073709551615", true, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct mwt_marked child;
        uint64_t serial = 0;
        mwt_marked_start(&child, cases[i].marks, false);

        CU_ASSERT_EQUAL(mwi_family_is_marked(child.pid, "77-abc", &serial), cases[i].is_marked);
        CU_ASSERT_EQUAL(serial, cases[i].serial);

        mwt_marked_end(&child);
    }
}

/* Names of farms differ, and begin with the pid. */
static void test_names(void)
{
    char first[MWI_FAMILY_NAME_BYTES], second[MWI_FAMILY_NAME_BYTES];

    mwi_family_make_name(first);
    usleep(1);
    mwi_family_make_name(second);

    CU_ASSERT_EQUAL(atol(first), (long)getpid());
    CU_ASSERT_STRING_NOT_EQUAL(first, second);
}

static bool is_of_farm(void *context, const struct mwi_family_process *process)
{
    uint64_t serial;
    return mwi_family_is_marked(process->pid, context, &serial) && serial == 3;
}

/* Exactly the chosen processes are killed. */
static void test_kill(void)
{
    char name[MWI_FAMILY_NAME_BYTES], marks[4][64];
    struct mwt_marked children[4];
    mwi_family_make_name(name);
    for (int i = 0; i < 4; i++) {
        snprintf(marks[i], sizeof marks[i], "%s:%d", name, i < 2 ? 3 : i + 2);
        mwt_marked_start(&children[i], marks[i], i % 2 == 0);
    }

    CU_ASSERT_EQUAL(mwi_family_kill(is_of_farm, name), 2);

    mwt_marked_await(&children[0]);
    mwt_marked_await(&children[1]);
    CU_ASSERT_EQUAL(mwi_family_kill(is_of_farm, name), 0);
    for (int i = 2; i < 4; i++) {
        CU_ASSERT_TRUE(mwt_marked_is_alive(&children[i]));
        mwt_marked_end(&children[i]);
    }
}

static bool is_that(void *context, const struct mwi_family_process *process)
{
    return process->pid == *(const pid_t *)context;
}

/* With a process its descendants are killed, though they have another session and no mark. */
static void test_kill_trees(void)
{
    static struct mwi_family_process items[4096];
    const struct mwi_family_room room = {items, 4096};
    struct mwt_marked other;
    int ends[2];
    char byte;
    mwt_marked_start(&other, "1-a:1", false);
    CU_ASSERT_EQUAL_FATAL(pipe(ends), 0);
    pid_t top = fork();
    if (top == 0) {
        if (fork() == 0 && setsid() > 0 && fork() == 0)
            byte = (char)write(ends[1], "", 1);
        for (;;)
            pause();
    }
    close(ends[1]);
    CU_ASSERT_EQUAL(read(ends[0], &byte, 1), 1);

    CU_ASSERT_EQUAL(mwi_family_kill_trees(&room, is_that, &top), 3);

    CU_ASSERT_EQUAL(read(ends[0], &byte, 1), 0);
    CU_ASSERT_EQUAL(waitpid(top, NULL, 0), top);
    CU_ASSERT_EQUAL(mwi_family_kill_trees(&room, is_that, &top), 0);
    CU_ASSERT_TRUE(mwt_marked_is_alive(&other));
    mwt_marked_end(&other);
    close(ends[0]);
}

#define HOLDING_BYTES ((size_t)64 << 20)

/* Three processes with the same memory. */
struct holding {
    int file; /* mapped; -1: memory of the process's own */
    pid_t pid;
};

/* Reads all pages, and writes a byte to each if they are not of a file. Then `ready` has a byte. */
static void touch(const struct holding *holding, char *bytes, int ready)
{
    char byte = 0;
    for (size_t i = 0; bytes != MAP_FAILED && i < HOLDING_BYTES; i += 4096) {
        if (holding->file < 0 && bytes[i] == 0)
            bytes[i] = 1;
        byte |= bytes[i];
    }
    ssize_t written = write(ready, &byte, 1);
    (void)written;
}

/* Runs in the process: it holds the memory together with two that it forks. */
static _Noreturn void hold(const struct holding *holding, int ready)
{
    bool is_own = holding->file < 0;
    char *bytes = mmap(NULL, HOLDING_BYTES, is_own ? PROT_READ | PROT_WRITE : PROT_READ,
                       is_own ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_PRIVATE, holding->file, 0);
    (void)setpgid(0, 0);
    touch(holding, bytes, ready);
    if (fork() == 0 || fork() == 0)
        touch(holding, bytes, ready);
    while (true)
        pause();
}

/* Starts the processes, and waits until they hold the memory. */
static void start_holding(struct holding *holding)
{
    int ready[2];
    char byte;
    CU_ASSERT_EQUAL_FATAL(pipe(ready), 0);
    holding->pid = fork();
    if (holding->pid == 0)
        hold(holding, ready[1]);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
}

static void end_holding(const struct holding *holding)
{
    kill(-holding->pid, SIGKILL);
    waitpid(holding->pid, NULL, 0);
}

/* Pages that descendants share count for each in what is resident, and once in their memory. Pages
 * of a file do not count in that. */
static void test_memory(void)
{
    struct holding own = {.file = -1}, mapped = {.file = -1};
    /* Usually /tmp is memory, and /var/tmp is not. */
    char path[] = "/var/tmp/test_family-XXXXXX";
    mapped.file = mkstemp(path);
    unlink(path);
    CU_ASSERT_EQUAL(ftruncate(mapped.file, (off_t)HOLDING_BYTES), 0);
    size_t before = mwi_family_memory_bytes(getpid());

    start_holding(&own);
    CU_ASSERT(mwi_family_resident_bytes(getpid()) >= 3 * HOLDING_BYTES);
    CU_ASSERT(mwi_family_memory_bytes(getpid()) - before >= HOLDING_BYTES);
    CU_ASSERT(mwi_family_memory_bytes(getpid()) - before < 2 * HOLDING_BYTES);
    end_holding(&own);
    start_holding(&mapped);
    CU_ASSERT(mwi_family_resident_bytes(getpid()) >= 3 * HOLDING_BYTES);
    CU_ASSERT(mwi_family_memory_bytes(getpid()) - before < HOLDING_BYTES);
    end_holding(&mapped);

    close(mapped.file);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"read", test_read}, {"marks", test_marks},           {"names", test_names},
        {"kill", test_kill}, {"kill trees", test_kill_trees}, {"memory", test_memory},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("family", tests);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The set of descriptors that a loop waits for besides its transports, and the times at which a
 * loop asks it. The descriptors are pipes.
 */
#include "loop/descriptors.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "mwt_loop.h"
#include "mwt_run.h"

#define MS INT64_C(1000000)

/* A pipe that is watched. */
struct piped {
    struct mwi_descriptors *set;
    int ends[2];
    struct mwi_watch watch;
    unsigned calls_count;
    bool is_left;          /* the callback reads nothing */
    struct piped *removed; /* by the callback; may be NULL */
};

static void hear(void *context)
{
    struct piped *piped = context;
    char byte;
    piped->calls_count++;
    if (!piped->is_left)
        CU_ASSERT_EQUAL(read(piped->ends[0], &byte, 1), 1);
    if (piped->removed != NULL)
        mwi_descriptors_remove(piped->set, &piped->removed->watch);
}

static void add(struct mwi_descriptors *set, struct piped *piped)
{
    *piped = (struct piped){.set = set};
    CU_ASSERT_EQUAL_FATAL(pipe(piped->ends), 0);
    piped->watch = (struct mwi_watch){.fd = piped->ends[0], .ready = hear, .context = piped};
    CU_ASSERT_EQUAL_FATAL(mwi_descriptors_add(set, &piped->watch), MW_OK);
}

static void make_readable(const struct piped *piped)
{
    CU_ASSERT_EQUAL(write(piped->ends[1], "x", 1), 1);
}

static void close_pipe(const struct piped *piped)
{
    close(piped->ends[0]);
    close(piped->ends[1]);
}

static bool is_readable(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};
    return poll(&look, 1, 0) == 1;
}

static struct mwi_descriptors *open_set(void)
{
    struct mwi_descriptors *set = NULL;
    mw_reason why;
    CU_ASSERT_EQUAL_FATAL(mwi_descriptors_open(&set, &why), MW_OK);
    return set;
}

/* The one descriptor of the set is readable while one of those in it is, and only those that are
 * readable are called. */
static void test_any(void)
{
    struct mwi_descriptors *set = open_set();
    struct piped pipes[3];
    for (size_t i = 0; i < 3; i++)
        add(set, &pipes[i]);
    CU_ASSERT_FALSE(is_readable(mwi_descriptors_fd(set)));
    mwi_descriptors_dispatch(set);

    make_readable(&pipes[0]);
    make_readable(&pipes[2]);
    CU_ASSERT_TRUE(is_readable(mwi_descriptors_fd(set)));
    mwi_descriptors_dispatch(set);

    CU_ASSERT_FALSE(is_readable(mwi_descriptors_fd(set)));
    CU_ASSERT_EQUAL(pipes[0].calls_count, 1);
    CU_ASSERT_EQUAL(pipes[1].calls_count, 0);
    CU_ASSERT_EQUAL(pipes[2].calls_count, 1);
    mwi_descriptors_close(set);
    for (size_t i = 0; i < 3; i++)
        close_pipe(&pipes[i]);
}

/* All of many are heard, in several calls if need be; one that is not emptied is called again. */
static void test_many(void)
{
    enum { COUNT = 40 };
    struct mwi_descriptors *set = open_set();
    struct piped pipes[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        add(set, &pipes[i]);
        make_readable(&pipes[i]);
    }

    for (size_t i = 0; i < COUNT && is_readable(mwi_descriptors_fd(set)); i++)
        mwi_descriptors_dispatch(set);

    for (size_t i = 0; i < COUNT; i++)
        CU_ASSERT_EQUAL(pipes[i].calls_count, 1);
    pipes[5].is_left = true;
    make_readable(&pipes[5]);
    mwi_descriptors_dispatch(set);
    mwi_descriptors_dispatch(set);
    CU_ASSERT_EQUAL(pipes[5].calls_count, 3);
    mwi_descriptors_close(set);
    for (size_t i = 0; i < COUNT; i++)
        close_pipe(&pipes[i]);
}

/* A callback may remove its own watch, and another that is readable too and so is not called. */
static void test_remove(void)
{
    struct mwi_descriptors *set = open_set();
    struct piped own, first, second;
    add(set, &own);
    add(set, &first);
    add(set, &second);
    own.is_left = true;
    own.removed = &own;
    first.removed = &second;
    second.removed = &first;
    make_readable(&own);
    make_readable(&first);
    make_readable(&second);

    mwi_descriptors_dispatch(set);
    first.removed = second.removed = NULL;
    mwi_descriptors_dispatch(set);

    CU_ASSERT_EQUAL(own.calls_count, 1);
    CU_ASSERT_EQUAL(first.calls_count + second.calls_count, 1);
    mwi_descriptors_close(set);
    close_pipe(&own);
    close_pipe(&first);
    close_pipe(&second);
}

/* A descriptor that cannot be waited for is an error, and so is a set that cannot be made or does
 * not exist. */
static void test_errors(void)
{
    struct mwi_descriptors *set = open_set();
    struct mwi_watch file = {.fd = open("/proc/self/exe", O_RDONLY), .ready = hear};
    struct mwi_descriptors *untouched = set;
    struct rlimit before, none;
    mw_reason why = {""};

    CU_ASSERT_EQUAL(mwi_descriptors_add(set, &file), MW_EIO);
    CU_ASSERT_EQUAL(mwi_descriptors_add(NULL, &file), MW_EUNAVAILABLE);
    CU_ASSERT_EQUAL(mwi_descriptors_fd(NULL), -1);
    mwi_descriptors_close(NULL);
    CU_ASSERT_EQUAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &none), 0);
    CU_ASSERT_EQUAL(mwi_descriptors_open(&untouched, &why), MW_EIO);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);

    CU_ASSERT_PTR_EQUAL(untouched, set);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "cannot wait for descriptors: "));
    close(file.fd);
    mwi_descriptors_close(set);
}

/* A loop with a set, a pipe in it, and one transport that sleeps. */
static void start_loop(struct mwt_loop *loop, struct piped *piped)
{
    mw_reason why;
    CU_ASSERT_TRUE_FATAL(mwt_loop_open(loop, NULL));
    CU_ASSERT_PTR_NULL(mwi_loop_descriptors(loop->loop));
    CU_ASSERT_EQUAL_FATAL(mwi_loop_open_descriptors(loop->loop, &why), MW_OK);
    CU_ASSERT_EQUAL_FATAL(mwi_loop_open_descriptors(loop->loop, &why), MW_OK);
    CU_ASSERT_TRUE_FATAL(mwt_loop_add(loop, 0, &mwt_fake_sleeping));
    add(mwi_loop_descriptors(loop->loop), piped);
}

static void turn(struct mwt_loop *loop, int64_t deadline_ns)
{
    mw_reason why;
    CU_ASSERT_EQUAL(mwi_loop_turn(loop->loop, deadline_ns, NULL, &why), MW_OK);
}

/* The transports wait for the set; a wait that no peer has ended asks it. */
static void test_wait_in_vain(void)
{
    static struct mwt_loop loop;
    struct piped piped;
    start_loop(&loop, &piped);
    CU_ASSERT_EQUAL(loop.fakes[0].config.wake_fd,
                    mwi_descriptors_fd(mwi_loop_descriptors(loop.loop)));

    make_readable(&piped);
    loop.fakes[0].is_woken = true;
    turn(&loop, INT64_MAX);

    CU_ASSERT_EQUAL(piped.calls_count, 1);
    mwt_loop_close(&loop);
    close_pipe(&piped);
}

/* Turns that are eventful, or must not wait, ask the set once a millisecond, so that a busy loop
 * makes no system call for it in each turn. */
static void test_busy(void)
{
    static struct mwt_loop loop;
    struct piped piped;
    start_loop(&loop, &piped);
    loop.clock = 10 * MS;
    turn(&loop, INT64_MIN);
    mwt_fake_up(&loop.fakes[0], 10 * MS, 1, "x");
    mwt_fake_up(&loop.fakes[0], 12 * MS, 2, "y");
    make_readable(&piped);

    turn(&loop, INT64_MIN);
    turn(&loop, INT64_MIN);
    CU_ASSERT_EQUAL(piped.calls_count, 0);
    turn(&loop, INT64_MAX);

    CU_ASSERT_TRUE(loop.clock >= 12 * MS);
    CU_ASSERT_EQUAL(piped.calls_count, 1);
    mwt_loop_close(&loop);
    close_pipe(&piped);
}

/* A caller that waits for the loop's descriptor hears of the network and of the set. */
static void test_outer(void)
{
    static struct mwt_loop loop;
    struct piped piped, network;
    struct mwi_descriptors *set = open_set();
    add(set, &network);
    start_loop(&loop, &piped);
    loop.fakes[0].fd = network.ends[0];
    int fd = mwi_loop_fd(loop.loop);
    CU_ASSERT_EQUAL(mwi_loop_fd(loop.loop), fd);
    CU_ASSERT_FALSE(is_readable(fd));

    make_readable(&piped);
    CU_ASSERT_TRUE(is_readable(fd));
    loop.clock = 10 * MS;
    turn(&loop, INT64_MIN);
    CU_ASSERT_FALSE(is_readable(fd));
    make_readable(&network);
    CU_ASSERT_TRUE(is_readable(fd));

    CU_ASSERT_EQUAL(piped.calls_count, 1);
    mwt_loop_close(&loop);
    mwi_descriptors_close(set);
    close_pipe(&piped);
    close_pipe(&network);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"any", test_any},
        {"many", test_many},
        {"remove", test_remove},
        {"errors", test_errors},
        {"wait in vain", test_wait_in_vain},
        {"busy", test_busy},
        {"outer", test_outer},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("descriptors", tests);
}

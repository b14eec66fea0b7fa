/* SPDX-License-Identifier: Apache-2.0
 *
 * The slaves of a local farm as a chore: how their ends are noticed, when they are replaced, and
 * how they are closed. Engine, transport and time are played; the slaves are this program itself,
 * with other arguments.
 */
#include "loop/local.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mwt_folder.h"
#include "mwt_loop.h"
#include "mwt_run.h"

#define MS INT64_C(1000000)
/* How long the connection of a slave that has ended may still be read. */
#define UNREAD_NS (20 * MS)
/* How long a slave may live on without its connection. */
#define UNREAPED_NS (100 * MS)
#define PATIENCE_MS 60000

/* A local farm of one slave. */
struct farm {
    struct mwt_folder folder;
    struct mwt_loop loop;
    struct mwi_executable *executable;
    struct mwi_local *local;
    char trail[384];
};

/* The slave: says its pid, and leaves the channel to a child, which ends with the channel. */
static int hold_channel(int channel)
{
    char byte, text[32];
    snprintf(text, sizeof text, "%ld ", (long)getpid());
    if (fork() == 0) {
        while (read(channel, &byte, 1) > 0)
            ;
        _exit(0);
    }
    if (write(channel, text, strlen(text)) < 0)
        return 1;
    for (;;)
        pause();
}

static int be_slave(char **argv)
{
    static const char option[] = "--mw-channel=";
    bool is_brief = false;
    if (strncmp(argv[2], option, sizeof option - 1) != 0)
        return 99;
    for (size_t i = 3; argv[i] != NULL; i++)
        is_brief = is_brief || strcmp(argv[i], "end") == 0;
    return is_brief ? 5 : hold_channel(atoi(argv[2] + sizeof option - 1));
}

/* Starts a farm. `what` is the slaves' argument: "hold" or "end". */
static void start_several(struct farm *farm, size_t slaves_count, char *what, bool has_descriptors)
{
    char path[4096] = "", name[] = "test_local_slaves";
    char *argv[] = {name, what, NULL};
    struct mwi_local_settings settings = {.slaves_count = slaves_count, .argc = 2, .argv = argv};
    struct mwi_executable_settings executable = {.asked = path, .argc = 2, .argv = argv};
    mw_reason why = {""};
    memset(farm, 0, sizeof *farm);
    mwt_folder_create(&farm->folder);
    snprintf(farm->trail, sizeof farm->trail, "%s", mwt_folder_file(&farm->folder, "trail"));
    CU_ASSERT_TRUE_FATAL(readlink("/proc/self/exe", path, sizeof path - 1) > 0);
    CU_ASSERT_TRUE_FATAL(mwt_loop_open(&farm->loop, farm->trail));
    if (has_descriptors)
        CU_ASSERT_EQUAL_FATAL(mwi_loop_open_descriptors(farm->loop.loop, &why), MW_OK);
    CU_ASSERT_TRUE_FATAL(mwt_loop_add(&farm->loop, 0, &mwt_fake_sleeping));
    farm->loop.clock = 0;
    CU_ASSERT_EQUAL_FATAL(mwi_executable_open(&farm->executable, &executable), MW_OK);
    CU_ASSERT_EQUAL_FATAL(
        mwi_local_open(&farm->local, &settings, farm->executable, farm->loop.loop, 0, false, &why),
        MW_OK);
    CU_ASSERT_EQUAL_FATAL(mwi_local_start(farm->local, &why), MW_OK);
}

/* mwi_loop_engine.withhold. */
static bool withhold(void *context, mw_peer peer, const char *reason)
{
    struct farm *farm = context;
    return mwi_local_withhold(farm->local, peer, reason);
}

static void start(struct farm *farm, char *what, bool has_descriptors)
{
    start_several(farm, 1, what, has_descriptors);
}

static void end(struct farm *farm)
{
    mwt_loop_close(&farm->loop);
    mwi_executable_close(farm->executable);
    mwt_folder_destroy(&farm->folder);
}

/* A turn that waits until the deadline; whether it was eventful. */
static bool turn(struct farm *farm, int64_t deadline_ns)
{
    mw_reason why = {""};
    bool is_eventful = false;
    CU_ASSERT_EQUAL(mwi_loop_turn(farm->loop.loop, deadline_ns, &is_eventful, &why), MW_OK);
    return is_eventful;
}

/* Waits, in real time, until a descriptor would end the wait of a transport, and turns. */
static bool turn_when_woken(struct farm *farm)
{
    struct pollfd wake = {.fd = farm->loop.fakes[0].config.wake_fd, .events = POLLIN};
    CU_ASSERT_EQUAL_FATAL(poll(&wake, 1, PATIENCE_MS), 1);
    farm->loop.fakes[0].is_woken = true;
    bool is_eventful = turn(farm, INT64_MAX);
    farm->loop.fakes[0].is_woken = false;
    return is_eventful;
}

/* Waits, in real time, until a slave has ended, if there is one, and turns. */
static bool turn_after_end(struct farm *farm)
{
    siginfo_t info;
    (void)waitid(P_ALL, 0, &info, WEXITED | WNOWAIT);
    return turn(farm, farm->loop.clock + 600 * MS);
}

static int64_t deadline(struct farm *farm)
{
    return mwi_chores_deadline(mwi_loop_chores(farm->loop.loop));
}

/* Whether the ends of slaves are reported, so that nothing but their states is to be looked at. */
static bool has_pidfd(struct farm *farm)
{
    return deadline(farm) > farm->loop.clock + 900 * MS;
}

/* The master's end of the newest channel. */
static int channel_of(const struct farm *farm)
{
    const char *last = NULL;
    for (const char *at = farm->loop.fakes[0].calls; (at = strstr(at, "connect fd:")) != NULL; at++)
        last = at;
    return last == NULL ? -1 : atoi(last + strlen("connect fd:"));
}

/* The pid of the newest slave, once it has left its channel to a child. */
static pid_t slave_of(const struct farm *farm)
{
    char text[32] = "";
    CU_ASSERT_TRUE_FATAL(read(channel_of(farm), text, sizeof text - 1) > 0);
    return (pid_t)atol(text);
}

/* Kills the newest slave, and returns when it is dead. */
static void kill_slave(const struct farm *farm)
{
    siginfo_t info;
    pid_t pid = slave_of(farm);
    CU_ASSERT_EQUAL(kill(pid, SIGKILL), 0);
    CU_ASSERT_EQUAL(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

/* How often the trail has the text. */
static size_t count_in_trail(struct farm *farm, const char *text)
{
    static char content[16384];
    size_t count = 0;
    FILE *stream = fopen(farm->trail, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    content[fread(content, 1, sizeof content - 1, stream)] = '\0';
    fclose(stream);
    for (const char *at = content; (at = strstr(at, text)) != NULL; at++)
        count++;
    return count;
}

/* The end of a slave is noticed at once though its connection stays up, and it is replaced a moment
 * later; until it ends nothing makes the loop look at it. */
static void test_noticed_at_once(void)
{
    static struct farm farm;
    start(&farm, "hold", true);
    int channel = channel_of(&farm);
    turn(&farm, 1);
    if (!has_pidfd(&farm)) {
        printf("no pidfd here ");
        end(&farm);
        return;
    }

    kill_slave(&farm);
    turn_when_woken(&farm);

    CU_ASSERT_EQUAL(count_in_trail(&farm, "was killed by signal 9"), 1);
    CU_ASSERT_EQUAL(count_in_trail(&farm, "started local slave"), 1);
    turn(&farm, INT64_MAX);
    turn(&farm, INT64_MIN);
    CU_ASSERT_STRING_EQUAL(farm.loop.steps, "down 1 was killed by signal 9 (Killed)");
    CU_ASSERT_EQUAL(count_in_trail(&farm, "started local slave"), 2);
    CU_ASSERT_TRUE(farm.loop.clock < UNREAD_NS + 1 * MS);
    close(channel);
    channel = channel_of(&farm);
    end(&farm);
    close(channel);
}

/* A slave may end before the master has read all that it sent: results and a goodbye. Then its
 * connection is read to its end, however late the master turns, and the slave is not lost. */
static void test_read_to_the_end(void)
{
    static struct farm farm;
    start(&farm, "hold", true);
    int channel = channel_of(&farm);
    turn(&farm, 1);
    if (!has_pidfd(&farm)) {
        printf("no pidfd here ");
        end(&farm);
        close(channel);
        return;
    }
    kill_slave(&farm);
    turn_when_woken(&farm);

    int64_t late_ns = farm.loop.clock + 10000 * MS;
    mwt_fake_frame(&farm.loop.fakes[0], late_ns, 1, "goodbye");
    mwt_fake_down(&farm.loop.fakes[0], late_ns, 1, "closed by the peer");
    farm.loop.clock = late_ns;
    turn(&farm, INT64_MIN);

    CU_ASSERT_STRING_EQUAL(farm.loop.steps, "frame 1 goodbye, down 1 closed by the peer");
    CU_ASSERT_EQUAL(count_in_trail(&farm, "was killed by signal 9"), 1);
    close(channel);
    end(&farm);
}

/* The connection of a slave usually ends a moment before its process is reaped. The engine hears of
 * both at once, with the word of how the process ended. */
static void test_connection_ends_first(void)
{
    for (int has_descriptors = 0; has_descriptors < 2; has_descriptors++) {
        static struct farm farm;
        start(&farm, "hold", has_descriptors);
        int channel = channel_of(&farm);
        farm.loop.withhold = withhold;
        farm.loop.withhold_context = &farm;
        turn(&farm, 1);

        mwt_fake_down(&farm.loop.fakes[0], farm.loop.clock, 77, "reset by another peer");
        mwt_fake_down(&farm.loop.fakes[0], farm.loop.clock, 1, "reset by the peer");
        turn(&farm, INT64_MIN);
        CU_ASSERT_STRING_EQUAL(farm.loop.steps, "down 77 reset by another peer");
        kill_slave(&farm);
        for (int i = 0; i < 50 && count_in_trail(&farm, "started local slave") < 2; i++)
            turn(&farm, farm.loop.clock + 1 * MS);

        CU_ASSERT_STRING_EQUAL(farm.loop.steps, "down 77 reset by another peer, "
                                                "down 1 was killed by signal 9 (Killed)");
        close(channel);
        channel = channel_of(&farm);
        end(&farm);
        close(channel);
    }
}

/* A slave that closes its connection and lives on is lost all the same, a little later. */
static void test_connection_ends_alone(void)
{
    static struct farm farm;
    start(&farm, "hold", true);
    int channel = channel_of(&farm);
    farm.loop.withhold = withhold;
    farm.loop.withhold_context = &farm;
    turn(&farm, 1);

    mwt_fake_down(&farm.loop.fakes[0], farm.loop.clock, 1, "closed by the peer");
    turn(&farm, INT64_MIN);
    turn(&farm, INT64_MIN);
    CU_ASSERT_STRING_EQUAL(farm.loop.steps, "");
    farm.loop.clock += UNREAPED_NS;
    turn(&farm, INT64_MIN);

    CU_ASSERT_STRING_EQUAL(farm.loop.steps, "down 1 closed by the peer");
    end(&farm);
    close(channel);
}

/* A slave whose task overran its time limit is killed at once, also while the farm ends, and the
 * trail says why. */
static void test_overrun(void)
{
    for (int is_stopped = 0; is_stopped < 2; is_stopped++) {
        static struct farm farm;
        start(&farm, "hold", true);
        int channel = channel_of(&farm);
        (void)slave_of(&farm);
        turn(&farm, 1);
        int64_t began_ns = farm.loop.clock;
        if (is_stopped)
            mwi_chores_stop(mwi_loop_chores(farm.loop.loop), true);

        mwi_local_lost(farm.local, 1, true, MW_LOSS_TIME_LIMIT);
        turn_after_end(&farm);
        farm.loop.clock = began_ns;
        turn(&farm, INT64_MIN);

        CU_ASSERT_EQUAL(count_in_trail(&farm, "was killed: its task overran its time limit"), 1);
        CU_ASSERT_EQUAL(count_in_trail(&farm, "started local slave"), is_stopped ? 1 : 2);
        close(channel);
        channel = channel_of(&farm);
        end(&farm);
        close(channel);
    }
}

/* A killed slave that is not reaped yet when the farm closes is not said to have missed the
 * time-out. */
static void test_overrun_at_close(void)
{
    static struct farm farm;
    start(&farm, "hold", true);
    int channel = channel_of(&farm);
    (void)slave_of(&farm);

    mwi_local_lost(farm.local, 1, true, MW_LOSS_TIME_LIMIT);
    mwi_chores_close(mwi_loop_chores(farm.loop.loop), farm.loop.clock);
    turn(&farm, INT64_MIN);

    CU_ASSERT_EQUAL(count_in_trail(&farm, "was killed: its task overran its time limit"), 1);
    CU_ASSERT_EQUAL(count_in_trail(&farm, "--mw-shutdown-timeout"), 0);
    end(&farm);
    close(channel);
}

/* A slave that a signal has stopped is told from one that computes. */
static void test_halted(void)
{
    static struct farm farm;
    siginfo_t info;
    start(&farm, "hold", true);
    int channel = channel_of(&farm);
    pid_t pid = slave_of(&farm);
    turn(&farm, 1);
    CU_ASSERT_FALSE(mwi_local_is_halted(farm.local, 1));
    CU_ASSERT_FALSE(mwi_local_is_halted(farm.local, 77));

    kill(pid, SIGSTOP);
    CU_ASSERT_EQUAL(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT), 0);
    CU_ASSERT_TRUE(mwi_local_is_halted(farm.local, 1));
    farm.loop.clock += 1000 * MS;
    turn(&farm, INT64_MIN);
    CU_ASSERT_EQUAL(count_in_trail(&farm, ", is stopped"), 1);
    kill(pid, SIGCONT);
    CU_ASSERT_EQUAL(waitid(P_PID, (id_t)pid, &info, WCONTINUED | WNOWAIT), 0);
    for (int i = 0; i < 3; i++) {
        farm.loop.clock += 1000 * MS;
        turn(&farm, INT64_MIN);
    }

    CU_ASSERT_FALSE(mwi_local_is_halted(farm.local, 1));
    CU_ASSERT_EQUAL(count_in_trail(&farm, ", is stopped"), 1);
    CU_ASSERT_EQUAL(count_in_trail(&farm, ", goes on"), 1);
    end(&farm);
    close(channel);
}

/* Without such descriptors the slaves are looked at every half a second. */
static void test_looked_at(void)
{
    static struct farm farm;
    start(&farm, "hold", false);
    int channel = channel_of(&farm);
    turn(&farm, 1);
    kill_slave(&farm);
    int64_t look_ns = deadline(&farm);
    CU_ASSERT_TRUE(look_ns >= 500 * MS && look_ns < 501 * MS);

    farm.loop.clock = look_ns - 1 * MS;
    turn(&farm, INT64_MIN);
    CU_ASSERT_EQUAL(count_in_trail(&farm, "MASTER local slave, pid"), 0);
    farm.loop.clock = look_ns;
    turn(&farm, INT64_MIN);
    CU_ASSERT_EQUAL(deadline(&farm), look_ns + UNREAD_NS);
    farm.loop.clock = deadline(&farm);
    turn(&farm, INT64_MIN);

    CU_ASSERT_STRING_EQUAL(farm.loop.steps, "down 1 was killed by signal 9 (Killed)");
    CU_ASSERT_EQUAL(count_in_trail(&farm, "was killed by signal 9"), 1);
    CU_ASSERT_EQUAL(count_in_trail(&farm, "started local slave"), 2);
    close(channel);
    channel = channel_of(&farm);
    end(&farm);
    close(channel);
}

/* While the master waits for its slaves to stop their ends are still noticed, but none is replaced
 * or killed. */
static void test_stopped(void)
{
    for (int has_descriptors = 0; has_descriptors < 2; has_descriptors++) {
        static struct farm farm;
        start(&farm, "hold", has_descriptors);
        int channel = channel_of(&farm);
        turn(&farm, 1);

        mwi_chores_stop(mwi_loop_chores(farm.loop.loop), true);
        mwi_local_lost(farm.local, 1, true, MW_LOSS_SILENCE);
        farm.loop.clock = 10000 * MS;
        turn(&farm, INT64_MIN);
        CU_ASSERT_EQUAL(count_in_trail(&farm, "MASTER local slave, pid"), 0);
        kill_slave(&farm);
        for (int i = 0; i < 1000 && count_in_trail(&farm, "MASTER local slave, pid") == 0; i++)
            turn(&farm, farm.loop.clock + 2 * MS);
        turn(&farm, INT64_MIN);

        CU_ASSERT_EQUAL(count_in_trail(&farm, "was killed by signal 9"), 1);
        CU_ASSERT_EQUAL(count_in_trail(&farm, "started local slave"), 1);
        CU_ASSERT_EQUAL(deadline(&farm), INT64_MAX);
        end(&farm);
        close(channel);
    }
}

/* A slave that is lost, but whose process goes on, is killed after a second, and replaced. */
static void test_helped_along(void)
{
    static struct farm farm;
    start(&farm, "hold", true);
    int channel = channel_of(&farm);
    (void)slave_of(&farm);
    mwi_local_lost(farm.local, 77, true, MW_LOSS_TIME_LIMIT);
    mwi_local_lost(farm.local, 1, true, MW_LOSS_SILENCE);
    turn(&farm, 1);
    CU_ASSERT_TRUE(deadline(&farm) <= 1000 * MS);

    farm.loop.clock = 1000 * MS;
    turn(&farm, INT64_MIN);
    for (int i = 0; i < 10 && count_in_trail(&farm, "started local slave") < 2; i++)
        turn_after_end(&farm);

    CU_ASSERT_EQUAL(count_in_trail(&farm, "was killed: it went on for a second after"), 1);
    close(channel);
    channel = channel_of(&farm);
    end(&farm);
    close(channel);
}

/* A place whose slaves all end without having begun a task is given up, which the loop's user is
 * told by an eventful turn. */
static void test_given_up(void)
{
    static struct farm farm;
    mw_reason why = {""};
    bool is_told = false;
    start(&farm, "end", true);

    for (int i = 0; i < 100 && !mwi_local_is_exhausted(farm.local, &why); i++)
        is_told = turn_after_end(&farm);

    CU_ASSERT_TRUE(is_told);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "ended 4 times in a row"));
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "exited with status 5"));
    CU_ASSERT_EQUAL(count_in_trail(&farm, "started local slave"), 4);
    CU_ASSERT_EQUAL(count_in_trail(&farm, "exited with status 5"), 4);
    turn(&farm, INT64_MIN);
    CU_ASSERT_EQUAL(deadline(&farm), INT64_MAX);
    end(&farm);
}

/* Closing kills a slave that does not end in time, and leaves no process behind. */
static void test_close(void)
{
    static struct farm farm;
    start(&farm, "hold", true);
    int channel = channel_of(&farm);
    pid_t pid = slave_of(&farm);

    mwi_chores_close(mwi_loop_chores(farm.loop.loop), farm.loop.clock);

    CU_ASSERT_EQUAL(kill(pid, 0), -1);
    turn(&farm, INT64_MIN);
    CU_ASSERT_EQUAL(
        count_in_trail(&farm, "was killed: it did not end within --mw-shutdown-timeout"), 1);
    end(&farm);
    close(channel);
}

/* A slave that cannot be connected to leaves no process behind. */
static void test_no_connection(void)
{
    static struct farm farm;
    mw_reason why = {""};
    start(&farm, "hold", true);
    int channel = channel_of(&farm);
    kill_slave(&farm);
    farm.loop.fakes[0].connect_error = MW_ENETWORK;

    for (int i = 0; i < 1000 && count_in_trail(&farm, "could not start") < 2; i++)
        turn(&farm, farm.loop.clock + 100 * MS);

    CU_ASSERT_EQUAL(count_in_trail(&farm, "could not start a local slave: fake trouble"), 2);
    CU_ASSERT_EQUAL(count_in_trail(&farm, "was killed: fake trouble"), 2);
    CU_ASSERT_EQUAL(waitpid(-1, NULL, WNOHANG), -1);
    CU_ASSERT_FALSE(mwi_local_is_exhausted(farm.local, &why));
    end(&farm);
    close(channel);
}

/* A farm starts as many slaves as it has descriptors for their sockets; those for their ends do not
 * stand in the way. */
static void test_few_descriptors(void)
{
    static struct farm farm;
    struct rlimit before, few;
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = 48;
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &few), 0);

    start_several(&farm, 24, "end", true);

    turn(&farm, INT64_MIN);
    CU_ASSERT_EQUAL(count_in_trail(&farm, "started local slave"), 24);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
    for (const char *at = farm.loop.fakes[0].calls; (at = strstr(at, "connect fd:")) != NULL; at++)
        close(atoi(at + strlen("connect fd:")));
    end(&farm);
}

int main(int argc, char **argv)
{
    CU_TestInfo tests[] = {
        {"noticed at once", test_noticed_at_once},
        {"read to the end", test_read_to_the_end},
        {"connection ends first", test_connection_ends_first},
        {"connection ends alone", test_connection_ends_alone},
        {"overrun", test_overrun},
        {"overrun at close", test_overrun_at_close},
        {"halted", test_halted},
        {"looked at", test_looked_at},
        {"stopped", test_stopped},
        {"helped along", test_helped_along},
        {"given up", test_given_up},
        {"close", test_close},
        {"no connection", test_no_connection},
        {"few descriptors", test_few_descriptors},
        CU_TEST_INFO_NULL,
    };
    if (argc > 2 && strcmp(argv[1], "--mw-slave") == 0)
        return be_slave(argv);
    return mwt_run("local slaves", tests);
}

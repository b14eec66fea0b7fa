/* SPDX-License-Identifier: Apache-2.0
 *
 * Outlets over real pipes, FIFOs, terminals, sockets and files: none blocks, whole lines arrive,
 * flags of inherited descriptors stay, and files that are moved away are opened anew.
 */
#include "record/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>

#include "mwt_folder.h"
#include "mwt_run.h"

#define LINE_BYTES 100
#define LINES_COUNT 4000

/* Standard error is a descriptor of the test while it is in place. */
struct place {
    struct mwt_folder folder;
    int saved;
    char *lines; /* LINES_COUNT lines, more than any pipe or socket takes */
    size_t size;
    struct mwi_outlet outlet;
};

static void set_up(struct place *place, int fd)
{
    mwt_folder_create(&place->folder);
    fflush(stderr);
    place->saved = dup(STDERR_FILENO);
    CU_ASSERT_TRUE_FATAL(place->saved >= 0 && dup2(fd, STDERR_FILENO) == STDERR_FILENO);
    place->size = (size_t)LINE_BYTES * LINES_COUNT;
    place->lines = malloc(place->size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(place->lines);
    memset(place->lines, 'x', place->size);
    for (size_t i = LINE_BYTES - 1; i < place->size; i += LINE_BYTES)
        place->lines[i] = '\n';
    mwi_outlet_open_error(&place->outlet);
}

static void tear_down(struct place *place)
{
    mwi_outlet_close(&place->outlet);
    dup2(place->saved, STDERR_FILENO);
    close(place->saved);
    free(place->lines);
    mwt_folder_destroy(&place->folder);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Writes more than an unread place takes: it waits once for a moment, and not again. Returns how
 * much was written. */
static size_t fill(struct place *place)
{
    double began = seconds();
    size_t written = mwi_outlet_write(&place->outlet, place->lines, place->size);
    for (int i = 0; i < 10; i++) {
        mwi_outlet_renew(&place->outlet);
        (void)mwi_outlet_write(&place->outlet, place->lines, LINE_BYTES * 10);
    }
    CU_ASSERT_TRUE(written > 0 && written < place->size);
    CU_ASSERT_EQUAL(place->outlet.error, 0);
    CU_ASSERT_TRUE(place->outlet.is_stalled);
    CU_ASSERT_TRUE(seconds() - began < 1.5);
    return written;
}

static void make_pipe(int ends[2])
{
    CU_ASSERT_EQUAL_FATAL(pipe2(ends, O_CLOEXEC), 0);
}

static size_t drain(int fd)
{
    static char bytes[65536];
    size_t total = 0;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    for (ssize_t got; (got = read(fd, bytes, sizeof bytes)) > 0; total += (size_t)got)
        ;
    return total;
}

/* A pipe that nobody reads takes whole lines until it is full, and goes on once it is read. Its
 * flags, which others share, are as before. */
static void test_unread_pipe(void)
{
    static struct place place;
    int ends[2];
    make_pipe(ends);
    set_up(&place, ends[1]);

    size_t written = fill(&place);

    CU_ASSERT_EQUAL(written % LINE_BYTES, 0);
    CU_ASSERT_EQUAL(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
    CU_ASSERT_TRUE(drain(ends[0]) >= written);
    mwi_outlet_renew(&place.outlet);
    CU_ASSERT_EQUAL(mwi_outlet_write(&place.outlet, place.lines, 500), 500);
    CU_ASSERT_FALSE(place.outlet.is_stalled);
    tear_down(&place);
    close(ends[0]);
    close(ends[1]);
}

/* A pipe that cannot be opened anew is asked before each write. */
static void test_pipe_of_others(void)
{
    static struct place place;
    int ends[2];
    make_pipe(ends);
    set_up(&place, ends[1]);
    (void)mwi_outlet_shut(&place.outlet);
    place.outlet.fd = STDERR_FILENO;
    place.outlet.can_block = true;

    size_t written = fill(&place);

    CU_ASSERT_EQUAL(written % LINE_BYTES, 0);
    tear_down(&place);
    close(ends[0]);
    close(ends[1]);
}

/* The same holds for a socket. */
static void test_unread_socket(void)
{
    static struct place place;
    int ends[2];
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    set_up(&place, ends[1]);

    (void)fill(&place);

    CU_ASSERT_EQUAL(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
    tear_down(&place);
    close(ends[0]);
    close(ends[1]);
}

/* The same holds for a terminal that was stopped with ^S, or that nobody reads. */
static void test_stopped_terminal(void)
{
    static struct place place;
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    CU_ASSERT_TRUE_FATAL(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    CU_ASSERT_TRUE_FATAL(terminal >= 0);
    set_up(&place, terminal);

    (void)fill(&place);
    CU_ASSERT_EQUAL(tcflow(terminal, TCOOFF), 0);
    (void)drain(master);
    mwi_outlet_renew(&place.outlet);
    CU_ASSERT_EQUAL(mwi_outlet_write(&place.outlet, place.lines, LINE_BYTES), 0);

    CU_ASSERT_EQUAL(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
    tear_down(&place);
    close(terminal);
    close(master);
}

/* A pipe without a reader is an error and no signal, which would end this test. */
static void test_broken_pipe(void)
{
    static struct place place;
    int ends[2];
    make_pipe(ends);
    close(ends[0]);
    set_up(&place, ends[1]);

    CU_ASSERT_EQUAL(mwi_outlet_write(&place.outlet, place.lines, LINE_BYTES), 0);

    CU_ASSERT_EQUAL(place.outlet.error, EPIPE);
    tear_down(&place);
    close(ends[1]);
}

/* A FIFO without a reader can be opened; lines flow once it has a reader, and again with another
 * one. */
static void test_fifo(void)
{
    static struct place place;
    set_up(&place, STDERR_FILENO);
    mwi_outlet_close(&place.outlet);
    const char *path = mwt_folder_file(&place.folder, "fifo");
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);

    CU_ASSERT_TRUE(mwi_outlet_open(&place.outlet, strdup(path)));
    CU_ASSERT_EQUAL(mwi_outlet_write(&place.outlet, place.lines, LINE_BYTES), 0);
    CU_ASSERT_EQUAL(place.outlet.error, 0);
    for (int i = 0; i < 2; i++) {
        int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        (void)mwi_outlet_look(&place.outlet);
        CU_ASSERT_EQUAL(mwi_outlet_write(&place.outlet, place.lines, LINE_BYTES), LINE_BYTES);
        CU_ASSERT_EQUAL(drain(reader), LINE_BYTES);
        close(reader);
        CU_ASSERT_EQUAL(mwi_outlet_write(&place.outlet, place.lines, LINE_BYTES), 0);
        CU_ASSERT_EQUAL(place.outlet.error, 0);
    }
    tear_down(&place);
}

static size_t size_of(struct mwt_folder *folder, const char *name)
{
    struct stat status;
    return stat(mwt_folder_file(folder, name), &status) == 0 ? (size_t)status.st_size : 0;
}

/* A file that was renamed or removed is opened anew; one that was only emptied is written from its
 * new end. */
static void test_moved_file(void)
{
    static struct place place;
    set_up(&place, STDERR_FILENO);
    mwi_outlet_close(&place.outlet);
    const char *path = strdup(mwt_folder_file(&place.folder, "a"));
    CU_ASSERT_TRUE(mwi_outlet_open(&place.outlet, strdup(path)));
    CU_ASSERT_EQUAL(mwi_outlet_write(&place.outlet, place.lines, 3 * LINE_BYTES), 300);

    CU_ASSERT_FALSE(mwi_outlet_look(&place.outlet));
    CU_ASSERT_EQUAL(rename(path, mwt_folder_file(&place.folder, "b")), 0);
    CU_ASSERT_TRUE(mwi_outlet_look(&place.outlet));
    CU_ASSERT_EQUAL(mwi_outlet_write(&place.outlet, place.lines, LINE_BYTES), 100);
    CU_ASSERT_EQUAL(size_of(&place.folder, "b"), 300);
    CU_ASSERT_EQUAL(size_of(&place.folder, "a"), 100);
    CU_ASSERT_EQUAL(unlink(path), 0);
    CU_ASSERT_TRUE(mwi_outlet_look(&place.outlet));
    CU_ASSERT_EQUAL(mwi_outlet_write(&place.outlet, place.lines, 2 * LINE_BYTES), 200);
    CU_ASSERT_EQUAL(truncate(path, 0), 0);
    CU_ASSERT_FALSE(mwi_outlet_look(&place.outlet));
    CU_ASSERT_EQUAL(mwi_outlet_write(&place.outlet, place.lines, LINE_BYTES), 100);
    CU_ASSERT_EQUAL(size_of(&place.folder, "a"), 100);

    free((char *)path);
    tear_down(&place);
}

/* A standard error that the program has redirected is noticed. */
static void test_redirected_error(void)
{
    static struct place place;
    int ends[2], others[2];
    make_pipe(ends);
    make_pipe(others);
    set_up(&place, ends[1]);

    CU_ASSERT_FALSE(mwi_outlet_look(&place.outlet));
    dup2(others[1], STDERR_FILENO);
    CU_ASSERT_TRUE(mwi_outlet_look(&place.outlet));
    CU_ASSERT_EQUAL(mwi_outlet_write(&place.outlet, place.lines, LINE_BYTES), LINE_BYTES);

    CU_ASSERT_EQUAL(drain(others[0]), LINE_BYTES);
    CU_ASSERT_EQUAL(drain(ends[0]), 0);
    tear_down(&place);
    for (int i = 0; i < 2; i++) {
        close(ends[i]);
        close(others[i]);
    }
}

/* A sentence is one line; an unread pipe swallows it. */
static void test_say(void)
{
    static struct place place;
    int ends[2];
    char text[64] = "";
    make_pipe(ends);
    set_up(&place, ends[1]);

    mwi_outlet_say("waiting for 4 tasks");
    CU_ASSERT_EQUAL(read(ends[0], text, sizeof text - 1), 20);
    CU_ASSERT_STRING_EQUAL(text, "waiting for 4 tasks\n");
    (void)fill(&place);
    double began = seconds();
    mwi_outlet_say("nobody hears this");
    CU_ASSERT_TRUE(seconds() - began < 1);

    tear_down(&place);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"unread pipe", test_unread_pipe},
        {"pipe of others", test_pipe_of_others},
        {"unread socket", test_unread_socket},
        {"stopped terminal", test_stopped_terminal},
        {"broken pipe", test_broken_pipe},
        {"fifo", test_fifo},
        {"moved file", test_moved_file},
        {"redirected error", test_redirected_error},
        {"say", test_say},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("outlet", tests);
}

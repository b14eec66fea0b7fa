/* SPDX-License-Identifier: Apache-2.0
 *
 * The command lines of every farm over TCP, as they were before there were keys: all that passes is
 * encrypted, and both sides find the key by themselves. Where they cannot agree, each says why. The
 * key itself is seen nowhere but in its files.
 *
 * A relay between slave and master shows what passes. Each farm has a folder for the key file of
 * its user.
 */
#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "mwt_process.h"
#include "mwt_relay.h"
#include "mwt_run.h"

#define TASKS_COUNT 20
#define KEY_DIGITS 64
#define HANDSHAKE 0x16 /* the first byte of TLS */

/* A test with a user of its own. */
struct place {
    struct mwt_crew *crew;
    const char *config;  /* XDG_CONFIG_HOME of its user, as a setting */
    const char *rsc;     /* the resource file */
    const char *command; /* what the farm's program reads, as a setting; or NULL */
    const char *checks;  /* beside a command: what sanitizers check, as a setting; or NULL */
};

static void open_place(struct place *place)
{
    place->crew = mwt_crew_create();
    place->config = mwt_format(place->crew, "XDG_CONFIG_HOME=%s", mwt_path(place->crew, "config"));
    place->rsc = mwt_path(place->crew, "farm.rsc");
    place->command = NULL;
    place->checks = NULL;
}

static void close_place(struct place *place)
{
    mwt_crew_destroy(place->crew);
}

static const char *key_file(const struct place *place)
{
    return mwt_path(place->crew, "config/mw/key");
}

/* Starts a program with the arguments as the place's user. */
static struct mwt_process *start(const struct place *place, const char *const *argv)
{
    return mwt_start(
        place->crew,
        &(struct mwt_start){.argv = argv,
                            .environment = MWT_ARGV(place->config, place->command, place->checks)});
}

#define START(place, ...) start(place, MWT_ARGV(__VA_ARGS__))
#define LOCALHOST "--mw-master-host", "127.0.0.1"

/* Waits until the master listens, and returns its port. */
static const char *await_port(const struct place *place, struct mwt_process *master)
{
    const char *line = mwt_await_line(master, MWT_ERR, "MASTER READY ");
    CU_ASSERT_PTR_NOT_NULL_FATAL(line);
    return mwt_format(place->crew, "%s", strrchr(line, ':') + 1);
}

static void check_done(struct mwt_process *master, struct mwt_process *slave)
{
    CU_ASSERT_EQUAL(mwt_await_end(master), 0);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    mwt_await_line(master, MWT_OUT, "farm: 20 done, 0 failed, 0 unrunnable, 0 lost or wrong");
}

/* The slave ends with the status, and its last words are these. */
static void check_refused(struct mwt_process *slave, int status, const char *words)
{
    CU_ASSERT_EQUAL(mwt_await_end(slave), status);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(slave, MWT_ERR), words));
}

/* All that the relay has passed on is TLS from the first byte, and names neither algorithms nor
 * farms. */
static void check_encrypted(struct mwt_relay *relay)
{
    for (int way = MWT_UP; way <= MWT_DOWN; way++) {
        size_t size;
        unsigned char *bytes = mwt_relay_record(relay, 0, (enum mwt_way)way, &size);
        CU_ASSERT(size > 100 && bytes[0] == HANDSHAKE);
        free(bytes);
    }
    CU_ASSERT_FALSE(mwt_relay_has_seen(relay, "echo"));
    CU_ASSERT_FALSE(mwt_relay_has_seen(relay, "default-member-id"));
}

static void check_private(const char *path)
{
    struct stat status;
    CU_ASSERT_EQUAL_FATAL(stat(path, &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 07777, 0600);
}

/* README's first way: master and slave share a resource file. It is private, and has all that the
 * slave needs: without any other option the two talk through the relay, and what passes is
 * encrypted. */
static void test_resource_file(void)
{
    struct place place;
    open_place(&place);
    struct mwt_process *master = START(&place, MWT_FARM, "--mw-master", "--mw-resource-file",
                                       place.rsc, LOCALHOST, "echo", "20");
    struct mwt_relay *relay = mwt_relay_create(await_port(&place, master));
    mwt_await_line(master, MWT_ERR, "Generated resource file");
    check_private(place.rsc);

    struct mwt_process *slave =
        START(&place, MWT_FARM, "--mw-slave", "--mw-resource-file", place.rsc, LOCALHOST,
              "--mw-master-port", mwt_relay_port(relay));

    check_done(master, slave);
    check_encrypted(relay);
    CU_ASSERT_PTR_NULL(strstr(mwt_output(master, MWT_ERR), "insecure"));
    mwt_relay_destroy(relay);
    close_place(&place);
}

/* README's second way: the slave has host and port alone. The master has made the user's key file,
 * which the slave finds. */
static void test_key_file(void)
{
    struct place place;
    open_place(&place);
    struct mwt_process *master = START(&place, MWT_FARM, "--mw-master", LOCALHOST, "echo", "20");
    struct mwt_relay *relay = mwt_relay_create(await_port(&place, master));
    check_private(key_file(&place));

    struct mwt_process *slave =
        START(&place, MWT_FARM, "--mw-slave", LOCALHOST, "--mw-master-port", mwt_relay_port(relay));

    check_done(master, slave);
    check_encrypted(relay);
    mwt_relay_destroy(relay);
    close_place(&place);
}

#ifdef MWT_MPIEXEC
/* README's third way: ranks of MPI and a slave over TCP, which talks to the master encrypted. */
static void test_mixed(void)
{
    struct place place;
    open_place(&place);
    const char *gate = mwt_path(place.crew, "gate");
    CU_ASSERT_EQUAL(mkfifo(gate, 0600), 0);
    place.command = mwt_format(place.crew, "FARM_GATE=%s", gate);
    place.checks = "ASAN_OPTIONS=detect_leaks=0"; /* those of MPI */
    struct mwt_process *master =
        START(&place, MWT_MPIEXEC, "-n", "2", MWT_FARM, "--mw-transport", "mpi,tcp",
              "--mw-resource-file", place.rsc, LOCALHOST, "gate:1", "20");
    struct mwt_relay *relay = mwt_relay_create(await_port(&place, master));
    mwt_await_line(master, MWT_ERR, "task 0 runs");

    struct mwt_process *slave =
        START(&place, MWT_FARM, "--mw-slave", "--mw-resource-file", place.rsc, LOCALHOST,
              "--mw-master-port", mwt_relay_port(relay));
    mwt_await_line(slave, MWT_ERR, "MASTER -> ID SLAVE-1");
    close(open(gate, O_WRONLY | O_CLOEXEC));

    check_done(master, slave);
    check_encrypted(relay);
    mwt_relay_destroy(relay);
    close_place(&place);
}
#endif

/* Both find the key file that --mw-key-file names, and the usual one is not made. */
static void test_named_key_file(void)
{
    struct place place;
    open_place(&place);
    const char *named = mwt_path(place.crew, "named");
    struct mwt_process *master =
        START(&place, MWT_FARM, "--mw-master", "--mw-key-file", named, LOCALHOST, "echo", "20");
    const char *port = await_port(&place, master);

    struct mwt_process *slave = START(&place, MWT_FARM, "--mw-slave", "--mw-key-file", named,
                                      LOCALHOST, "--mw-master-port", port);

    check_done(master, slave);
    check_private(named);
    CU_ASSERT_NOT_EQUAL(access(key_file(&place), F_OK), 0);
    close_place(&place);
}

/* A batch system such as HTCondor copies the resource file to the slave's machine, with its mode. A
 * copy that others may read is refused, and taken once it is closed to them. */
static void test_copied_resource_file(void)
{
    static const char *const modes[] = {"0600", "0644"};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct place place;
        open_place(&place);
        const char *folder = mwt_path(place.crew, "sandbox");
        const char *copy = mwt_path(place.crew, "sandbox/farm.rsc");
        CU_ASSERT_EQUAL(mkdir(folder, 0755), 0);
        struct mwt_process *master = START(&place, MWT_FARM, "--mw-master", "--mw-resource-file",
                                           place.rsc, LOCALHOST, "echo", "20");
        mwt_await_line(master, MWT_ERR, "Generated resource file");
        CU_ASSERT_EQUAL(mwt_await_end(START(&place, "cp", place.rsc, copy)), 0);
        check_private(copy);
        CU_ASSERT_EQUAL(chmod(copy, (mode_t)strtol(modes[i], NULL, 8)), 0);

        struct mwt_process *slave =
            START(&place, "sh", "-c",
                  mwt_format(place.crew, "cd %s && exec %s --mw-slave --mw-resource-file farm.rsc",
                             folder, MWT_FARM));
        if (i == 1) {
            mwt_await_line(slave, MWT_ERR, "others may read");
            CU_ASSERT_EQUAL(chmod(copy, 0600), 0);
        }

        check_done(master, slave);
        close_place(&place);
    }
}

/* Without a home there is no place for a key file. A master with a resource file goes on with the
 * farm's own key, and its trail says so; every other process names the option that helps. */
static void test_no_home(void)
{
    static const char names_option[] = "--mw-key-file";
    struct place place;
    open_place(&place);
    const char *const nowhere[] = {"XDG_CONFIG_HOME=", "HOME=", NULL};
    const char *const alone[] = {MWT_FARM, "--mw-master", LOCALHOST, NULL};
    const char *const with_file[] = {MWT_FARM,  "--mw-master", LOCALHOST, "--mw-resource-file",
                                     place.rsc, "echo",        "20",      NULL};
    const char *const blind[] = {MWT_FARM, "--mw-slave", LOCALHOST, "--mw-master-port", "1", NULL};
    const char *const seeing[] = {MWT_FARM, "--mw-slave", "--mw-resource-file", place.rsc, NULL};

    check_refused(mwt_start(place.crew, &(struct mwt_start){.argv = alone, .environment = nowhere}),
                  2, names_option);
    check_refused(mwt_start(place.crew, &(struct mwt_start){.argv = blind, .environment = nowhere}),
                  2, names_option);
    struct mwt_process *master =
        mwt_start(place.crew, &(struct mwt_start){.argv = with_file, .environment = nowhere});
    struct mwt_process *slave =
        mwt_start(place.crew, &(struct mwt_start){.argv = seeing, .environment = nowhere});

    check_done(master, slave);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(master, MWT_ERR), "] KEY "));
    CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(master, MWT_ERR), names_option));
    close_place(&place);
}

/* A slave of another farm holds the same user's key all the same, and does not get in. Neither side
 * tells the other its member id. */
static void test_another_member_id(void)
{
    struct place place;
    open_place(&place);
    struct mwt_process *master = START(&place, MWT_FARM, "--mw-master", LOCALHOST, "--mw-member-id",
                                       "farm-of-the-master", "echo", "20");
    struct mwt_relay *relay = mwt_relay_create(await_port(&place, master));

    struct mwt_process *slave =
        START(&place, MWT_FARM, "--mw-slave", LOCALHOST, "--mw-master-port", mwt_relay_port(relay),
              "--mw-member-id", "farm-of-the-slave", "--mw-connect-timeout", "0.5");

    check_refused(slave, 255, "refused");
    mwt_await_line(master, MWT_ERR, "--mw-member-id");
    CU_ASSERT_PTR_NULL(strstr(mwt_output(slave, MWT_ERR), "farm-of-the-master"));
    CU_ASSERT_PTR_NULL(strstr(mwt_output(master, MWT_ERR), "farm-of-the-slave"));
    CU_ASSERT_FALSE(mwt_relay_has_seen(relay, "farm-of-the-"));
    mwt_kill(master, SIGTERM);
    mwt_relay_destroy(relay);
    close_place(&place);
}

/* A master dies, and a new one writes the resource file with a new key, while a slave tries. */
static void test_new_master(void)
{
    struct place place;
    open_place(&place);
    const char *const master_line[] = {
        MWT_FARM, "--mw-master", "--mw-resource-file", place.rsc, LOCALHOST, "echo", "20", NULL};
    struct mwt_process *first = start(&place, master_line);
    mwt_await_line(first, MWT_ERR, "Generated resource file");
    mwt_kill(first, SIGKILL);
    CU_ASSERT_EQUAL(mwt_await_end(first), -SIGKILL);
    struct mwt_process *slave =
        START(&place, MWT_FARM, "--mw-slave", "--mw-resource-file", place.rsc);
    mwt_await_line(slave, MWT_ERR, "CONNECT FAILED");

    struct mwt_process *second = start(&place, master_line);

    check_done(second, slave);
    close_place(&place);
}

/* With --mw-insecure on both sides nothing is encrypted. Both say so once, the master listens on
 * this machine alone, and the resource file tells slaves. */
static void test_insecure(void)
{
    static const char words[] = "--mw-insecure: nothing is encrypted";
    struct place place;
    open_place(&place);
    const char *quiet_trail = mwt_path(place.crew, "trail");
    struct mwt_process *master = START(&place, MWT_FARM, "--mw-master", "--mw-insecure",
                                       "--mw-resource-file", place.rsc, "echo", "20");
    const char *line = mwt_await_line(master, MWT_ERR, "MASTER READY ");
    CU_ASSERT_PTR_NOT_NULL(strstr(line, "READY 127.0.0.1:"));
    struct mwt_relay *relay = mwt_relay_create(strrchr(line, ':') + 1);
    mwt_await_line(master, MWT_ERR, "Generated resource file");
    json_t *file = json_load_file(place.rsc, 0, NULL);
    CU_ASSERT_STRING_EQUAL(json_string_value(json_object_get(file, "encryption")), "none");
    CU_ASSERT_PTR_NULL(json_object_get(file, "key"));
    json_decref(file);

    struct mwt_process *slave = START(
        &place, MWT_FARM, "--mw-slave", "--mw-insecure", "--mw-audit-file", quiet_trail,
        "--mw-resource-file", place.rsc, LOCALHOST, "--mw-master-port", mwt_relay_port(relay));

    check_done(master, slave);
    CU_ASSERT_TRUE(mwt_relay_has_seen(relay, "default-member-id"));
    CU_ASSERT_EQUAL(mwt_count(mwt_output(master, MWT_ERR), words), 1);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(slave, MWT_ERR), words), 1);
    CU_ASSERT_NOT_EQUAL(access(key_file(&place), F_OK), 0);
    mwt_relay_destroy(relay);
    close_place(&place);
}

/* A slave that is started with the arguments in the resource file agrees with its insecure
 * master. */
static void test_arguments_of_an_insecure_master(void)
{
    struct place place;
    open_place(&place);
    struct mwt_process *master = START(&place, MWT_FARM, "--mw-master", "--mw-insecure",
                                       "--mw-resource-file", place.rsc, "echo", "20");
    mwt_await_line(master, MWT_ERR, "Generated resource file");
    json_t *file = json_load_file(place.rsc, 0, NULL), *word;
    const char *argv[12] = {MWT_FARM};
    size_t i;
    json_array_foreach(json_object_get(file, "slave-arguments"), i, word) argv[i + 1] =
        json_string_value(word);

    struct mwt_process *slave = start(&place, argv);

    check_done(master, slave);
    json_decref(file);
    close_place(&place);
}

/* Where one side alone is insecure, no slave gets in, and each is told the reason: by the resource
 * file, or by the master's answer. */
static void test_insecure_on_one_side(void)
{
    static const struct {
        const char *master, *slave, *by_file, *by_answer;
    } cases[] = {
        {"--mw-insecure", "--mw-insecure=0", "has --mw-insecure, and encrypts nothing", NULL},
        {"--mw-insecure=0", "--mw-insecure", "encrypts, and this slave has --mw-insecure",
         "this farm is encrypted: use the same version of mw on both sides, and no --mw-insecure"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct place place;
        open_place(&place);
        struct mwt_process *master =
            START(&place, MWT_FARM, "--mw-master", LOCALHOST, cases[i].master, "--mw-resource-file",
                  place.rsc, "echo", "20");
        const char *port = await_port(&place, master);
        mwt_await_line(master, MWT_ERR, "Generated resource file");

        check_refused(START(&place, MWT_FARM, "--mw-slave", cases[i].slave, "--mw-resource-file",
                            place.rsc, "--mw-connect-timeout", "0"),
                      255, cases[i].by_file);
        struct mwt_process *slave = START(&place, MWT_FARM, "--mw-slave", cases[i].slave, LOCALHOST,
                                          "--mw-master-port", port, "--mw-connect-timeout", "1");
        CU_ASSERT_EQUAL(mwt_await_end(slave), 255);
        if (cases[i].by_answer != NULL)
            CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(slave, MWT_ERR), cases[i].by_answer));
        CU_ASSERT_PTR_NULL(strstr(mwt_output(master, MWT_ERR), "SLAVE-0"));
        mwt_kill(master, SIGTERM);
        close_place(&place);
    }
}

/* Reads the last run of KEY_DIGITS hexadecimal digits in the file. */
static void read_digits(const char *path, char digits[KEY_DIGITS + 1])
{
    FILE *stream = fopen(path, "r");
    int count = 0;
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    for (int letter = getc(stream); letter != EOF; letter = getc(stream)) {
        count = isxdigit(letter) && count < KEY_DIGITS ? count + 1 : 0;
        if (count > 0)
            digits[count - 1] = (char)letter;
        if (count == KEY_DIGITS)
            break;
    }
    CU_ASSERT_EQUAL(count, KEY_DIGITS);
    digits[KEY_DIGITS] = '\0';
    fclose(stream);
}

/* Returns the contents of the file, which the caller frees. */
static char *read_all(const char *path, size_t *size)
{
    char *text = NULL;
    FILE *stream = fopen(path, "r"), *copy = open_memstream(&text, size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
    CU_ASSERT_PTR_NOT_NULL_FATAL(copy);
    for (int letter = getc(stream); letter != EOF; letter = getc(stream))
        putc(letter, copy);
    fclose(stream);
    fclose(copy);
    CU_ASSERT(*size > 0);
    return text;
}

/* Fails if the file shows either key, as digits or as bytes. */
static void check_unseen(const char *path, char digits[2][KEY_DIGITS + 1])
{
    size_t size;
    char *text = read_all(path, &size);
    for (size_t i = 0; i < 2; i++) {
        unsigned char bytes[KEY_DIGITS / 2];
        for (size_t j = 0; j < sizeof bytes; j++)
            sscanf(digits[i] + 2 * j, "%2hhx", &bytes[j]);
        CU_ASSERT_PTR_NULL(memmem(text, size, digits[i], 16));
        CU_ASSERT_PTR_NULL(memmem(text, size, bytes, 8));
    }
    free(text);
}

static void check_process(const struct place *place, const struct mwt_process *process,
                          char digits[2][KEY_DIGITS + 1])
{
    static const char *const files[] = {"cmdline", "environ"};
    for (size_t i = 0; i < 2; i++)
        check_unseen(mwt_format(place->crew, "/proc/%d/%s", (int)mwt_pid(process), files[i]),
                     digits);
}

/* Options that make no sense are refused before anything begins. */
static void test_refused_options(void)
{
    static const char *const lines[][5] = {
        {MWT_FARM, "--mw-insecure", NULL},
        {MWT_FARM, "--mw-local=2", "--mw-key-file=k", NULL},
        {MWT_FARM, "--mw-transport=mpi", "--mw-insecure", NULL},
        {MWT_FARM, "--mw-master", "--mw-insecure", "--mw-key-file=k", NULL},
    };
    static const char *const sentences[] = {"--mw-insecure is for TCP", "--mw-key-file is for TCP",
                                            "--mw-insecure is for TCP",
                                            "--mw-insecure contradicts --mw-key-file k"};
    struct place place;
    open_place(&place);

    for (size_t i = 0; i < sizeof sentences / sizeof sentences[0]; i++)
        check_refused(start(&place, lines[i]), 2, sentences[i]);

    close_place(&place);
}

/* A program that a task starts finds no key, and neither does anybody who looks at master and slave
 * from outside: not in arguments and environment, not behind descriptors, not in the fullest trail,
 * and not in what the processes print. */
static void test_key_is_not_seen(void)
{
    char digits[2][KEY_DIGITS + 1];
    struct place place;
    open_place(&place);
    const char *seen = mwt_path(place.crew, "seen"), *trail = mwt_path(place.crew, "trail");
    const char *gate = mwt_path(place.crew, "gate");
    CU_ASSERT_EQUAL(mkfifo(gate, 0600), 0);
    place.command =
        mwt_format(place.crew,
                   "FARM_COMMAND=(cat /proc/self/environ /proc/self/cmdline /proc/$PPID/environ "
                   "/proc/$PPID/cmdline; ls -l /proc/self/fd; for f in /proc/self/fd/*; do "
                   "[ -f $f ] && cat $f; done) >>%s; : <%s",
                   seen, gate);
    struct mwt_process *master =
        START(&place, MWT_FARM, "--mw-master", "--mw-resource-file", place.rsc, "--mw-audit-file",
              trail, "--mw-audit-tasks", LOCALHOST, "shell", "1");
    struct mwt_process *slave =
        START(&place, MWT_FARM, "--mw-slave", "--mw-resource-file", place.rsc);
    mwt_await_line(slave, MWT_ERR, "task 0 runs");
    read_digits(place.rsc, digits[0]);
    read_digits(key_file(&place), digits[1]);

    check_process(&place, master, digits);
    check_process(&place, slave, digits);
    close(open(gate, O_WRONLY | O_CLOEXEC));
    CU_ASSERT_EQUAL(mwt_await_end(master), 0);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);

    check_unseen(seen, digits);
    check_unseen(trail, digits);
    for (size_t i = 0; i < 2; i++) {
        CU_ASSERT_PTR_NULL(strstr(mwt_output(slave, MWT_ERR), digits[i]));
        CU_ASSERT_PTR_NULL(strstr(mwt_output(master, MWT_ERR), digits[i]));
        CU_ASSERT_PTR_NULL(strstr(mwt_output(master, MWT_OUT), digits[i]));
    }
    close_place(&place);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"resource file", test_resource_file},
        {"key file", test_key_file},
        {"copied resource file", test_copied_resource_file},
#ifdef MWT_MPIEXEC
        {"mixed", test_mixed},
#endif
        {"named key file", test_named_key_file},
        {"no home", test_no_home},
        {"another member id", test_another_member_id},
        {"new master", test_new_master},
        {"insecure", test_insecure},
        {"arguments of an insecure master", test_arguments_of_an_insecure_master},
        {"insecure on one side", test_insecure_on_one_side},
        {"refused options", test_refused_options},
        {"key is not seen", test_key_is_not_seen},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("encryption", tests);
}

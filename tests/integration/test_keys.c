/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys of a running farm: they are rotated and dropped, and the slaves stay; a slave waits for its
 * key file, and is told what is wrong with it; and keys lie nowhere but in their files and in
 * memory that is neither dumped nor inherited.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mwt_folder.h"
#include "mwt_process.h"
#include "mwt_run.h"

#define WELCOMED "MASTER -> ID SLAVE-"

/* A master notices a second after a slave has come that keys were dropped. A busy machine may need
 * longer. Each try is a process, which stays that long if it is welcome. */
#define TRIES_COUNT 60
#define TRY_MS 500

/* A master that waits for slaves until it is killed, and its files. */
struct farm {
    struct mwt_crew *crew;
    struct mwt_process *master;
    const char *port;
    const char *key_file, *resource_file;
};

static void open_farm(struct farm *farm)
{
    farm->crew = mwt_crew_create();
    farm->key_file = mwt_path(farm->crew, "key");
    farm->resource_file = mwt_path(farm->crew, "m.rsc");
    farm->master = mwt_run_program(farm->crew, MWT_FARM, "--mw-master", "--mw-master-host",
                                   "127.0.0.1", "--mw-resource-file", farm->resource_file,
                                   "--mw-key-file", farm->key_file, "doze:600000", "1", NULL);
    const char *line = mwt_await_line(farm->master, MWT_ERR, "MASTER READY 127.0.0.1:");
    farm->port = mwt_format(farm->crew, "%s", line == NULL ? "1" : strrchr(line, ':') + 1);
}

static struct mwt_process *start_slave(const struct farm *farm, const char *key_file,
                                       const char *timeout_s)
{
    return mwt_run_program(farm->crew, MWT_FARM, "--mw-slave", "--mw-master-host", "127.0.0.1",
                           "--mw-master-port", farm->port, "--mw-connect-timeout", timeout_s,
                           "--mw-key-file", key_file, NULL);
}

static struct mwt_process *join(const struct farm *farm, const char *key_file)
{
    struct mwt_process *slave = start_slave(farm, key_file, "60");
    mwt_await_line(slave, MWT_ERR, WELCOMED);
    return slave;
}

/* Whether a slave with this key file is turned away again and again for two seconds. */
static bool is_refused(const struct farm *farm, const char *key_file)
{
    struct mwt_process *slave = start_slave(farm, key_file, "2");
    bool is_welcome = mwt_await_line_or_end(slave, MWT_ERR, WELCOMED) != NULL;
    if (is_welcome) {
        poll(NULL, 0, TRY_MS);
        mwt_kill(slave, SIGKILL);
    }
    CU_ASSERT_NOT_EQUAL(mwt_await_end(slave), 0);
    return !is_welcome;
}

/* Copies the key file with this mode, and returns the path of the copy. */
static const char *copy_key(const struct farm *farm, const char *name, mode_t mode)
{
    const char *path = mwt_path(farm->crew, name);
    char *text = mwt_file_read(farm->key_file);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, mode);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    CU_ASSERT_EQUAL(fchmod(fd, mode), 0);
    close(fd);
    free(text);
    return path;
}

static void run_mwkey(const struct farm *farm, const char *argument)
{
    struct mwt_process *mwkey =
        mwt_run_program(farm->crew, MWT_MWKEY, "--file", farm->key_file, "rotate", argument, NULL);
    CU_ASSERT_EQUAL(mwt_await_end(mwkey), 0);
}

/* After a rotation slaves join with the new key and with the old one; after a drop only with the
 * new one. Slaves that have joined stay. */
static void test_rotation(void)
{
    struct farm farm;
    open_farm(&farm);
    struct mwt_process *first = join(&farm, farm.key_file);
    const char *old_file = copy_key(&farm, "old", 0600);

    run_mwkey(&farm, NULL);
    struct mwt_process *second = join(&farm, farm.key_file);
    struct mwt_process *third = join(&farm, old_file);
    run_mwkey(&farm, "--drop");
    struct mwt_process *fourth = join(&farm, farm.key_file);
    bool has_noticed = false;
    for (int i = 0; i < TRIES_COUNT && !has_noticed; i++)
        has_noticed = is_refused(&farm, old_file);

    CU_ASSERT_TRUE(has_noticed);
    join(&farm, farm.key_file);
    CU_ASSERT_FALSE(mwt_has_ended(farm.master));
    CU_ASSERT_FALSE(mwt_has_ended(first) || mwt_has_ended(second));
    CU_ASSERT_FALSE(mwt_has_ended(third) || mwt_has_ended(fourth));
    mwt_crew_destroy(farm.crew);
}

/* A slave that starts before its key file is there waits for it, and takes the file only when it is
 * whole. */
static void test_late_file(void)
{
    struct farm farm;
    open_farm(&farm);
    struct mwt_process *slave = start_slave(&farm, mwt_path(farm.crew, "late"), "60");
    mwt_await_line(farm.master, MWT_ERR, "it gave up before it offered a key");
    char *text = mwt_file_read(farm.key_file);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    const char *half = copy_key(&farm, "half", 0600);
    CU_ASSERT_EQUAL(truncate(half, (off_t)strlen(text) / 2), 0);
    CU_ASSERT_EQUAL(rename(half, mwt_path(farm.crew, "late")), 0);
    CU_ASSERT_TRUE(is_refused(&farm, mwt_path(farm.crew, "late")));

    CU_ASSERT_EQUAL(rename(copy_key(&farm, "whole", 0600), mwt_path(farm.crew, "late")), 0);

    mwt_await_line(slave, MWT_ERR, WELCOMED);
    free(text);
    mwt_crew_destroy(farm.crew);
}

/* A key file that others may read is not used, and the slave says how to mend it. */
static void test_open_file(void)
{
    struct farm farm;
    open_farm(&farm);
    const char *path = copy_key(&farm, "open", 0644);
    struct mwt_process *slave = start_slave(&farm, path, "1");

    CU_ASSERT_NOT_EQUAL(mwt_await_end(slave), 0);

    CU_ASSERT_PTR_NOT_NULL(
        strstr(mwt_output(slave, MWT_ERR), mwt_format(farm.crew, "chmod 600 %s", path)));
    mwt_crew_destroy(farm.crew);
}

/* The name of a key and the blank behind it stand between "key:" and the key. */
#define KEY_NAME_BYTES 17

/* A key to look for, as it stands in files, and as it lies in memory. */
struct wanted {
    char digits[65];
    unsigned char bytes[32];
};

/* Reads the 64 digits that stand `distance` bytes behind `mark` in a file. */
static struct wanted read_key(const char *path, const char *mark, size_t distance)
{
    struct wanted wanted = {.digits = ""};
    char *text = mwt_file_read(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    const char *found = strstr(text, mark);
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    snprintf(wanted.digits, sizeof wanted.digits, "%s", found + strlen(mark) + distance);
    for (int i = 0; i < 32; i++) {
        const char digits[] = {wanted.digits[2 * i], wanted.digits[2 * i + 1], '\0'};
        wanted.bytes[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
    free(text);
    return wanted;
}

/* Larger mappings are tables of a sanitizer. */
#define MAPPING_BYTES_MAX ((size_t)1 << 30)

/* A mapping of another process, and whether the kernel keeps it out of cores and children. */
struct mapping {
    unsigned long first, end;
    bool is_writable, is_guarded;
};

/* Counts the places of the mapping that have the middle of these bytes. */
static unsigned count_places(int memory, const struct mapping *mapping, const void *bytes,
                             size_t size)
{
    size_t room = mapping->end - mapping->first;
    unsigned count = 0;
    char *data = malloc(room);
    CU_ASSERT_PTR_NOT_NULL_FATAL(data);
    ssize_t length = pread(memory, data, room, (off_t)mapping->first);
    char *end = data + (length > 0 ? length : 0), *place = data;
    for (; place != NULL && place < end; count += place != NULL, place += place != NULL)
        place = memmem(place, (size_t)(end - place), (const char *)bytes + size / 4, size / 2);
    free(data);
    return count;
}

/* Counts the places of a key, apart for memory that is not guarded and memory that is. */
static void count_key(int memory, const struct mapping *mapping, const struct wanted *wanted,
                      unsigned counts[2])
{
    if (mapping->is_writable && mapping->end - mapping->first <= MAPPING_BYTES_MAX)
        counts[mapping->is_guarded] +=
            count_places(memory, mapping, wanted->bytes, sizeof wanted->bytes) +
            count_places(memory, mapping, wanted->digits, strlen(wanted->digits));
}

/* Checks that the process has the key in guarded memory, and nowhere else. */
static void check_memory(struct mwt_crew *crew, struct mwt_process *process,
                         const struct wanted *wanted)
{
    int pid = (int)mwt_pid(process);
    int memory = open(mwt_format(crew, "/proc/%d/mem", pid), O_RDONLY);
    FILE *maps = fopen(mwt_format(crew, "/proc/%d/smaps", pid), "r");
    char line[512], access[8];
    unsigned counts[2] = {0, 0};
    struct mapping mapping = {.first = 0};
    CU_ASSERT_TRUE_FATAL(memory >= 0 && maps != NULL);
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long first, end;
        if (sscanf(line, "%lx-%lx %7s", &first, &end, access) == 3)
            mapping = (struct mapping){first, end, strncmp(access, "rw", 2) == 0, false};
        if (strncmp(line, "VmFlags:", 8) != 0)
            continue;
        mapping.is_guarded = strstr(line, " dd") != NULL &&
                             (strstr(line, " wf") != NULL || strstr(line, " dc") != NULL);
        count_key(memory, &mapping, wanted, counts);
    }
    CU_ASSERT_EQUAL(counts[false], 0);
    CU_ASSERT(counts[true] > 0);
    fclose(maps);
    close(memory);
}

/* Checks that the key is in no argument, no environment and no output of the process. */
static void check_outside(struct mwt_crew *crew, struct mwt_process *process,
                          const struct wanted *wanted)
{
    static const char *const files[] = {"cmdline", "environ"};
    char part[9];
    snprintf(part, sizeof part, "%.8s", wanted->digits);
    for (int i = 0; i < 2; i++) {
        char text[65536];
        int fd = open(mwt_format(crew, "/proc/%d/%s", (int)mwt_pid(process), files[i]), O_RDONLY);
        ssize_t size = read(fd, text, sizeof text);
        CU_ASSERT_FATAL(size > 0);
        CU_ASSERT_PTR_NULL(memmem(text, (size_t)size, part, strlen(part)));
        close(fd);
    }
    CU_ASSERT_PTR_NULL(strstr(mwt_output(process, MWT_ERR), part));
    CU_ASSERT_PTR_NULL(strstr(mwt_output(process, MWT_OUT), part));
}

static void check_hidden(struct mwt_crew *crew, struct mwt_process *process,
                         const struct wanted *wanted)
{
    check_memory(crew, process, wanted);
    check_outside(crew, process, wanted);
}

static void check_mode(const char *path)
{
    struct stat status;
    CU_ASSERT_EQUAL_FATAL(stat(path, &status), 0);
    CU_ASSERT_EQUAL(status.st_mode & 07777, 0600);
}

/* A key is in its file, which is closed to others under any umask, and in the memory of processes
 * that prove it, where it is neither dumped nor inherited. It is nowhere else. */
static void test_hiding_places(void)
{
    struct farm farm;
    mode_t mask = umask(0);
    open_farm(&farm);
    umask(mask);
    struct mwt_process *user = join(&farm, farm.key_file);
    struct mwt_process *reader = mwt_run_program(farm.crew, MWT_FARM, "--mw-slave",
                                                 "--mw-resource-file", farm.resource_file, NULL);
    mwt_await_line(reader, MWT_ERR, WELCOMED);

    struct wanted of_farm = read_key(farm.resource_file, "\"key\": \"", 0);
    struct wanted of_user = read_key(farm.key_file, "\nkey:", KEY_NAME_BYTES);

    check_mode(farm.resource_file);
    check_mode(farm.key_file);
    check_hidden(farm.crew, farm.master, &of_farm);
    check_hidden(farm.crew, farm.master, &of_user);
    check_hidden(farm.crew, reader, &of_farm);
    check_hidden(farm.crew, user, &of_user);
    mwt_crew_destroy(farm.crew);
}

/* A farm that becomes a daemon has lost its keys with the fork, and reads them again: slaves find
 * it by the resource file and by the key file. */
static void test_daemon(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *key_file = mwt_path(crew, "key"), *resource_file = mwt_path(crew, "m.rsc");
    struct mwt_process *master =
        mwt_run_program(crew, MWT_DAEMON_FARM, "--mw-master", "--mw-master-host", "127.0.0.1",
                        "--mw-resource-file", resource_file, "--mw-key-file", key_file, NULL);
    mwt_await_line(master, MWT_OUT, "daemon ");
    const char *line = mwt_await_line(master, MWT_ERR, "MASTER READY 127.0.0.1:");
    const char *port = mwt_format(crew, "%s", line == NULL ? "1" : strrchr(line, ':') + 1);

    struct mwt_process *user =
        mwt_run_program(crew, MWT_DAEMON_FARM, "--mw-slave", "--mw-master-host", "127.0.0.1",
                        "--mw-master-port", port, "--mw-key-file", key_file, NULL);
    mwt_await_line(user, MWT_ERR, WELCOMED);
    struct mwt_process *reader = mwt_run_program(crew, MWT_DAEMON_FARM, "--mw-slave",
                                                 "--mw-resource-file", resource_file, NULL);

    mwt_await_line(reader, MWT_ERR, WELCOMED);
    mwt_await_line(master, MWT_OUT, "daemon: 20 done");
    mwt_crew_destroy(crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"rotation", test_rotation},   {"late file", test_late_file},
        {"open file", test_open_file}, {"hiding places", test_hiding_places},
        {"daemon", test_daemon},       CU_TEST_INFO_NULL,
    };
    return mwt_run("keys", tests);
}

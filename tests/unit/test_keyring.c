/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys of a process: that of the farm and those of the key file, which is read again when it
 * changes, and a child of fork() has none in its memory until it reads them itself.
 */
#include "record/keyring.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/secret.h"
#include "mwt_folder.h"
#include "mwt_run.h"
#include "record/key_file.h"
#include "record/resource_file.h"

#define SECOND INT64_C(1000000000)

/* A keyring and a key file in a folder of their own. */
struct ring {
    struct mwt_folder folder;
    char path[384];
    struct mwi_keyring *keyring;
    mw_reason why;
};

static void start(struct ring *ring)
{
    *ring = (struct ring){.keyring = NULL};
    mwt_folder_create(&ring->folder);
    snprintf(ring->path, sizeof ring->path, "%s", mwt_folder_file(&ring->folder, "key"));
    CU_ASSERT_EQUAL_FATAL(mwi_keyring_open(&ring->keyring, &ring->why), MW_OK);
}

static void end(struct ring *ring)
{
    mwi_keyring_close(ring->keyring);
    mwt_folder_destroy(&ring->folder);
}

static struct mwi_key_list read_list(const struct ring *ring)
{
    struct mwi_key_list list = {.count = 0};
    mw_reason why;
    CU_ASSERT_EQUAL(mwi_key_file_read(ring->path, &list, &why), MW_OK);
    return list;
}

static bool has(struct ring *ring, const mw_tcp_key *expected)
{
    mw_tcp_key key = {.name = ""};
    bool is_found = mwi_keyring_find(ring->keyring, expected->name, &key);
    return is_found && memcmp(&key, expected, sizeof key) == 0;
}

/* Without any key nothing is found, and the sentence says what to do. */
static void test_empty(void)
{
    struct ring ring;
    mw_tcp_key key;
    start(&ring);

    CU_ASSERT_FALSE(mwi_keyring_find(ring.keyring, "", &key));
    CU_ASSERT_FALSE(mwi_keyring_find(ring.keyring, "farm:", &key));
    CU_ASSERT_PTR_NULL(mwi_keyring_farm_key(ring.keyring));
    CU_ASSERT_EQUAL(mwi_keyring_own(ring.keyring, 0, &key, &ring.why), MW_EUNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(ring.why.text, "--mw-key-file"));
    CU_ASSERT_EQUAL(mwi_keyring_deadline(ring.keyring), INT64_MAX);
    mwi_keyring_close(NULL);
    end(&ring);
}

/* A farm's key is found by its name, and a slave that takes it proves it before any other. */
static void test_farm_key(void)
{
    struct ring ring, slave;
    mw_tcp_key own;
    start(&ring);
    start(&slave);

    CU_ASSERT_EQUAL(mwi_keyring_make_farm_key(ring.keyring, &ring.why), MW_OK);
    CU_ASSERT_EQUAL(mwi_keyring_use_file(slave.keyring, slave.path, true, &slave.why), MW_OK);
    const mw_tcp_key *farm = mwi_keyring_farm_key(ring.keyring);
    CU_ASSERT_PTR_NOT_NULL_FATAL(farm);
    mwi_keyring_take_farm_key(slave.keyring, farm);

    CU_ASSERT_TRUE(has(&ring, farm));
    CU_ASSERT_EQUAL(mwi_keyring_own(slave.keyring, 0, &own, &slave.why), MW_OK);
    CU_ASSERT_EQUAL(memcmp(&own, farm, sizeof own), 0);
    mwi_keyring_take_farm_key(slave.keyring, NULL);
    CU_ASSERT_EQUAL(mwi_keyring_own(slave.keyring, 0, &own, &slave.why), MW_OK);
    CU_ASSERT_EQUAL(strncmp(own.name, "key:", 4), 0);
    end(&slave);
    end(&ring);
}

/* A master takes the new and the old key after a rotation, and after a drop the new one alone. It
 * looks at the file a second after it was asked for a key. */
static void test_rotation(void)
{
    struct ring ring;
    start(&ring);
    CU_ASSERT_EQUAL_FATAL(mwi_keyring_use_file(ring.keyring, ring.path, true, &ring.why), MW_OK);
    mwi_keyring_tend(ring.keyring, 0);
    mw_tcp_key old_key = read_list(&ring).keys[0];
    CU_ASSERT_EQUAL(mwi_keyring_deadline(ring.keyring), 60 * SECOND);
    CU_ASSERT_TRUE(has(&ring, &old_key));
    CU_ASSERT_EQUAL(mwi_key_file_rotate(ring.path, &ring.why), MW_OK);
    mw_tcp_key new_key = read_list(&ring).keys[0];

    CU_ASSERT_FALSE(has(&ring, &new_key));
    CU_ASSERT_EQUAL(mwi_keyring_deadline(ring.keyring), SECOND);
    mwi_keyring_tend(ring.keyring, SECOND - 1);
    CU_ASSERT_FALSE(has(&ring, &new_key));
    mwi_keyring_tend(ring.keyring, SECOND);
    CU_ASSERT_TRUE(has(&ring, &new_key));
    CU_ASSERT_TRUE(has(&ring, &old_key));
    CU_ASSERT_EQUAL(mwi_key_file_drop(ring.path, &ring.why), MW_OK);
    mwi_keyring_tend(ring.keyring, 2 * SECOND);
    CU_ASSERT_TRUE(has(&ring, &new_key));
    CU_ASSERT_FALSE(has(&ring, &old_key));
    end(&ring);
}

/* A key that was dropped while nobody connected is good for a minute at most. */
static void test_drop_unasked(void)
{
    struct ring ring;
    start(&ring);
    CU_ASSERT_EQUAL_FATAL(mwi_keyring_use_file(ring.keyring, ring.path, true, &ring.why), MW_OK);
    mw_tcp_key old_key = read_list(&ring).keys[0];
    mwi_keyring_tend(ring.keyring, 0);
    CU_ASSERT_EQUAL(mwi_key_file_rotate(ring.path, &ring.why), MW_OK);
    CU_ASSERT_EQUAL(mwi_key_file_drop(ring.path, &ring.why), MW_OK);

    mwi_keyring_tend(ring.keyring, mwi_keyring_deadline(ring.keyring));

    CU_ASSERT_EQUAL(mwi_keyring_deadline(ring.keyring), 120 * SECOND);
    CU_ASSERT_FALSE(has(&ring, &old_key));
    end(&ring);
}

/* A slave waits for a file that is not there yet, and looks each time that it needs a key. A file
 * that others may read is not taken. The sentence says how to mend it, and mending helps. */
static void test_own_from_file(void)
{
    struct ring ring;
    mw_tcp_key key;
    bool is_new;
    start(&ring);
    CU_ASSERT_EQUAL(mwi_keyring_use_file(ring.keyring, ring.path, false, &ring.why), MW_OK);

    CU_ASSERT_EQUAL(mwi_keyring_own(ring.keyring, 0, &key, &ring.why), MW_EUNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(ring.why.text, "No such file"));
    CU_ASSERT_EQUAL(mwi_key_file_create(ring.path, &is_new, &ring.why), MW_OK);
    CU_ASSERT_EQUAL(chmod(ring.path, 0640), 0);
    CU_ASSERT_EQUAL(mwi_keyring_own(ring.keyring, 1, &key, &ring.why), MW_EUNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(ring.why.text, "chmod 600"));
    CU_ASSERT_EQUAL(chmod(ring.path, 0600), 0);
    CU_ASSERT_EQUAL(mwi_keyring_own(ring.keyring, 2, &key, &ring.why), MW_OK);
    CU_ASSERT_STRING_EQUAL(mwi_keyring_problem(ring.keyring), "");
    CU_ASSERT_EQUAL(chmod(ring.path, 0604), 0);
    CU_ASSERT_EQUAL(mwi_keyring_own(ring.keyring, 2 * SECOND, &key, &ring.why), MW_EUNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(mwi_keyring_problem(ring.keyring), "mode 0604"));
    end(&ring);
}

/* A master does not begin with a key file that it cannot use. */
static void test_unusable_file(void)
{
    struct ring ring;
    start(&ring);
    mwt_file_write(ring.path, "mine\n");
    CU_ASSERT_EQUAL(chmod(ring.path, 0600), 0);

    CU_ASSERT_EQUAL(mwi_keyring_use_file(ring.keyring, ring.path, true, &ring.why), MW_EPROTOCOL);

    CU_ASSERT_PTR_NOT_NULL(strstr(ring.why.text, ring.path));
    end(&ring);
}

/* Writes the farm's key to a resource file. */
static void write_resource(struct ring *ring, const char *path)
{
    struct mwi_resource resource = {.member_id = "farm",
                                    .slave_executable = "/bin/x",
                                    .transport = "tcp",
                                    .host = "host",
                                    .port = 7,
                                    .pid = 1,
                                    .protocol_version = 1,
                                    .key = mwi_keyring_farm_key(ring->keyring)};
    CU_ASSERT_EQUAL_FATAL(mwi_resource_file_write(path, &resource, &ring->why), MW_OK);
    CU_ASSERT_TRUE(mwi_keyring_remember_farm(ring->keyring, path));
}

/* Runs in a child that goes on with the farm. */
static int use_in_child(struct ring *ring, const char *farm_name, const char *file_name)
{
    mw_tcp_key key = {.name = ""};
    unsigned char zeros[MW_TCP_KEY_BYTES] = {0};
    bool is_right = mwi_keyring_find(ring->keyring, farm_name, &key) &&
                    memcmp(key.bytes, zeros, sizeof zeros) != 0 &&
                    !mwi_keyring_find(ring->keyring, "", &key);
    mwi_keyring_tend(ring->keyring, 0);
    is_right = is_right && mwi_keyring_find(ring->keyring, file_name, &key);
    mwi_keyring_close(ring->keyring);
    return is_right ? 0 : 1;
}

/* A child that goes on with the farm, as a daemon does, reads the keys again from their files. */
static void test_daemon(void)
{
    struct ring ring;
    char path[384], farm_name[MW_TCP_KEY_NAME_BYTES];
    int status = -1;
    start(&ring);
    CU_ASSERT_EQUAL(mwi_keyring_make_farm_key(ring.keyring, &ring.why), MW_OK);
    CU_ASSERT_EQUAL(mwi_keyring_use_file(ring.keyring, ring.path, true, &ring.why), MW_OK);
    snprintf(path, sizeof path, "%s", mwt_folder_file(&ring.folder, "m.rsc"));
    write_resource(&ring, path);
    strcpy(farm_name, mwi_keyring_farm_key(ring.keyring)->name);
    struct mwi_key_list list = read_list(&ring);

    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(use_in_child(&ring, farm_name, list.keys[0].name));

    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);
    end(&ring);
}

/* Without their files the keys are lost in a child: it has none, and not zeros. */
static void test_lost(void)
{
    struct ring ring;
    mw_tcp_key key;
    int status = -1;
    start(&ring);
    CU_ASSERT_EQUAL(mwi_keyring_make_farm_key(ring.keyring, &ring.why), MW_OK);

    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(mwi_keyring_own(ring.keyring, 0, &key, &ring.why) == MW_EUNAVAILABLE &&
                      !mwi_keyring_find(ring.keyring, "", &key) &&
                      mwi_keyring_farm_key(ring.keyring) == NULL
                  ? 0
                  : 1);

    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);
    end(&ring);
}

/* A part of a key to look for in memory, as bytes and as digits. Both are kept masked, so that the
 * search does not find them here. */
#define MASK 0x5a
#define PART_BYTES 12

struct pattern {
    unsigned char bytes[PART_BYTES], digits[PART_BYTES];
};

/* Takes the part from the middle of the key, and wipes the key. */
static struct pattern make_pattern(mw_tcp_key *key)
{
    struct pattern pattern;
    char digits[PART_BYTES];
    mwi_secret_to_hex(key->bytes + 10, PART_BYTES / 2, digits);
    for (size_t i = 0; i < PART_BYTES; i++) {
        pattern.bytes[i] = key->bytes[10 + i] ^ MASK;
        pattern.digits[i] = (unsigned char)digits[i] ^ MASK;
    }
    mwi_secret_wipe(digits, sizeof digits);
    mwi_secret_wipe(key, sizeof *key);
    return pattern;
}

__attribute__((no_sanitize("address"))) static bool is_here(const unsigned char *place,
                                                            const unsigned char *masked)
{
    for (size_t i = 0; i < PART_BYTES; i++)
        if ((unsigned char)(place[i] ^ MASK) != masked[i])
            return false;
    return true;
}

/* Counts how often the part is in the writable memory of this process, but for the vast mappings
 * that sanitizers make. */
__attribute__((no_sanitize("address"))) static unsigned count_in_memory(const unsigned char *masked)
{
    unsigned count = 0;
    unsigned long first, end;
    char line[512], access[8];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        bool is_searched = sscanf(line, "%lx-%lx %7s", &first, &end, access) == 3 &&
                           strncmp(access, "rw", 2) == 0 && end - first < (1ul << 30);
        for (unsigned long at = first; is_searched && at + PART_BYTES <= end; at++)
            count += is_here((const unsigned char *)at, masked);
    }
    if (maps != NULL)
        fclose(maps);
    return count;
}

/* Does with keys all that a master and a slave do, and leaves the patterns of the farm's key and of
 * the key file's. */
static void use_keys(struct ring *master, struct ring *slave, struct pattern patterns[2])
{
    struct mwi_resource resource;
    char path[384];
    mw_tcp_key own;
    CU_ASSERT_EQUAL(mwi_keyring_make_farm_key(master->keyring, &master->why), MW_OK);
    CU_ASSERT_EQUAL(mwi_keyring_use_file(master->keyring, master->path, true, &master->why), MW_OK);
    CU_ASSERT_EQUAL(mwi_key_file_rotate(master->path, &master->why), MW_OK);
    CU_ASSERT_EQUAL(mwi_key_file_drop(master->path, &master->why), MW_OK);
    mwi_keyring_tend(master->keyring, 0);
    CU_ASSERT_EQUAL(mwi_keyring_use_file(slave->keyring, master->path, false, &slave->why), MW_OK);
    CU_ASSERT_EQUAL(mwi_keyring_own(slave->keyring, 0, &own, &slave->why), MW_OK);
    patterns[0] = make_pattern(&own);
    snprintf(path, sizeof path, "%s", mwt_folder_file(&master->folder, "m.rsc"));
    write_resource(master, path);
    CU_ASSERT_EQUAL(mwi_resource_file_read(path, &resource, &master->why), MW_OK);
    mwi_keyring_take_farm_key(slave->keyring, resource.key);
    mwi_resource_fini(&resource);
    CU_ASSERT_EQUAL(mwi_keyring_own(slave->keyring, 0, &own, &slave->why), MW_OK);
    patterns[1] = make_pattern(&own);
}

static int find_in_child(const struct pattern patterns[2])
{
    unsigned count = 0;
    for (int i = 0; i < 2; i++)
        count += count_in_memory(patterns[i].bytes) + count_in_memory(patterns[i].digits);
    return count == 0 ? 0 : 1;
}

/* After all that a master and a slave do with keys, these are in the pages of their keyrings alone,
 * and a child of fork() has them nowhere. */
static void test_memory(void)
{
    struct ring master, slave;
    struct pattern patterns[2];
    int status = -1;
    start(&master);
    start(&slave);

    use_keys(&master, &slave, patterns);

    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(count_in_memory(patterns[i].bytes), 2);
        CU_ASSERT_EQUAL(count_in_memory(patterns[i].digits), 0);
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(find_in_child(patterns));
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);
    end(&slave);
    end(&master);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"empty", test_empty},
        {"farm key", test_farm_key},
        {"rotation", test_rotation},
        {"drop without connections", test_drop_unasked},
        {"own key from the file", test_own_from_file},
        {"unusable file", test_unusable_file},
        {"daemon", test_daemon},
        {"lost", test_lost},
        {"memory", test_memory},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("keyring", tests);
}

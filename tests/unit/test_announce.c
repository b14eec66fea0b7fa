/* SPDX-License-Identifier: Apache-2.0
 *
 * A master's resource file: its contents, which slaves read, and the times at which it is written
 * again. The time is played by the test.
 */
#include "loop/announce.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mwt_folder.h"
#include "mwt_loop.h"
#include "mwt_run.h"
#include "record/resource_file.h"

#define SECOND INT64_C(1000000000)

/* A folder for a resource file, and a loop that audits into the folder. */
struct place {
    struct mwt_folder folder;
    struct mwt_loop loop;
    struct mwi_announce_settings settings;
    struct mwi_executable *executable;
    char path[384];
    char trail[384];
};

/* `asked` is the program that slaves run; NULL: this one. */
static void start_with(struct place *place, const char *asked)
{
    struct mwi_executable_settings executable = {.asked = asked};
    mwt_folder_create(&place->folder);
    snprintf(place->path, sizeof place->path, "%s", mwt_folder_file(&place->folder, "m.rsc"));
    snprintf(place->trail, sizeof place->trail, "%s", mwt_folder_file(&place->folder, "trail"));
    CU_ASSERT_TRUE_FATAL(mwt_loop_open(&place->loop, place->trail));
    CU_ASSERT_TRUE_FATAL(mwt_loop_add(&place->loop, 0, &mwt_fake_sleeping));
    place->loop.clock = 0;
    place->settings = (struct mwi_announce_settings){
        .path = place->path, .interval_ns = 300 * SECOND, .member_id = "default-member-id"};
    CU_ASSERT_EQUAL_FATAL(mwi_executable_open(&place->executable, &executable), MW_OK);
}

static void start(struct place *place)
{
    start_with(place, NULL);
}

static void end(struct place *place)
{
    mwt_loop_close(&place->loop);
    mwi_executable_close(place->executable);
    mwt_folder_destroy(&place->folder);
}

static struct mwi_announce *open_with(struct place *place, const char *transport, const char *bound,
                                      struct mwi_keyring *keyring)
{
    struct mwi_announce *announce = NULL;
    mw_reason why = {""};
    CU_ASSERT_EQUAL_FATAL(mwi_announce_open(&announce, place->loop.loop, &place->settings,
                                            place->executable, transport, bound, keyring, &why),
                          MW_OK);
    CU_ASSERT_PTR_NOT_NULL_FATAL(announce);
    return announce;
}

static struct mwi_announce *open_as(struct place *place, const char *transport, const char *bound)
{
    return open_with(place, transport, bound, NULL);
}

static void write_file(struct mwi_announce *announce)
{
    mw_reason why = {""};
    CU_ASSERT_EQUAL(mwi_announce_start(announce, &why), MW_OK);
}

static void tend(struct place *place)
{
    mwi_chores_tend(mwi_loop_chores(place->loop.loop), place->loop.clock);
}

static int64_t deadline(struct place *place)
{
    return mwi_chores_deadline(mwi_loop_chores(place->loop.loop));
}

/* The farm ends, well or not, and the resource file is closed. */
static void end_farm(struct place *place, bool is_finished)
{
    mwi_chores_stop(mwi_loop_chores(place->loop.loop), is_finished);
    mwi_chores_close(mwi_loop_chores(place->loop.loop), INT64_MIN);
}

static struct mwi_resource read_file(const struct place *place)
{
    struct mwi_resource resource;
    mw_reason why;
    CU_ASSERT_EQUAL_FATAL(mwi_resource_file_read(place->path, &resource, &why), MW_OK);
    return resource;
}

/* Returns the trail without its times. The caller frees it. */
static char *read_trail(struct place *place)
{
    mwi_audit_file_flush(place->loop.audit);
    return mwt_file_read(place->trail);
}

static void check_arguments(const struct mwi_resource *resource, const char *const *expected)
{
    size_t i = 0;
    for (; expected[i] != NULL && i < resource->slave_arguments_count; i++)
        CU_ASSERT_STRING_EQUAL(resource->slave_arguments[i], expected[i]);
    CU_ASSERT_PTR_NULL(expected[i]);
    CU_ASSERT_EQUAL(i, resource->slave_arguments_count);
}

/* Without a path there is no file, and no work. */
static void test_no_file(void)
{
    struct place place;
    struct mwi_announce *announce = (struct mwi_announce *)&place;
    mw_reason why = {""};
    start(&place);
    place.settings.path = NULL;

    CU_ASSERT_EQUAL(mwi_announce_open(&announce, place.loop.loop, &place.settings, place.executable,
                                      "tcp", "host:1", NULL, &why),
                    MW_OK);

    CU_ASSERT_PTR_NULL(announce);
    CU_ASSERT_EQUAL(mwi_announce_start(NULL, &why), MW_OK);
    mwi_announce_need(NULL, 1);
    CU_ASSERT_EQUAL(deadline(&place), INT64_MAX);
    end(&place);
}

/* The file has everything that a slave needs to find its master, and a batch system to start
 * slaves. */
static void test_fields(void)
{
    static const char *const expected[] = {
        "--mw-slave", "--mw-master-host", "127.0.0.1", "--mw-master-port", "36107", NULL};
    struct place place;
    char self[400] = "";
    start(&place);
    place.settings.interval_ns = 85 * SECOND / 2;
    struct mwi_announce *announce = open_as(&place, "tcp", "127.0.0.1:36107");
    CU_ASSERT_TRUE(readlink("/proc/self/exe", self, sizeof self - 1) > 0);

    write_file(announce);

    struct mwi_resource resource = read_file(&place);
    CU_ASSERT_EQUAL(resource.computation_status, MWI_COMPUTATION_IN_PROGRESS);
    CU_ASSERT_TRUE(time(NULL) - resource.timestamp_s <= 5);
    CU_ASSERT_STRING_EQUAL(resource.member_id, "default-member-id");
    CU_ASSERT_DOUBLE_EQUAL(resource.update_interval_s, 42.5, 1e-9);
    CU_ASSERT_STRING_EQUAL(resource.slave_executable, self);
    CU_ASSERT_STRING_EQUAL(resource.transport, "tcp");
    CU_ASSERT_STRING_EQUAL(resource.host, "127.0.0.1");
    CU_ASSERT_EQUAL(resource.port, 36107);
    CU_ASSERT_EQUAL(resource.pid, getpid());
    CU_ASSERT_EQUAL(resource.protocol_version, MW_PROTOCOL_VERSION);
    check_arguments(&resource, expected);
    mwi_resource_fini(&resource);
    end(&place);
}

/* A batch system starts slaves with the options that make them agree with the master: insecure
 * ones, or with the same key file, whatever their folder is. */
static void test_arguments_of_encryption(void)
{
    static const char *const expected[][8] = {
        {"--mw-slave", "--mw-master-host", "host", "--mw-master-port", "7", "--mw-insecure", NULL},
        {"--mw-slave", "--mw-master-host", "host", "--mw-master-port", "7", "--mw-key-file",
         "/keys/mine", NULL},
    };
    for (int i = 0; i < 2; i++) {
        struct place place;
        start(&place);
        place.settings.is_insecure = i == 0;
        place.settings.key_file = i == 0 ? NULL : "/keys/mine";

        write_file(open_as(&place, "tcp", "host:7"));

        struct mwi_resource resource = read_file(&place);
        check_arguments(&resource, expected[i]);
        mwi_resource_fini(&resource);
        end(&place);
    }
}

/* The file has the member id and the program that the user chose, and slaves are told the member
 * id. The room keeps copies of all that it is opened with. */
static void test_settings_that_were_set(void)
{
    static const char *const expected[] = {
        "--mw-slave", "--mw-master-host", "host",   "--mw-master-port",
        "7",          "--mw-member-id",   "meadow", NULL};
    struct place place;
    char bound[] = "host:7", member_id[] = "meadow";
    start_with(&place, "/opt/slave program");
    place.settings.member_id = member_id;
    place.settings.has_member_id = true;
    struct mwi_announce *announce = open_as(&place, "tcp", bound);
    memset(bound, '?', sizeof bound - 1);
    memset(member_id, '?', sizeof member_id - 1);
    memset(&place.settings, 0, sizeof place.settings);

    write_file(announce);
    end_farm(&place, true);

    struct mwi_resource resource = read_file(&place);
    CU_ASSERT_EQUAL(resource.computation_status, MWI_COMPUTATION_FINISHED);
    CU_ASSERT_STRING_EQUAL(resource.member_id, "meadow");
    CU_ASSERT_STRING_EQUAL(resource.slave_executable, "/opt/slave program");
    check_arguments(&resource, expected);
    mwi_resource_fini(&resource);
    end(&place);
}

/* Addresses of every form, and none. */
static void test_addresses(void)
{
    static const struct {
        const char *bound, *host;
        int port;
    } cases[] = {
        {"127.0.0.1:1", "127.0.0.1", 1},
        {"node-7.example.org:65535", "node-7.example.org", 65535},
        {"[::1]:7000", "::1", 7000},
        {"[fe80::1%eth0]:7000", "fe80::1%eth0", 7000},
        {"", NULL, 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct place place;
        start(&place);
        struct mwi_announce *announce = open_as(&place, "x", cases[i].bound);
        write_file(announce);
        struct mwi_resource resource = read_file(&place);

        CU_ASSERT_EQUAL(resource.port, cases[i].port);
        if (cases[i].host == NULL)
            CU_ASSERT_PTR_NULL(resource.host);
        if (cases[i].host != NULL && resource.host != NULL)
            CU_ASSERT_STRING_EQUAL(resource.host, cases[i].host);

        mwi_resource_fini(&resource);
        end(&place);
    }
}

/* The file is written anew when its interval has passed, not before, and each time leaves a
 * record. */
static void test_tend(void)
{
    struct place place;
    start(&place);
    place.settings.interval_ns = 10 * SECOND;
    struct mwi_announce *announce = open_as(&place, "tcp", "host:7");
    place.loop.clock = 5 * SECOND;
    write_file(announce);
    CU_ASSERT_EQUAL(deadline(&place), 15 * SECOND);
    remove(place.path);

    place.loop.clock = 15 * SECOND - 1;
    tend(&place);
    CU_ASSERT_EQUAL(access(place.path, F_OK), -1);
    place.loop.clock = 15 * SECOND;
    tend(&place);

    CU_ASSERT_EQUAL(access(place.path, F_OK), 0);
    CU_ASSERT_EQUAL(deadline(&place), 25 * SECOND);
    char *trail = read_trail(&place), expected[1000];
    snprintf(expected, sizeof expected,
             "01/01/1970 00:00:05 [A] RESFILE Generated resource file: \"%s\"\n"
             "01/01/1970 00:00:15 [A] RESFILE Generated resource file: \"%s\"\n",
             place.path, place.path);
    CU_ASSERT_STRING_EQUAL(trail, expected);
    free(trail);
    end(&place);
}

/* A relative path is one of the folder in which the farm was opened, wherever the master goes. */
static void test_other_folder(void)
{
    struct place place;
    struct mwi_resource resource;
    char *before = getcwd(NULL, 0);
    start(&place);
    place.settings.path = "m.rsc";
    CU_ASSERT_EQUAL_FATAL(chdir(place.folder.path), 0);
    struct mwi_announce *announce = open_as(&place, "tcp", "host:7");

    CU_ASSERT_EQUAL(chdir("/"), 0);
    write_file(announce);
    end_farm(&place, true);

    resource = read_file(&place);
    CU_ASSERT_EQUAL(resource.computation_status, MWI_COMPUTATION_FINISHED);
    CU_ASSERT_NOT_EQUAL(access("/m.rsc", F_OK), 0);
    mwi_resource_fini(&resource);
    CU_ASSERT_EQUAL(chdir(before), 0);
    free(before);
    end(&place);
}

/* At first a file that cannot be written is an error. Later it leaves a record, and is tried again
 * an interval later: the farm goes on. */
static void test_trouble(void)
{
    struct place place;
    mw_reason why = {""};
    char path[500];
    start(&place);
    snprintf(path, sizeof path, "%s/no/m.rsc", place.folder.path);
    place.settings.path = path;
    struct mwi_announce *announce = open_as(&place, "tcp", "host:7");

    CU_ASSERT_EQUAL(mwi_announce_start(announce, &why), MW_EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "m.rsc"));
    place.loop.clock = 300 * SECOND;
    tend(&place);
    tend(&place);

    CU_ASSERT_EQUAL(deadline(&place), 600 * SECOND);
    char *trail = read_trail(&place), expected[600];
    snprintf(expected, sizeof expected,
             "01/01/1970 00:05:00 [A] RESFILE resource file \"%s\": ", path);
    CU_ASSERT_EQUAL(strncmp(trail, expected, strlen(expected)), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(trail, strerror(ENOENT)));
    CU_ASSERT_EQUAL(strcspn(trail, "\n"), strlen(trail) - 1);
    free(trail);
    end(&place);
}

/* Rewrites the file as a master with another address, or another process, would. */
static void take_over(struct place *place, int port, int64_t pid)
{
    struct mwi_resource resource = read_file(place);
    mw_reason why = {""};
    resource.port = port;
    resource.pid = pid;
    CU_ASSERT_EQUAL(mwi_resource_file_write(place->path, &resource, &why), MW_OK);
    mwi_resource_fini(&resource);
}

static void check_end(int port, int64_t pid, enum mwi_computation_status expected)
{
    struct place place;
    start(&place);
    struct mwi_announce *announce = open_as(&place, "tcp", "host:7");
    write_file(announce);
    take_over(&place, port, pid);

    end_farm(&place, true);

    struct mwi_resource resource = read_file(&place);
    char *trail = read_trail(&place);
    CU_ASSERT_EQUAL(resource.computation_status, expected);
    CU_ASSERT_EQUAL(strstr(trail, "it belongs to another master now") != NULL,
                    expected == MWI_COMPUTATION_IN_PROGRESS);
    free(trail);
    mwi_resource_fini(&resource);
    end(&place);
}

/* A master writes the end of its run into its own file only, not into its successor's. */
static void test_end(void)
{
    check_end(7, getpid(), MWI_COMPUTATION_FINISHED);
    check_end(8, getpid(), MWI_COMPUTATION_IN_PROGRESS);
    check_end(7, getpid() + 1, MWI_COMPUTATION_IN_PROGRESS);
}

/* A file that was never written gets no end. A file that somebody has removed is written again. */
static void test_end_without_file(void)
{
    for (int is_started = 0; is_started < 2; is_started++) {
        struct place place;
        start(&place);
        struct mwi_announce *announce = open_as(&place, "tcp", "");
        if (is_started) {
            write_file(announce);
            remove(place.path);
        }

        end_farm(&place, false);

        CU_ASSERT_EQUAL(access(place.path, F_OK), is_started ? 0 : -1);
        end(&place);
    }
}

/* A signal handler can say that the farm has failed, also after the file was written again, but not
 * in a file that another master has written, nor after the farm's own end. */
static void test_fail_now(void)
{
    static const enum mwi_computation_status expected[] = {
        MWI_COMPUTATION_FAILED, MWI_COMPUTATION_IN_PROGRESS, MWI_COMPUTATION_FINISHED};
    for (int i = 0; i < 3; i++) {
        struct place place;
        start(&place);
        struct mwi_announce *announce = open_as(&place, "tcp", "host:7");
        write_file(announce);
        mwi_announce_need(announce, 5);
        tend(&place);
        if (i == 1)
            take_over(&place, 8, getpid());
        mwi_chores_stop(mwi_loop_chores(place.loop.loop), true);
        int64_t before_s = (int64_t)time(NULL);

        if (i < 2)
            mwi_announce_fail_now(announce);
        else
            end_farm(&place, true);

        struct mwi_resource resource = read_file(&place);
        CU_ASSERT_EQUAL(resource.computation_status, expected[i]);
        CU_ASSERT(resource.timestamp_s >= before_s - (i == 1 ? 60 : 0));
        CU_ASSERT(resource.timestamp_s <= (int64_t)time(NULL));
        mwi_resource_fini(&resource);
        end(&place);
    }
}

/* Ends a farm in one of three ways, whose order is that of the computation's statuses and then the
 * signal handler's. */
static void end_somehow(struct place *place, struct mwi_announce *announce, int way)
{
    if (way == 2)
        mwi_announce_fail_now(announce);
    else
        end_farm(place, way == 0);
}

/* While the farm runs, its file has its key. However it ends, the file has none any more. */
static void test_key(void)
{
    for (int way = 0; way < 3; way++) {
        struct place place;
        struct mwi_keyring *keyring;
        mw_reason why = {""};
        start(&place);
        CU_ASSERT_EQUAL_FATAL(mwi_keyring_open(&keyring, &why), MW_OK);
        CU_ASSERT_EQUAL(mwi_keyring_make_farm_key(keyring, &why), MW_OK);
        struct mwi_announce *announce = open_with(&place, "tcp", "host:7", keyring);
        write_file(announce);

        struct mwi_resource running = read_file(&place);
        end_somehow(&place, announce, way);
        struct mwi_resource ended = read_file(&place);

        CU_ASSERT_EQUAL(running.encryption, MWI_ENCRYPTION_TLS);
        CU_ASSERT_PTR_NOT_NULL_FATAL(running.key);
        CU_ASSERT_EQUAL(memcmp(running.key, mwi_keyring_farm_key(keyring), sizeof *running.key), 0);
        CU_ASSERT_NOT_EQUAL(ended.computation_status, MWI_COMPUTATION_IN_PROGRESS);
        CU_ASSERT_EQUAL(ended.encryption, MWI_ENCRYPTION_TLS);
        CU_ASSERT_PTR_NULL(ended.key);
        mwi_resource_fini(&running);
        mwi_resource_fini(&ended);
        end(&place);
        mwi_keyring_close(keyring);
    }
}

/* A folder that a group may write is told in the trail, and one that everybody may is refused. */
static void test_shared_folder(void)
{
    struct place place;
    mw_reason why = {""};
    start(&place);
    struct mwi_announce *announce = open_as(&place, "tcp", "host:7");
    CU_ASSERT_EQUAL(chmod(place.folder.path, 0770), 0);

    write_file(announce);

    char *trail = read_trail(&place);
    CU_ASSERT_PTR_NOT_NULL(strstr(trail, "a group may replace it"));
    free(trail);
    CU_ASSERT_EQUAL(chmod(place.folder.path, 0777), 0);
    CU_ASSERT_EQUAL(mwi_announce_start(announce, &why), MW_EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "no sticky bit"));
    end_farm(&place, true);
    end(&place);
}

/* A farm that fails says so at once, and once only, though the master still waits for its slaves; a
 * farm that ends well is in progress until the slaves are gone, but wants no more of them. */
static void test_while_it_ends(void)
{
    for (int is_finished = 0; is_finished < 2; is_finished++) {
        struct place place;
        start(&place);
        place.settings.interval_ns = 10 * SECOND;
        struct mwi_announce *announce = open_as(&place, "tcp", "host:7");
        write_file(announce);
        mwi_announce_need(announce, 5);
        tend(&place);

        mwi_chores_stop(mwi_loop_chores(place.loop.loop), is_finished);
        place.loop.clock = 20 * SECOND;
        tend(&place);

        struct mwi_resource resource = read_file(&place);
        CU_ASSERT_EQUAL(resource.computation_status,
                        is_finished ? MWI_COMPUTATION_IN_PROGRESS : MWI_COMPUTATION_FAILED);
        CU_ASSERT_EQUAL(resource.slaves_needed, 0);
        CU_ASSERT_EQUAL(deadline(&place), is_finished ? 30 * SECOND : INT64_MAX);
        mwi_resource_fini(&resource);
        end(&place);
    }
}

/* A number of needed slaves that changes all the time is written once a second. */
static void test_changes(void)
{
    struct place place;
    start(&place);
    struct mwi_announce *announce = open_as(&place, "tcp", "host:7");
    place.loop.clock = 10 * SECOND;
    write_file(announce);

    mwi_announce_need(announce, 5);
    mwi_announce_need(announce, 6);
    CU_ASSERT_EQUAL(deadline(&place), 11 * SECOND);
    tend(&place);
    struct mwi_resource resource = read_file(&place);
    CU_ASSERT_EQUAL(resource.slaves_needed, 0);
    mwi_resource_fini(&resource);
    place.loop.clock = 11 * SECOND;
    tend(&place);

    resource = read_file(&place);
    CU_ASSERT_EQUAL(resource.slaves_needed, 6);
    mwi_resource_fini(&resource);
    end_farm(&place, true);
    end(&place);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"no file", test_no_file},
        {"fields", test_fields},
        {"arguments of encryption", test_arguments_of_encryption},
        {"settings that were set", test_settings_that_were_set},
        {"addresses", test_addresses},
        {"tend", test_tend},
        {"other folder", test_other_folder},
        {"trouble", test_trouble},
        {"end", test_end},
        {"while it ends", test_while_it_ends},
        {"end without file", test_end_without_file},
        {"fail now", test_fail_now},
        {"key", test_key},
        {"shared folder", test_shared_folder},
        {"changes", test_changes},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("announce", tests);
}

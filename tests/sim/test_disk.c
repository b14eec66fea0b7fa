/* SPDX-License-Identifier: Apache-2.0
 *
 * Disks: the promises of base/disk.h, which a real file and a simulated disk must both keep, and
 * the faults of the simulated one. Each case about a promise runs on both, in a simulated host.
 */
#include "base/disk.h"

#include <poll.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <mw/sim.h>

#include "mwt_folder.h"
#include "mwt_run.h"
#include "record/disk_file.h"
#include "sim_disk.h"

#define MS INT64_C(1000000)

/* One case: a disk, how to open it, and the world that it is in. */
struct rig {
    const struct mwi_disk_api *api;
    const char *path;
    void *environment;
    mw_sim *sim;
    void (*run)(struct rig *rig);
};

static void *open_disk(const struct rig *rig)
{
    void *disk = NULL;
    mw_reason why = {""};
    CU_ASSERT_EQUAL_FATAL(rig->api->open(&disk, rig->path, rig->environment, &why), MW_OK);
    return disk;
}

/* Syncs, and lets time go by until all bytes are durable. */
static void sync_all(const struct rig *rig, void *disk)
{
    rig->api->sync(disk, 0);
    while (rig->api->done(disk).error == MW_OK &&
           rig->api->done(disk).durable_bytes < rig->api->size(disk))
        mw_sim_spend(rig->sim, MS);
    CU_ASSERT_EQUAL(rig->api->done(disk).error, MW_OK);
}

static void write_all(const struct rig *rig, const char *text)
{
    void *disk = open_disk(rig);
    rig->api->append(disk, text, strlen(text));
    sync_all(rig, disk);
    rig->api->close(disk);
}

/* The whole disk, opened anew, is the text. */
static void check_content(const struct rig *rig, const char *text)
{
    char found[64] = "";
    mw_reason why = {""};
    void *disk = open_disk(rig);
    CU_ASSERT_EQUAL_FATAL(rig->api->size(disk), strlen(text));
    CU_ASSERT_EQUAL(rig->api->done(disk).durable_bytes, strlen(text));
    CU_ASSERT_EQUAL(rig->api->read(disk, 0, found, strlen(text), &why), MW_OK);
    CU_ASSERT_STRING_EQUAL(found, text);
    rig->api->close(disk);
}

static int run_host(mw_sim_host *host, void *context)
{
    struct rig *rig = context;
    rig->sim = mw_sim_host_world(host);
    rig->run(rig);
    return 0;
}

static const struct mwi_disk_api *const apis[] = {&mwi_disk_file_api, &mwi_sim_disk_api};
enum { APIS_COUNT = sizeof apis / sizeof *apis };

static mw_sim *create_world(uint64_t seed)
{
    mw_sim *sim = NULL;
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&sim, &(mw_sim_config){.seed = seed}), MW_OK);
    return sim;
}

static struct mwi_sim_disk *create_disk(mw_sim *sim, struct mwi_sim_disk_plan plan)
{
    struct mwi_sim_disk *disk = mwi_sim_disk_create(sim, &plan);
    CU_ASSERT_PTR_NOT_NULL_FATAL(disk);
    return disk;
}

/* Runs a case in a host, on the disk of that table. */
static void run_on(const struct mwi_disk_api *api, void (*run)(struct rig *rig))
{
    struct mwt_folder folder;
    mw_sim *sim = create_world(1);
    struct rig rig = {.api = api, .run = run};
    mwt_folder_create(&folder);
    rig.path = mwt_folder_file(&folder, "disk");
    if (api == &mwi_sim_disk_api)
        rig.environment =
            create_disk(sim, (struct mwi_sim_disk_plan){.sync_min_ns = MS, .sync_max_ns = 3 * MS});
    CU_ASSERT_EQUAL(mw_sim_host_start(sim, "host", run_host, &rig, NULL), MW_OK);
    CU_ASSERT_TRUE(mw_sim_run(sim, INT64_MAX));
    mw_sim_destroy(sim);
    mwt_folder_destroy(&folder);
}

static void run_on_all(void (*run)(struct rig *rig))
{
    for (size_t i = 0; i < APIS_COUNT; i++)
        run_on(apis[i], run);
}

/* Every member is set. */
static void test_members(void)
{
    for (size_t i = 0; i < APIS_COUNT; i++)
        CU_ASSERT(apis[i]->open != NULL && apis[i]->size != NULL && apis[i]->read != NULL &&
                  apis[i]->truncate != NULL && apis[i]->append != NULL && apis[i]->sync != NULL &&
                  apis[i]->done != NULL && apis[i]->close != NULL);
}

static void play_new(struct rig *rig)
{
    void *disk = open_disk(rig);

    rig->api->sync(disk, 0);

    CU_ASSERT_EQUAL(rig->api->size(disk), 0);
    CU_ASSERT_EQUAL(rig->api->done(disk).durable_bytes, 0);
    CU_ASSERT_EQUAL(rig->api->done(disk).error, MW_OK);
    CU_ASSERT_STRING_EQUAL(rig->api->done(disk).why, "");
    rig->api->close(disk);
    rig->api->close(NULL);
    check_content(rig, "");
}

/* A new disk is empty, and a sync of nothing is done at once. */
static void test_new(void)
{
    run_on_all(play_new);
}

static void play_append(struct rig *rig)
{
    char bytes[] = "one";
    void *disk = open_disk(rig);

    rig->api->append(disk, bytes, 3);
    memset(bytes, 'x', 3);
    rig->api->append(disk, NULL, 0);
    CU_ASSERT_EQUAL(rig->api->size(disk), 3);
    CU_ASSERT_EQUAL(rig->api->done(disk).durable_bytes, 0);
    sync_all(rig, disk);
    rig->api->append(disk, "two", 3);

    CU_ASSERT_EQUAL(rig->api->size(disk), 6);
    CU_ASSERT_EQUAL(rig->api->done(disk).durable_bytes, 3);
    rig->api->close(disk);
    check_content(rig, "one");
}

/* Appended bytes are copied, count at once, and are durable by a sync only. */
static void test_append(void)
{
    run_on_all(play_append);
}

static void play_several_syncs(struct rig *rig)
{
    void *disk = open_disk(rig);
    uint64_t last_bytes = 0;

    for (int i = 0; i < 10; i++) {
        rig->api->append(disk, "0123", 4);
        rig->api->sync(disk, 0);
        mw_sim_spend(rig->sim, MS);
        uint64_t durable_bytes = rig->api->done(disk).durable_bytes;
        CU_ASSERT(durable_bytes >= last_bytes && durable_bytes <= rig->api->size(disk));
        CU_ASSERT_EQUAL(durable_bytes % 4, 0);
        last_bytes = durable_bytes;
    }
    sync_all(rig, disk);

    rig->api->close(disk);
    check_content(rig, "0123012301230123012301230123012301230123");
}

/* A sync may be asked for while another is under way: what is durable only grows, up to all. */
static void test_several_syncs(void)
{
    run_on_all(play_several_syncs);
}

static void play_truncate(struct rig *rig)
{
    mw_reason why = {""};
    write_all(rig, "whole torn");
    void *disk = open_disk(rig);

    CU_ASSERT_EQUAL(rig->api->truncate(disk, 6, &why), MW_OK);

    CU_ASSERT_EQUAL(rig->api->size(disk), 6);
    CU_ASSERT_EQUAL(rig->api->done(disk).durable_bytes, 6);
    rig->api->append(disk, "new", 3);
    sync_all(rig, disk);
    rig->api->close(disk);
    check_content(rig, "whole new");
}

/* A disk that is cut off goes on from there. */
static void test_truncate(void)
{
    run_on_all(play_truncate);
}

static void play_read(struct rig *rig)
{
    char found[4] = "";
    mw_reason why = {""};
    void *disk = open_disk(rig);
    rig->api->append(disk, "0123456789", 10);
    sync_all(rig, disk);
    rig->api->append(disk, "not yet", 7);

    CU_ASSERT_EQUAL(rig->api->read(disk, 7, found, 3, &why), MW_OK);

    CU_ASSERT_STRING_EQUAL(found, "789");
    CU_ASSERT_EQUAL(rig->api->read(disk, 10, found, 0, &why), MW_OK);
    rig->api->close(disk);
}

/* Durable bytes can be read while others are appended. */
static void test_read(void)
{
    run_on_all(play_read);
}

/* A file that cannot be opened says so, by its path. */
static void test_file_open(void)
{
    void *disk = NULL;
    mw_reason why = {""};

    CU_ASSERT_EQUAL(mwi_disk_file_api.open(&disk, "/nonexistent/folder", NULL, &why), MW_EIO);

    CU_ASSERT_PTR_NULL(disk);
    CU_ASSERT_STRING_EQUAL(why.text, "/nonexistent/folder: No such file or directory");
}

/* Waits until the file tells something new. */
static void await_told(void *disk)
{
    struct pollfd told = {.fd = mwi_disk_file_api.descriptor(disk), .events = POLLIN};
    CU_ASSERT_EQUAL(poll(&told, 1, 60000), 1);
}

/* The descriptor is readable when bytes have become durable, until that was asked for. A sync that
 * may wait does, and takes bytes with it that were appended later. */
static void test_file_told(void)
{
    struct mwt_folder folder;
    struct mwi_disk_progress progress;
    void *disk = NULL;
    mw_reason why = {""};
    mwt_folder_create(&folder);
    CU_ASSERT_EQUAL_FATAL(
        mwi_disk_file_api.open(&disk, mwt_folder_file(&folder, "file"), NULL, &why), MW_OK);
    struct pollfd told = {.fd = mwi_disk_file_api.descriptor(disk), .events = POLLIN};

    mwi_disk_file_api.append(disk, "01234", 5);
    mwi_disk_file_api.sync(disk, 300 * MS);
    CU_ASSERT_EQUAL(mwi_disk_file_api.done(disk).durable_bytes, 0);
    mwi_disk_file_api.append(disk, "56789", 5);
    mwi_disk_file_api.sync(disk, 300 * MS);
    await_told(disk);
    progress = mwi_disk_file_api.done(disk);

    CU_ASSERT_EQUAL(progress.error, MW_OK);
    CU_ASSERT_EQUAL(progress.durable_bytes, 10);
    CU_ASSERT_EQUAL(poll(&told, 1, 0), 0);
    mwi_disk_file_api.close(disk);
    mwt_folder_destroy(&folder);
}

/* A write that is held up tells that it has begun, and goes on when it may. */
static bool are_writes_held;
static sem_t has_begun, may_go_on;

/* Takes the place of the C library's, for this whole program. */
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    if (are_writes_held) {
        sem_post(&has_begun);
        while (sem_wait(&may_go_on) != 0)
            continue;
    }
    return syscall(SYS_pwritev, fd, parts, (long)count, (long)offset, 0L);
}

/* During each write more bytes come, so that there is always more to write: a sync that is due
 * begins all the same. */
static void test_file_busy(void)
{
    struct mwt_folder folder;
    void *disk = NULL;
    mw_reason why = {""};
    mwt_folder_create(&folder);
    CU_ASSERT_EQUAL_FATAL(
        mwi_disk_file_api.open(&disk, mwt_folder_file(&folder, "file"), NULL, &why), MW_OK);
    sem_init(&has_begun, 0, 0);
    sem_init(&may_go_on, 0, 0);
    are_writes_held = true;

    mwi_disk_file_api.append(disk, "0123", 4);
    mwi_disk_file_api.sync(disk, 0);
    for (uint64_t i = 0; i < 10; i++) {
        while (sem_wait(&has_begun) != 0)
            continue;
        CU_ASSERT_EQUAL(mwi_disk_file_api.done(disk).durable_bytes, 4 * i);
        mwi_disk_file_api.append(disk, "4567", 4);
        mwi_disk_file_api.sync(disk, i % 2 == 0 ? 0 : 1000 * MS);
        sem_post(&may_go_on);
    }
    sem_post(&may_go_on);

    CU_ASSERT_EQUAL(mwi_disk_file_api.await(disk, &why), MW_OK);
    are_writes_held = false;
    mwi_disk_file_api.close(disk);
    mwt_folder_destroy(&folder);
    sem_destroy(&has_begun);
    sem_destroy(&may_go_on);
}

/* A file that another has is refused, after a while, and is free when that one has closed it. */
static void test_file_locked(void)
{
    struct mwt_folder folder;
    void *disk = NULL, *other = NULL;
    mw_reason why = {""};
    mwt_folder_create(&folder);
    const char *path = mwt_folder_file(&folder, "file");
    CU_ASSERT_EQUAL_FATAL(mwi_disk_file_api.open(&disk, path, NULL, &why), MW_OK);

    CU_ASSERT_EQUAL(mwi_disk_file_api.open(&other, path, NULL, &why), MW_ESTATE);

    CU_ASSERT_PTR_NULL(other);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "file: another process has it"));
    mwi_disk_file_api.close(disk);
    CU_ASSERT_EQUAL_FATAL(mwi_disk_file_api.open(&other, path, NULL, &why), MW_OK);
    mwi_disk_file_api.close(other);
    mwt_folder_destroy(&folder);
}

static void *holder;            /* has the file until somebody waits for the lock */
static const char *holder_path; /* removed then */

/* Takes the place of the C library's, for this whole program. */
int nanosleep(const struct timespec *time, struct timespec *left)
{
    if (holder != NULL) {
        CU_ASSERT_EQUAL(unlink(holder_path), 0);
        mwi_disk_file_api.close(holder);
        holder = NULL;
    }
    return (int)syscall(SYS_nanosleep, time, left);
}

/* A file that is removed while another process waits for its lock is made anew: nothing is written
 * to one without a name. */
static void test_file_removed(void)
{
    struct mwt_folder folder;
    void *disk = NULL;
    mw_reason why = {""};
    mwt_folder_create(&folder);
    holder_path = mwt_folder_file(&folder, "file");
    CU_ASSERT_EQUAL_FATAL(mwi_disk_file_api.open(&holder, holder_path, NULL, &why), MW_OK);

    CU_ASSERT_EQUAL_FATAL(mwi_disk_file_api.open(&disk, holder_path, NULL, &why), MW_OK);

    CU_ASSERT_PTR_NULL(holder);
    CU_ASSERT_EQUAL(access(holder_path, F_OK), 0);
    mwi_disk_file_api.close(disk);
    mwt_folder_destroy(&folder);
}

static int folder_syncs_count;

/* Takes the place of the C library's, for this whole program. */
int fsync(int fd)
{
    struct stat found;
    folder_syncs_count += fstat(fd, &found) == 0 && S_ISDIR(found.st_mode);
    return (int)syscall(SYS_fsync, fd);
}

/* The name of the file is made durable whenever it is opened: whoever has made the file, or has put
 * it in the place of another, may have died before. */
static void test_file_name(void)
{
    struct mwt_folder folder;
    mw_reason why = {""};
    mwt_folder_create(&folder);
    for (int i = 0; i < 3; i++) {
        void *disk = NULL;
        folder_syncs_count = 0;

        CU_ASSERT_EQUAL_FATAL(
            mwi_disk_file_api.open(&disk, mwt_folder_file(&folder, "file"), NULL, &why), MW_OK);

        CU_ASSERT_EQUAL(folder_syncs_count, 1);
        mwi_disk_file_api.append(disk, "bytes", 5);
        CU_ASSERT_EQUAL(mwi_disk_file_api.await(disk, &why), MW_OK);
        mwi_disk_file_api.close(disk);
    }
    mwt_folder_destroy(&folder);
}

/* A file that was not closed may have zeros at its end, and nothing else behind its bytes. */
static void test_file_killed(void)
{
    struct mwt_folder folder;
    void *disk = NULL;
    mw_reason why = {""};
    mwt_folder_create(&folder);
    const char *path = mwt_folder_file(&folder, "file");
    pid_t child = fork();
    if (child == 0) {
        bool is_open = mwi_disk_file_api.open(&disk, path, NULL, &why) == MW_OK;
        mwi_disk_file_api.append(disk, "bytes", 5);
        mwi_disk_file_api.sync(disk, 0);
        await_told(disk);
        _exit(is_open ? 0 : 1);
    }
    int status = -1;
    CU_ASSERT_EQUAL(waitpid(child, &status, 0), child);
    CU_ASSERT_EQUAL(status, 0);

    CU_ASSERT_EQUAL_FATAL(mwi_disk_file_api.open(&disk, path, NULL, &why), MW_OK);
    size_t size = (size_t)mwi_disk_file_api.size(disk);
    unsigned char *bytes = calloc(1, size + 1);
    CU_ASSERT_FATAL(size >= 5);
    CU_ASSERT_EQUAL(mwi_disk_file_api.read(disk, 0, bytes, size, &why), MW_OK);
    CU_ASSERT_EQUAL(memcmp(bytes, "bytes", 5), 0);
    for (size_t i = 5; i < size; i++)
        CU_ASSERT_EQUAL_FATAL(bytes[i], 0);
    free(bytes);
    mwi_disk_file_api.close(disk);
    mwt_folder_destroy(&folder);
}

/* Appends, syncs, and returns what the disk tells then. */
static struct mwi_disk_progress write_more(void *disk)
{
    mwi_disk_file_api.append(disk, "more", 4);
    mwi_disk_file_api.sync(disk, 0);
    await_told(disk);
    return mwi_disk_file_api.done(disk);
}

/* A file that somebody removes or cuts off while it is written is told to have failed. */
static void test_file_taken_away(void)
{
    for (int i = 0; i < 2; i++) {
        struct mwt_folder folder;
        mw_reason why;
        void *disk;
        mwt_folder_create(&folder);
        const char *path = mwt_folder_file(&folder, "removed");
        CU_ASSERT_EQUAL_FATAL(mwi_disk_file_api.open(&disk, path, NULL, &why), MW_OK);
        CU_ASSERT_EQUAL(write_more(disk).error, MW_OK);
        CU_ASSERT_EQUAL(i == 0 ? unlink(path) : truncate(path, 1), 0);

        struct mwi_disk_progress progress = write_more(disk);

        CU_ASSERT_EQUAL(progress.error, MW_EIO);
        CU_ASSERT_PTR_NOT_NULL(strstr(progress.why, "removed: somebody has removed it"));
        CU_ASSERT_EQUAL(progress.durable_bytes, 4);
        mwi_disk_file_api.close(disk);
        mwt_folder_destroy(&folder);
    }
}

/* A full device fails the sync; nothing is written any more after that. */
static void test_file_full(void)
{
    struct mwt_folder folder;
    struct rlimit limit;
    void *disk = NULL;
    mw_reason why = {""};
    mwt_folder_create(&folder);
    CU_ASSERT_EQUAL_FATAL(
        mwi_disk_file_api.open(&disk, mwt_folder_file(&folder, "full"), NULL, &why), MW_OK);
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_FSIZE, &limit), 0);
    CU_ASSERT_EQUAL_FATAL(
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){.rlim_cur = 0, .rlim_max = limit.rlim_max}), 0);

    mwi_disk_file_api.append(disk, "bytes", 5);
    mwi_disk_file_api.sync(disk, 0);
    await_told(disk);
    mwi_disk_file_api.append(disk, "more", 4);
    mwi_disk_file_api.sync(disk, 0);

    struct mwi_disk_progress progress = mwi_disk_file_api.done(disk);
    CU_ASSERT_EQUAL(progress.error, MW_EIO);
    CU_ASSERT_PTR_NOT_NULL(strstr(progress.why, "full: File too large"));
    CU_ASSERT_EQUAL(progress.durable_bytes, 0);
    CU_ASSERT_EQUAL(mwi_disk_file_api.size(disk), 5);
    mwi_disk_file_api.close(disk);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
    mwt_folder_destroy(&folder);
}

/* Opens the simulated disk outside of all hosts. */
static void *open_sim_disk(struct mwi_sim_disk *environment)
{
    void *disk = NULL;
    mw_reason why = {""};
    CU_ASSERT_EQUAL_FATAL(mwi_sim_disk_api.open(&disk, "", environment, &why), MW_OK);
    return disk;
}

/* A disk that becomes full fails, keeps the bytes that were durable, and takes as many more as it
 * has room for. */
static void test_sim_full(void)
{
    mw_sim *sim = create_world(1);
    struct mwi_sim_disk *environment =
        create_disk(sim, (struct mwi_sim_disk_plan){.room_bytes = 8});
    void *disk = open_sim_disk(environment);
    mwi_sim_disk_api.append(disk, "01234", 5);
    mwi_sim_disk_api.sync(disk, 0);
    mw_sim_run(sim, MS);

    mwi_sim_disk_api.append(disk, "56789", 5);
    mwi_sim_disk_api.sync(disk, 0);
    mw_sim_run(sim, 2 * MS);

    struct mwi_disk_progress progress = mwi_sim_disk_api.done(disk);
    CU_ASSERT_EQUAL(progress.error, MW_EIO);
    CU_ASSERT_STRING_EQUAL(progress.why, "the simulated disk is full");
    CU_ASSERT_EQUAL(progress.durable_bytes, 5);
    mwi_sim_disk_api.close(disk);
    disk = open_sim_disk(environment);
    CU_ASSERT_EQUAL(mwi_sim_disk_api.size(disk), 8);
    mwi_sim_disk_api.close(disk);
    mw_sim_destroy(sim);
}

/* A sync that fails is told when its time has come; no sync follows it, and a disk that is opened
 * anew works again. */
static void test_sim_error(void)
{
    mw_sim *sim = create_world(1);
    struct mwi_sim_disk *environment = create_disk(
        sim, (struct mwi_sim_disk_plan){.failing_sync = 2, .sync_min_ns = MS, .sync_max_ns = MS});
    void *disk = open_sim_disk(environment);
    for (int i = 0; i < 3; i++) {
        mwi_sim_disk_api.append(disk, "0123", 4);
        mwi_sim_disk_api.sync(disk, 0);
    }

    mw_sim_run(sim, 2 * MS - 1);
    CU_ASSERT_EQUAL(mwi_sim_disk_api.done(disk).error, MW_OK);
    mw_sim_run(sim, 10 * MS);

    CU_ASSERT_EQUAL(mwi_sim_disk_api.done(disk).error, MW_EIO);
    CU_ASSERT_EQUAL(mwi_sim_disk_api.done(disk).durable_bytes, 4);
    mwi_sim_disk_api.close(disk);
    disk = open_sim_disk(environment);
    CU_ASSERT_EQUAL(mwi_sim_disk_api.done(disk).error, MW_OK);
    mwi_sim_disk_api.close(disk);
    mw_sim_destroy(sim);
}

/* A disk is opened by one at a time. */
static void test_sim_opened(void)
{
    mw_sim *sim = create_world(1);
    struct mwi_sim_disk *environment = create_disk(sim, (struct mwi_sim_disk_plan){0});
    void *disk = open_sim_disk(environment), *other = NULL;
    mw_reason why = {""};

    CU_ASSERT_EQUAL(mwi_sim_disk_api.open(&other, "", environment, &why), MW_ESTATE);

    CU_ASSERT_PTR_NULL(other);
    mwi_sim_disk_api.close(disk);
    mw_sim_destroy(sim);
}

static void play_killed(struct rig *rig)
{
    void *disk = open_disk(rig);
    rig->api->append(disk, "written", 7);
    rig->api->sync(disk, 0);
    rig->api->append(disk, "queued", 6);
    mw_sim_spend(rig->sim, 10 * MS);
    rig->api->sync(disk, 0);
    rig->api->close(disk);
}

static void kill_host(mw_sim *sim, void *context)
{
    (void)sim;
    mw_sim_kill(context);
}

/* The kill of a host loses the bytes that wait for a sync, and no others, even if their sync was
 * not done. */
static void test_sim_kill(void)
{
    mw_sim *sim = create_world(1);
    mw_sim_host *host;
    struct rig rig = {.api = &mwi_sim_disk_api, .path = "", .run = play_killed};
    rig.environment =
        create_disk(sim, (struct mwi_sim_disk_plan){.sync_min_ns = 5 * MS, .sync_max_ns = 5 * MS});
    CU_ASSERT_EQUAL_FATAL(mw_sim_host_start(sim, "host", run_host, &rig, &host), MW_OK);
    CU_ASSERT_EQUAL(mw_sim_at(sim, MS, kill_host, host), MW_OK);

    CU_ASSERT_TRUE(mw_sim_run(sim, INT64_MAX));

    check_content(&rig, "written");
    mw_sim_destroy(sim);
}

/* Polls without a deadline while a sync is under way. */
static int poll_host(mw_sim_host *host, void *context)
{
    static const mw_transport_events none = {0};
    struct rig *rig = context;
    void *transport = NULL, *disk = open_disk(rig);
    mw_reason why = {""};
    mw_transport_config config = {
        .events = &none, .frame_bytes_max = 1, .wake_fd = -1, .environment = host};
    CU_ASSERT_EQUAL_FATAL(mw_sim_transport.open(&transport, &config, &why), MW_OK);
    rig->api->append(disk, "0123", 4);
    rig->api->sync(disk, 0);

    CU_ASSERT_EQUAL(mw_sim_transport.poll(transport, INT64_MAX, &why), MW_OK);

    CU_ASSERT_EQUAL(mw_sim_now(mw_sim_host_world(host)), 5 * MS);
    CU_ASSERT_EQUAL(rig->api->done(disk).durable_bytes, 4);
    rig->api->close(disk);
    mw_sim_transport.close(transport);
    return 0;
}

/* The end of a sync ends the poll of the host that has opened the disk. */
static void test_sim_wake(void)
{
    mw_sim *sim = create_world(1);
    struct rig rig = {.api = &mwi_sim_disk_api, .path = ""};
    rig.environment =
        create_disk(sim, (struct mwi_sim_disk_plan){.sync_min_ns = 5 * MS, .sync_max_ns = 5 * MS});
    CU_ASSERT_EQUAL_FATAL(mw_sim_host_start(sim, "host", poll_host, &rig, NULL), MW_OK);

    CU_ASSERT_TRUE(mw_sim_run(sim, INT64_MAX));

    mw_sim_destroy(sim);
}

enum { PAGES_COUNT = 6, PAGE = MWI_SIM_DISK_PAGE_BYTES, DURABLE = PAGE + 100 };

/* A disk after a power cut, and the bytes that were on it before. */
struct wreck {
    unsigned char before[PAGES_COUNT * PAGE], after[PAGES_COUNT * PAGE];
    size_t size;
};

/* Cuts the power while DURABLE bytes are durable and the rest of PAGES_COUNT pages is not. */
static void make_wreck(struct wreck *wreck, uint64_t seed)
{
    mw_sim *sim = create_world(seed);
    struct mwi_sim_disk *environment = create_disk(sim, (struct mwi_sim_disk_plan){0});
    void *disk = open_sim_disk(environment);
    mw_reason why = {""};
    memset(wreck, 0, sizeof *wreck);
    for (size_t i = 0; i < sizeof wreck->before; i++)
        wreck->before[i] = (unsigned char)(1 + i % 255);
    mwi_sim_disk_api.append(disk, wreck->before, DURABLE);
    mwi_sim_disk_api.sync(disk, 0);
    mw_sim_run(sim, MS);
    mwi_sim_disk_api.append(disk, wreck->before + DURABLE, sizeof wreck->before - DURABLE);
    mwi_sim_disk_api.sync(disk, 0);

    mwi_sim_disk_cut_power(environment);

    mwi_sim_disk_api.append(disk, "lost", 4);
    mwi_sim_disk_api.sync(disk, 0);
    CU_ASSERT_EQUAL(mwi_sim_disk_api.done(disk).error, MW_EIO);
    CU_ASSERT_EQUAL(mwi_sim_disk_api.done(disk).durable_bytes, DURABLE);
    mwi_sim_disk_api.close(disk);
    disk = open_sim_disk(environment);
    wreck->size = (size_t)mwi_sim_disk_api.size(disk);
    CU_ASSERT_FATAL(wreck->size <= sizeof wreck->after);
    CU_ASSERT_EQUAL(mwi_sim_disk_api.read(disk, 0, wreck->after, wreck->size, &why), MW_OK);
    mwi_sim_disk_api.close(disk);
    mw_sim_destroy(sim);
}

/* How many bytes of a page, from `begin` on, are as they were before; all others must be zeros. */
static size_t count_kept(const struct wreck *wreck, size_t begin)
{
    size_t kept = 0;
    while (kept < PAGE && wreck->after[begin + kept] == wreck->before[begin + kept])
        kept++;
    for (size_t i = kept; i < PAGE; i++)
        CU_ASSERT_EQUAL_FATAL(wreck->after[begin + i], 0);
    return kept;
}

/* A power cut keeps all durable bytes. Each page behind them is whole, lost or torn. Over many
 * seeds all three happen, and also a lost page before a whole one. */
static void test_sim_power_cut(void)
{
    static struct wreck wreck;
    size_t whole = 0, lost = 0, torn = 0, reordered = 0;

    for (uint64_t seed = 1; seed <= 100; seed++) {
        make_wreck(&wreck, seed);

        bool was_lost = false;
        CU_ASSERT(wreck.size >= DURABLE);
        CU_ASSERT_EQUAL(memcmp(wreck.after, wreck.before, DURABLE), 0);
        for (size_t begin = 2 * PAGE; begin < sizeof wreck.after; begin += PAGE) {
            size_t kept = count_kept(&wreck, begin);
            whole += kept == PAGE;
            lost += kept == 0;
            torn += kept > 0 && kept < PAGE;
            reordered += was_lost && kept == PAGE;
            was_lost = kept == 0;
        }
    }

    CU_ASSERT(whole > 0 && lost > 0 && torn > 0 && reordered > 0);
}

/* The same seed leaves the same wreck. */
static void test_sim_same_seed(void)
{
    static struct wreck first, second, other;

    make_wreck(&first, 7);
    make_wreck(&second, 7);
    make_wreck(&other, 8);

    CU_ASSERT_EQUAL(memcmp(&first, &second, sizeof first), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(&first, &other, sizeof first), 0);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"members", test_members},
        {"new", test_new},
        {"append", test_append},
        {"several syncs", test_several_syncs},
        {"truncate", test_truncate},
        {"read", test_read},
        {"file: open", test_file_open},
        {"file: told", test_file_told},
        {"file: busy", test_file_busy},
        {"file: locked", test_file_locked},
        {"file: removed", test_file_removed},
        {"file: name", test_file_name},
        {"file: killed", test_file_killed},
        {"file: taken away", test_file_taken_away},
        {"file: full", test_file_full},
        {"sim: full", test_sim_full},
        {"sim: error", test_sim_error},
        {"sim: opened", test_sim_opened},
        {"sim: kill", test_sim_kill},
        {"sim: wake", test_sim_wake},
        {"sim: power cut", test_sim_power_cut},
        {"sim: same seed", test_sim_same_seed},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("disk", tests);
}

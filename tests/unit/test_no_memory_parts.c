/* SPDX-License-Identifier: Apache-2.0
 *
 * Out of memory in the parts of the library, one by one: at every place where an allocation can
 * fail, no crash, no leak, an error, and what was there before is as it was.
 */
#include <stdarg.h>
#include <string.h>

#include <mw/embed.h>
#include <mw/sim.h>

#include "farm/finished.h"
#include "farm/slaves.h"
#include "farm/tasks.h"
#include "mwt_folder.h"
#include "mwt_memory.h"
#include "mwt_policy.h"
#include "options/check.h"
#include "options/settings.h"
#include "record/journal_index.h"
#include "record/journal_open.h"
#include "record/keyring.h"
#include "record/resource.h"
#include "transports/sim/sim_disk.h"
#include "wire/values.h"

/* A frame that cannot be kept stays the caller's, whether it came with its block or not. */
static void test_block(void)
{
    unsigned char bytes[4] = "abc", *data = bytes;
    mw_frame lent = {bytes, 4, NULL, NULL}, given = {bytes, 4, bytes, NULL};

    mwt_memory_fail(1, true);
    struct mwi_block *first = mwi_block_keep(&lent, &data);
    struct mwi_block *second = mwi_block_keep(&given, &data);
    mwt_memory_fail(0, false);

    CU_ASSERT_PTR_NULL(first);
    CU_ASSERT_PTR_NULL(second);
    CU_ASSERT_PTR_EQUAL(given.block, bytes);
    CU_ASSERT_PTR_EQUAL(data, bytes);
}

/* A buffer that cannot grow keeps what it has and remembers the failure until it is cleared. */
static void test_buffer(void)
{
    static char more[10000];
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_buffer_append(&buffer, "kept", 4);

    mwt_memory_fail(1, false);
    mwi_buffer_append(&buffer, more, sizeof more);
    mwi_buffer_append(&buffer, "x", 1);
    mwt_memory_fail(0, false);

    CU_ASSERT_TRUE(buffer.has_failed);
    CU_ASSERT_EQUAL(buffer.size, 4);
    CU_ASSERT_EQUAL(memcmp(buffer.data, "kept", 4), 0);
    mwi_buffer_clear(&buffer);
    mwi_buffer_append(&buffer, more, sizeof more);
    CU_ASSERT_FALSE(buffer.has_failed);
    mwi_buffer_fini(&buffer);
}

/* A map that cannot grow has what it had, under its keys. */
static void test_map(void)
{
    int value;
    uint64_t key = 1;
    struct mwi_map map;
    mwi_map_init(&map);
    while (map.slots_count == 0 || (map.used_count + 1) * 2 <= map.slots_count)
        CU_ASSERT_TRUE(mwi_map_set(&map, key++, &value));

    mwt_memory_fail(1, false);
    bool is_set = mwi_map_set(&map, key, &value);
    mwt_memory_fail(0, false);

    CU_ASSERT_FALSE(is_set);
    CU_ASSERT_PTR_NULL(mwi_map_get(&map, key));
    while (--key > 0)
        CU_ASSERT_PTR_EQUAL(mwi_map_get(&map, key), &value);
    mwi_map_fini(&map);
}

/* A timer that cannot be started does not run, and the others do. */
static void test_timers(void)
{
    struct mwi_timer_entry timer[17] = {{.kind = 0}};
    struct mwi_timers timers;
    mwi_timers_init(&timers);
    for (size_t i = 0; i < 16; i++)
        CU_ASSERT_TRUE(mwi_timers_start(&timers, &timer[i], (int64_t)i));

    mwt_memory_fail(1, false);
    bool is_started = mwi_timers_start(&timers, &timer[16], -1);
    mwt_memory_fail(0, false);

    CU_ASSERT_FALSE(is_started);
    CU_ASSERT_EQUAL(timer[16].node.position, 0);
    CU_ASSERT_PTR_EQUAL(mwi_timers_due(&timers, 0), &timer[0]);
    CU_ASSERT_TRUE(mwi_timers_start(&timers, &timer[0], 7));
    mwi_timers_fini(&timers);
}

/* A result that cannot be queued stays the caller's; those before it come out. */
static void test_finished(void)
{
    struct mwi_finished item = {.tag = 0};
    struct mwi_finished_queue queue;
    struct mwi_finished_end end;
    mwi_finished_init(&queue);
    while (queue.capacity == 0 || queue.count < queue.capacity)
        CU_ASSERT_TRUE(mwi_finished_push(&queue, &item));

    mwt_memory_fail(1, false);
    bool is_pushed = mwi_finished_push(&queue, &(struct mwi_finished){.tag = 1});
    mwt_memory_fail(0, false);

    CU_ASSERT_FALSE(is_pushed);
    while (mwi_finished_pop(&queue, &item, &end))
        CU_ASSERT_EQUAL(item.tag, 0);
    mwi_finished_fini(&queue);
}

static enum mwt_outcome run_slaves(void)
{
    struct mwi_slaves slaves;
    enum mwt_outcome outcome = MWT_RIGHT;
    mwi_slaves_init(&slaves);
    for (mw_peer peer = 1; peer <= 40; peer++) {
        struct mwi_slave_entry *slave = mwi_slaves_add(&slaves, peer, "x", "address");
        uint32_t records_count = slaves.records_count;
        if (slave == NULL && mwi_slaves_find(&slaves, peer) != NULL)
            outcome = MWT_WRONG;
        if (slave == NULL || !mwi_slaves_name(&slaves, slave))
            outcome = outcome == MWT_WRONG || slaves.records_count != records_count ? MWT_WRONG
                                                                                    : MWT_TOLD;
    }
    mwi_slaves_fini(&slaves);
    return outcome;
}

/* A slave that cannot be entered is not there; one that cannot be named has no id. */
static void test_slaves(void)
{
    mwt_memory_repeat(run_slaves, false, 50);
    mwt_memory_repeat(run_slaves, true, 50);
}

static enum mwt_outcome run_tasks_store(void)
{
    struct mwi_tasks tasks;
    enum mwt_outcome outcome = MWT_RIGHT;
    struct mwi_task_policy policy = mwt_policy_default();
    if (!mwi_tasks_init(&tasks, 1)) {
        mwi_tasks_fini(&tasks);
        return MWT_TOLD;
    }
    for (int i = 0; i < 3000; i++) {
        struct mwi_task_entry *task = mwi_tasks_add(&tasks, &policy);
        if (task == NULL) {
            outcome = MWT_TOLD;
            continue;
        }
        if (i % 100 == 0)
            mwi_losses_add_history(&tasks.losses, task->id, "lost");
        mwi_tasks_move(&tasks, task, MWI_TASK_WAITING, NULL);
        mwi_tasks_move(&tasks, task, MWI_TASK_RUNNING, NULL);
        const char *history = mwi_losses_history(&tasks.losses, task->id);
        if (strcmp(history, "lost") != 0 && history[0] != '\0')
            outcome = MWT_WRONG;
        if (i % 100 == 0 && history[0] == '\0' && outcome == MWT_RIGHT)
            outcome = MWT_TOLD;
    }
    mwi_tasks_fini(&tasks);
    return outcome;
}

/* A task that cannot be added is not there; a history that cannot be kept is lost, the task not. */
static void test_tasks(void)
{
    mwt_memory_repeat(run_tasks_store, false, 30);
    mwt_memory_repeat(run_tasks_store, true, 30);
}

static enum mwt_outcome use_options(mw_options *options)
{
    static const char name[] = "prog", option[] = "--mw-master-port=7", rest[] = "rest";
    char *words[] = {(char *)name, (char *)option, (char *)rest, NULL};
    int argc = 3;
    struct mwi_master_settings settings;
    if (mw_options_set(options, "member-id", "meadow") != MW_OK ||
        mw_options_set(options, "audit-file", "trail") != MW_OK ||
        mw_options_environment(options) != MW_OK ||
        mw_options_parse(options, &argc, words) != MW_OK ||
        mw_options_use_transport(options, &mw_sim_transport, NULL, "address") != MW_OK ||
        mwi_check_options(options) != MW_OK)
        return MWT_TOLD;
    mw_error error = mwi_settings_read_master(&settings, options, MWI_MODE_LOCAL, 0, NULL);
    if (error != MW_OK)
        return error == MW_ENOMEM && settings.local.inherited == NULL ? MWT_TOLD : MWT_WRONG;
    size_t count = settings.local.inherited_count;
    mwi_settings_fini_master(&settings);
    return argc == 2 && count == 2 && strcmp(mw_options_get(options, "member-id"), "meadow") == 0 &&
                   strcmp(mw_options_get(options, "master-port"), "7") == 0
               ? MWT_RIGHT
               : MWT_WRONG;
}

static enum mwt_outcome run_options(void)
{
    mw_options *options;
    if (mw_options_create(&options) != MW_OK)
        return MWT_TOLD;
    enum mwt_outcome outcome = use_options(options);
    mw_options_destroy(options);
    return outcome;
}

/* Options from everywhere, and the settings that they become. */
static void test_options(void)
{
    mwt_memory_repeat(run_options, false, 5);
    mwt_memory_repeat(run_options, true, 5);
}

static enum mwt_outcome run_resource(void)
{
    static const char *const arguments[] = {"--mw-slave", "x"};
    struct mwi_resource resource = {.member_id = "farm",
                                    .update_interval_s = 5,
                                    .slave_executable = "/bin/x",
                                    .slave_arguments = arguments,
                                    .slave_arguments_count = 2,
                                    .transport = "tcp",
                                    .host = "host",
                                    .port = 7,
                                    .pid = 1,
                                    .protocol_version = 1,
                                    .key = &(const mw_tcp_key){.name = "key"}};
    struct mwi_resource parsed;
    mw_reason why;
    struct mwi_secret text;
    mw_error error = mwi_resource_format(&resource, "m.rsc", &text, &why);
    if (error != MW_OK)
        return error == MW_ENOMEM ? MWT_TOLD : MWT_WRONG;
    error = mwi_resource_parse(text.data, strlen(text.data), "m.rsc", &parsed, &why);
    mwi_secret_fini(&text);
    /* Where jansson runs out of memory in the middle of a text, it blames the text. */
    if (error != MW_OK)
        return error == MW_ENOMEM || error == MW_EPROTOCOL ? MWT_TOLD : MWT_WRONG;
    bool is_right = strcmp(parsed.host, "host") == 0 && parsed.slave_arguments_count == 2;
    mwi_resource_fini(&parsed);
    return is_right ? MWT_RIGHT : MWT_WRONG;
}

/* A resource that is written and read. */
static void test_resource(void)
{
    mwt_memory_repeat(run_resource, false, 20);
    mwt_memory_repeat(run_resource, true, 20);
}

/* Makes a key for a farm, the key file and the key of a slave, in a folder of its own. */
static mw_error run_keyring_in(const struct mwt_folder *folder, struct mwi_keyring *keyring)
{
    char path[128];
    mw_tcp_key key;
    mw_reason why;
    snprintf(path, sizeof path, "%s/key", folder->path);
    mw_error error = mwi_keyring_make_farm_key(keyring, &why);
    if (error == MW_OK)
        error = mwi_keyring_use_file(keyring, path, true, &why);
    mwi_keyring_tend(keyring, 0);
    if (error == MW_OK && !mwi_keyring_remember_farm(keyring, path))
        error = MW_ENOMEM;
    if (error == MW_OK)
        error = mwi_keyring_own(keyring, 0, &key, &why);
    return error;
}

static enum mwt_outcome run_keyring(void)
{
    struct mwt_folder folder = {.path = "/tmp/mwt-XXXXXX"};
    struct mwi_keyring *keyring = NULL;
    mw_reason why;
    if (mkdtemp(folder.path) == NULL)
        return MWT_WRONG;
    mw_error error = mwi_keyring_open(&keyring, &why);
    if (error == MW_OK)
        error = run_keyring_in(&folder, keyring);
    mwi_keyring_close(keyring);
    snprintf(folder.file, sizeof folder.file, "%s/key", folder.path);
    (void)remove(folder.file);
    bool is_clean = rmdir(folder.path) == 0;
    if (error != MW_OK)
        return error == MW_ENOMEM && is_clean ? MWT_TOLD : MWT_WRONG;
    return is_clean ? MWT_RIGHT : MWT_WRONG;
}

/* Keys that are made, written and read. */
static void test_keyring(void)
{
    mwt_memory_repeat(run_keyring, false, 8);
    mwt_memory_repeat(run_keyring, true, 8);
}

static mw_error write_values(struct mwi_buffer *buffer, mw_reason *why, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    mw_error error = mwi_values_write(buffer, format, arguments, why);
    va_end(arguments);
    return error;
}

static mw_error read_values(struct mwi_values *values, mw_reason *why, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    mw_error error = mwi_values_read(values, "value", format, arguments, why);
    va_end(arguments);
    return error;
}

static enum mwt_outcome read_back(struct mwi_values *values, const struct mwi_buffer *buffer)
{
    const char *first = "untouched", *second = "untouched";
    size_t size = 77;
    int number = 77;
    mw_reason why;
    mw_error error = mwi_values_load(values, buffer->data, buffer->size);
    if (error != MW_OK)
        return error == MW_ENOMEM && values->count == 0 ? MWT_TOLD : MWT_WRONG;
    error = read_values(values, &why, "Sis", &first, &size, &number, &second);
    if (error != MW_OK)
        return error == MW_ENOMEM && size == 77 && number == 77 ? MWT_TOLD : MWT_WRONG;
    return size == 5000 && number == 5 && strlen(second) == 3000 ? MWT_RIGHT : MWT_WRONG;
}

static enum mwt_outcome run_values(void)
{
    static char long_text[5000], other[3001];
    struct mwi_buffer buffer;
    struct mwi_values values;
    mw_reason why;
    enum mwt_outcome outcome;
    memset(long_text, 'x', sizeof long_text);
    memset(other, 'y', sizeof other - 1);
    if (!mwi_values_init(&values))
        return MWT_TOLD;
    mwi_buffer_init(&buffer);
    mw_error error = write_values(&buffer, &why, "Sis", long_text, sizeof long_text, 5, other);
    if (error != MW_OK)
        outcome = error == MW_ENOMEM ? MWT_TOLD : MWT_WRONG;
    else
        outcome = read_back(&values, &buffer);
    mwi_buffer_fini(&buffer);
    mwi_values_fini(&values);
    return outcome;
}

/* Values that are written and read, with outputs that are set all or none. */
static void test_values(void)
{
    mwt_memory_repeat(run_values, false, 4);
    mwt_memory_repeat(run_values, true, 4);
}

/* A record for which memory runs out: nothing counts as durable any more, and the journal says so.
 * The mark would be the end of the record before it, which is. */
static void test_journal(void)
{
    static const char bytes[10000];
    mw_sim *world;
    struct mwi_journal *journal;
    struct mwi_journal_findings findings;
    mw_reason why;
    CU_ASSERT_EQUAL_FATAL(mw_sim_create(&world, &(mw_sim_config){.seed = 1}), MW_OK);
    const struct mwi_journal_settings settings = {
        .path = "s.mwj",
        .api = &mwi_sim_disk_api,
        .environment = mwi_sim_disk_create(world, &(struct mwi_sim_disk_plan){0}),
        .run = {.number = 1}};
    CU_ASSERT_EQUAL_FATAL(mwi_journal_open(&journal, &settings, &findings, &why), MW_OK);
    uint64_t before = mwi_journal_hurry(journal);
    mw_sim_run(world, INT64_MAX);
    CU_ASSERT_TRUE(mwi_journal_is_durable(journal, before));

    mwt_memory_fail(1, true);
    mwi_journal_add_saved(journal, mwi_digest_make(1, "once", 4), 1, bytes, sizeof bytes);
    CU_ASSERT_TRUE(mwt_memory_has_failed());
    mwt_memory_fail(0, false);
    uint64_t mark = mwi_journal_hurry(journal);
    mw_sim_run(world, INT64_MAX);

    CU_ASSERT_EQUAL(mark, before);
    CU_ASSERT_FALSE(mwi_journal_is_durable(journal, mark));
    CU_ASSERT_TRUE(mwi_journal_is_broken(journal));
    CU_ASSERT_EQUAL(mwi_journal_status(journal, &why), MW_ENOMEM);
    mwi_journal_close(journal);
    mw_sim_destroy(world);
}

/* Fills the index of a journal until its array has grown twice, takes all, and counts them. */
static enum mwt_outcome run_journal_index(void)
{
    enum { COUNT = 3000 };
    struct mwi_journal_index index = {0};
    uint64_t added = 0, offset = 0;
    size_t place = 0;
    enum mwt_outcome outcome = MWT_RIGHT;
    while (added < COUNT &&
           mwi_journal_index_add(&index, mwi_digest_make(1, &added, sizeof added), 16 + added, 0))
        added++;
    if (index.count != added || index.left_count != added)
        outcome = MWT_WRONG;
    mwi_journal_index_sort(&index);
    for (uint64_t i = 0; i < added; i++)
        if (!mwi_journal_index_take(&index, mwi_digest_make(1, &i, sizeof i), &offset, &place) ||
            offset != 16 + i)
            outcome = MWT_WRONG;
    mwi_journal_index_fini(&index);
    return outcome == MWT_RIGHT && added < COUNT ? MWT_TOLD : outcome;
}

/* A result that finds no place in the index of a journal is told; those before it are there. */
static void test_journal_index(void)
{
    mwt_memory_repeat(run_journal_index, false, 4);
    mwt_memory_repeat(run_journal_index, true, 4);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"block", test_block},
        {"buffer", test_buffer},
        {"map", test_map},
        {"timers", test_timers},
        {"finished", test_finished},
        {"slaves", test_slaves},
        {"tasks", test_tasks},
        {"options", test_options},
        {"resource", test_resource},
        {"keyring", test_keyring},
        {"values", test_values},
        {"journal", test_journal},
        {"journal index", test_journal_index},
        CU_TEST_INFO_NULL,
    };
    return mwt_memory_run("no memory: parts", tests);
}

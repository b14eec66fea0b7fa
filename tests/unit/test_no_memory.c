/* SPDX-License-Identifier: Apache-2.0
 *
 * Out of memory, at every place where it can happen: a piece of work is done again and again, its
 * first allocation failing, then its second, until it passes without failure. Never a crash, never
 * a leak, and never a wrong result that nobody was told of.
 */
#include <stdio.h>
#include <string.h>

#include <mw/embed.h>

#include "master_engine.h"
#include "mwt_memory.h"
#include "mwt_run.h"
#include "mwt_world.h"
#include "option_table.h"
#include "options.h"
#include "resource.h"
#include "slave_engine.h"
#include "values.h"

/* What came of a piece of work. */
enum outcome {
    RIGHT, /* all is as it must be */
    TOLD,  /* it is not, and somebody was told: an error, a peer dropped */
    WRONG
};

/* Does the work with one failure after the other, of one allocation or of all from there on. */
static void repeat(enum outcome (*work)(void), bool for_good, size_t failures_min)
{
    size_t n = 0;
    bool has_failed = true;
    while (has_failed && n < 100000) {
        long before = mwt_memory_blocks();
        mwt_memory_fail(++n, for_good);
        enum outcome outcome = work();
        has_failed = mwt_memory_has_failed();
        mwt_memory_fail(0, false);
        long leaked = mwt_memory_blocks() - before;
        if (outcome == WRONG || leaked != 0 || (!has_failed && outcome != RIGHT))
            printf("\n  allocation %zu: outcome %d, %ld blocks leaked\n", n, (int)outcome, leaked);
        CU_ASSERT_EQUAL(leaked, 0);
        CU_ASSERT_NOT_EQUAL(outcome, WRONG);
        CU_ASSERT_TRUE(has_failed || outcome == RIGHT);
    }
    CU_ASSERT_FALSE(has_failed);
    CU_ASSERT_TRUE(n > failures_min);
    printf("(%zu failures) ", n - 1);
}

/* The engines. */

#define SLAVES_COUNT 2
#define TASKS_COUNT 7

/* A master and its slaves, whose frames go from effect to event. Slave `i` is the master's peer
 * i + 1, and the master is each slave's peer 9. */
struct farm {
    struct mwi_master_engine master;
    struct mwi_slave_engine slaves[SLAVES_COUNT];
    bool is_connected[SLAVES_COUNT];
    size_t results_count;
    bool is_told, is_wrong;
};

static void run_nothing(mw_call *call)
{
    (void)call;
}

static const mw_algorithm algorithms[] = {{"alpha", run_nothing}, {NULL, NULL}};

static const struct mwi_master_engine_config master_config = {.member_id = "farm",
                                                              .algorithms = algorithms,
                                                              .task_group = 2,
                                                              .result_group = 2,
                                                              .frame_write_bytes_max = 100000,
                                                              .frame_read_bytes_max = 100000,
                                                              .client_timeout_ns = 1000,
                                                              .shutdown_timeout_ns = 1000};

static const struct mwi_slave_engine_config slave_config = {.member_id = "farm",
                                                            .algorithms = algorithms,
                                                            .frame_write_bytes_max = 100000,
                                                            .frame_read_bytes_max = 100000,
                                                            .client_timeout_ns = 1000};

static void step_master(struct farm *farm, enum mwi_event_kind kind, size_t slave, mw_frame *frame)
{
    mwi_master_engine_step(&farm->master, &(struct mwi_event){.kind = kind,
                                                              .peer = slave + 1,
                                                              .transport = "x",
                                                              .name = "slave",
                                                              .reason = "gone",
                                                              .frame = frame});
}

static void step_slave(struct farm *farm, enum mwi_event_kind kind, size_t slave, mw_frame *frame)
{
    mwi_slave_engine_step(&farm->slaves[slave], &(struct mwi_event){.kind = kind,
                                                                    .peer = 9,
                                                                    .transport = "x",
                                                                    .name = "master",
                                                                    .reason = "gone",
                                                                    .frame = frame});
}

static void disconnect(struct farm *farm, size_t slave)
{
    if (!farm->is_connected[slave])
        return;
    farm->is_connected[slave] = false;
    step_slave(farm, MWI_EVENT_PEER_DOWN, slave, NULL);
    step_master(farm, MWI_EVENT_PEER_DOWN, slave, NULL);
}

/* Carries out the first effect of an engine; false if there is none. */
static bool carry_out(struct farm *farm, struct mwi_effects *effects, size_t own,
                      void (*step)(struct farm *farm, enum mwi_event_kind kind, size_t slave,
                                   mw_frame *frame))
{
    if (effects->count == 0)
        return false;
    struct mwi_effect effect = effects->items[0];
    memmove(effects->items, effects->items + 1, --effects->count * sizeof effect);
    size_t slave = own == SLAVES_COUNT ? (size_t)effect.peer - 1 : own;
    if (effect.kind == MWI_EFFECT_DROP) {
        farm->is_told = true;
        disconnect(farm, slave);
    } else if (effect.kind == MWI_EFFECT_SEND) {
        mw_frame frame = {effect.frame, effect.size, effect.frame};
        if (farm->is_connected[slave])
            step(farm, MWI_EVENT_FRAME, slave, &frame);
        free(frame.block);
    }
    return true;
}

/* Runs what a slave has; each task returns its own payload, every third fails. */
static void run_tasks(struct farm *farm, struct mwi_slave_engine *slave)
{
    struct mwi_slave_task task;
    while (mwi_slave_engine_begin_task(slave, &task)) {
        bool fails = task.payload.data[0] % 3 == 0;
        if (fails)
            mwi_message_write_failure(&slave->results, "\x03");
        else
            mwi_message_write_bytes(&slave->results, task.payload.data, task.payload.size);
        mwi_slave_engine_end_task(slave, &task, fails ? MWI_RESULT_FAILED : MWI_RESULT_DONE, 1, 0);
        farm->is_told = farm->is_told || slave->effects.failed;
    }
}

static void take_results(struct farm *farm)
{
    struct mwi_finished item;
    while (mwi_finished_pop(&farm->master.finished, &item)) {
        int64_t expected = item.tag % 3 == 0 ? 3 : item.tag;
        if (item.payload.size != 1 || item.payload.data[0] != expected ||
            item.is_failed != (item.tag % 3 == 0))
            farm->is_wrong = true;
        farm->results_count++;
        mwi_block_unref(item.block);
    }
}

/* Lets all go on until nothing happens any more. An engine that has failed is not stepped again, as
 * the loop does not. */
static void settle(struct farm *farm)
{
    bool is_moving = true;
    while (is_moving && !farm->master.effects.failed) {
        is_moving = carry_out(farm, &farm->master.effects, SLAVES_COUNT, step_slave);
        for (size_t i = 0; i < SLAVES_COUNT; i++) {
            if (farm->slaves[i].effects.failed)
                disconnect(farm, i);
            else
                run_tasks(farm, &farm->slaves[i]);
            is_moving = carry_out(farm, &farm->slaves[i].effects, i, step_master) || is_moving;
            farm->is_told = farm->is_told || farm->slaves[i].effects.failed;
        }
        take_results(farm);
    }
    farm->is_told = farm->is_told || farm->master.effects.failed;
}

static void submit_tasks(struct farm *farm)
{
    for (int64_t tag = 1; tag <= TASKS_COUNT; tag++) {
        unsigned char *data = malloc(1);
        if (data == NULL) {
            farm->is_told = true;
            continue;
        }
        data[0] = (unsigned char)tag;
        struct mwi_submission submission = {
            .tag = tag, .max_attempts = 3, .payload = {data, 1, true}};
        if (mwi_master_engine_submit(&farm->master, &submission) != MW_OK) {
            free(data);
            farm->is_told = true;
        }
    }
    step_master(farm, MWI_EVENT_TICK, 0, NULL);
}

static void connect_slave(struct farm *farm, size_t slave)
{
    if (farm->master.effects.failed)
        return;
    farm->is_connected[slave] = true;
    mwi_slave_engine_connecting(&farm->slaves[slave], 9, "master");
    step_master(farm, MWI_EVENT_PEER_UP, slave, NULL);
    step_slave(farm, MWI_EVENT_PEER_UP, slave, NULL);
    settle(farm);
}

/* One slave takes tasks and is lost; another does all; then the end. */
static void play(struct farm *farm)
{
    submit_tasks(farm);
    connect_slave(farm, 0);
    if (!farm->master.effects.failed)
        disconnect(farm, 0);
    connect_slave(farm, 1);
    if (farm->master.effects.failed)
        return;
    mwi_master_engine_shutdown(&farm->master, 0);
    settle(farm);
    if (!mwi_master_engine_is_over(&farm->master))
        farm->is_told = farm->is_wrong = true;
}

static enum outcome run_engines(void)
{
    static struct farm farm;
    size_t slaves_count = 0;
    memset(&farm, 0, sizeof farm);
    if (mwi_master_engine_init(&farm.master, &master_config) != MW_OK)
        return TOLD;
    farm.master.effects.is_audited = true;
    while (slaves_count < SLAVES_COUNT &&
           mwi_slave_engine_init(&farm.slaves[slaves_count], &slave_config) == MW_OK)
        slaves_count++;
    if (slaves_count == SLAVES_COUNT)
        play(&farm);
    for (size_t i = 0; i < slaves_count; i++)
        mwi_slave_engine_fini(&farm.slaves[i]);
    mwi_master_engine_fini(&farm.master);
    if (farm.is_wrong || farm.results_count > TASKS_COUNT)
        return WRONG;
    if (farm.results_count == TASKS_COUNT)
        return RIGHT;
    return farm.is_told || slaves_count < SLAVES_COUNT ? TOLD : WRONG;
}

/* Master and slave engines over a whole exchange, with a slave that is lost. */
static void test_engines(void)
{
    repeat(run_engines, false, 50);
    repeat(run_engines, true, 50);
}

/* Options. */

static enum outcome use_options(mw_options *options)
{
    static const char name[] = "prog", option[] = "--mw-master-port=7", rest[] = "rest";
    char *words[] = {(char *)name, (char *)option, (char *)rest, NULL};
    int argc = 3;
    size_t count;
    if (mw_options_set(options, "member-id", "meadow") != MW_OK ||
        mw_options_set(options, "audit-file", "trail") != MW_OK ||
        mw_options_environment(options) != MW_OK ||
        mw_options_parse(options, &argc, words) != MW_OK ||
        mw_options_use_transport(options, &mw_sim_transport, NULL, "address") != MW_OK ||
        mwi_options_check(options) != MW_OK)
        return TOLD;
    char **inherited = mwi_options_inherited(options, &count);
    if (inherited == NULL)
        return TOLD;
    free(inherited);
    return argc == 2 && count == 2 && strcmp(mw_options_get(options, "member-id"), "meadow") == 0 &&
                   strcmp(mw_options_get(options, "master-port"), "7") == 0
               ? RIGHT
               : WRONG;
}

static enum outcome run_options(void)
{
    mw_options *options;
    if (mw_options_create(&options) != MW_OK)
        return TOLD;
    enum outcome outcome = use_options(options);
    mw_options_destroy(options);
    return outcome;
}

/* Options from everywhere. */
static void test_options(void)
{
    repeat(run_options, false, 5);
    repeat(run_options, true, 5);
}

/* Resource files, as texts. */

static enum outcome run_resource(void)
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
                                    .protocol_version = 1};
    struct mwi_resource parsed;
    mw_reason why;
    char *text = NULL;
    mw_error error = mwi_resource_format(&resource, "m.rsc", &text, &why);
    if (error != MW_OK)
        return error == MW_ENOMEM ? TOLD : WRONG;
    error = mwi_resource_parse(text, strlen(text), "m.rsc", &parsed, &why);
    free(text);
    /* Where jansson runs out of memory in the middle of a text, it blames the text. */
    if (error != MW_OK)
        return error == MW_ENOMEM || error == MW_EPROTOCOL ? TOLD : WRONG;
    bool is_right = strcmp(parsed.host, "host") == 0 && parsed.slave_arguments_count == 2;
    mwi_resource_fini(&parsed);
    return is_right ? RIGHT : WRONG;
}

/* A resource that is written and read. */
static void test_resource(void)
{
    repeat(run_resource, false, 20);
    repeat(run_resource, true, 20);
}

/* Values. */

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

static enum outcome read_back(struct mwi_values *values, const struct mwi_buffer *buffer)
{
    const char *first = "untouched", *second = "untouched";
    size_t size = 77;
    int number = 77;
    mw_reason why;
    mw_error error = mwi_values_load(values, buffer->data, buffer->size);
    if (error != MW_OK)
        return error == MW_ENOMEM && values->count == 0 ? TOLD : WRONG;
    error = read_values(values, &why, "Sis", &first, &size, &number, &second);
    if (error != MW_OK)
        return error == MW_ENOMEM && size == 77 && number == 77 ? TOLD : WRONG;
    return size == 5000 && number == 5 && strlen(second) == 3000 ? RIGHT : WRONG;
}

static enum outcome run_values(void)
{
    static char long_text[5000], other[3001];
    struct mwi_buffer buffer;
    struct mwi_values values;
    mw_reason why;
    enum outcome outcome;
    memset(long_text, 'x', sizeof long_text);
    memset(other, 'y', sizeof other - 1);
    if (!mwi_values_init(&values))
        return TOLD;
    mwi_buffer_init(&buffer);
    mw_error error = write_values(&buffer, &why, "Sis", long_text, sizeof long_text, 5, other);
    if (error != MW_OK)
        outcome = error == MW_ENOMEM ? TOLD : WRONG;
    else
        outcome = read_back(&values, &buffer);
    mwi_buffer_fini(&buffer);
    mwi_values_fini(&values);
    return outcome;
}

/* Values that are written and read, with outputs that are set all or none. */
static void test_values(void)
{
    repeat(run_values, false, 4);
    repeat(run_values, true, 4);
}

/* A whole farm, through the public functions. */

#define RESULTS_COUNT 6

static void run_square(mw_call *call)
{
    int number;
    const char *text;
    if (mw_call_args(call, "is", &number, &text))
        return;
    if (number == 3)
        mw_call_fail(call, "%s", text);
    else
        mw_call_return(call, "is", number * number, mw_call_format(call, "%s!", text));
}

static bool is_right_result(const mw_result *result)
{
    int number = 0;
    const char *text = "";
    if (result->outcome == MW_FAILED)
        return result->tag == 3 || strstr(result->message, "memory") != NULL;
    return result->outcome == MW_DONE && mw_result_get(result, "is", &number, &text) == MW_OK &&
           number == result->tag * result->tag && strcmp(text, "text!") == 0;
}

/* Returns how many results were right; below 0 if one was wrong and nobody was told. */
static int master_of_squares(struct mwt_world *world, mw_master *master)
{
    const mw_result *result;
    int count = 0;
    bool is_told = false;
    (void)world;
    for (int i = 0; i < RESULTS_COUNT; i++)
        if (mw_master_submit(master, &(mw_task){.algorithm = "square", .tag = i}, "is", i,
                             "text") != MW_OK)
            is_told = true;
    while ((result = mw_master_next(master)) != NULL) {
        if (is_right_result(result))
            count++;
        else
            is_told = mw_master_error(master)[0] != '\0';
    }
    is_told = is_told || mw_master_error(master)[0] != '\0';
    return count == RESULTS_COUNT || is_told ? count : -1;
}

static enum outcome run_farm(void)
{
    static const mw_algorithm squares[] = {{"square", run_square}, {NULL, NULL}};
    static const char *const settings[][2] = {
        {"connect-timeout", "2"}, {"slave-task-group", "2"}, {NULL, NULL}};
    static struct mwt_world world;
    world = (struct mwt_world){.program = {.algorithms = squares},
                               .master = master_of_squares,
                               .slaves_count = 2,
                               .settings = settings};
    if (!mwt_world_run(&world))
        return TOLD;
    if (world.master_status == RESULTS_COUNT)
        return RIGHT;
    return world.master_status < 0 && world.has_finished && world.master_error == MW_OK &&
                   world.master_host != NULL
               ? WRONG
               : TOLD;
}

/* Master and slaves, from their options to their ends. */
static void test_farm(void)
{
    repeat(run_farm, false, 100);
    repeat(run_farm, true, 100);
}

/* Memory for a result. */

static char large[1 << 20];

/* Leaves a result for which there is no memory; what is done is the argument. */
static void run_without_memory(mw_call *call)
{
    const char *what;
    void *block = malloc(sizeof large);
    if (block == NULL || mw_call_args(call, "s", &what))
        return;
    memset(large, 'x', sizeof large - 1);
    mwt_memory_fail(1, false);
    if (strcmp(what, "values") == 0)
        CU_ASSERT_EQUAL(mw_call_return(call, "s", large), MW_ENOMEM);
    if (strcmp(what, "bytes") == 0)
        CU_ASSERT_EQUAL(mw_call_return_bytes(call, large, sizeof large), MW_ENOMEM);
    if (strcmp(what, "packer") == 0)
        msgpack_pack_bin_with_body(mw_call_packer(call), large, sizeof large);
    if (strcmp(what, "format") == 0)
        CU_ASSERT_STRING_EQUAL(mw_call_format(call, "%s", large), "");
    if (strcmp(what, "failure") == 0)
        mw_call_fail(call, "%s", large);
    CU_ASSERT_TRUE(mwt_memory_has_failed());
    mwt_memory_fail(0, false);
    free(block);
}

static void run_echo(mw_call *call)
{
    const char *text;
    if (!mw_call_args(call, "s", &text))
        mw_call_return(call, "s", text);
}

static int master_of_large_results(struct mwt_world *world, mw_master *master)
{
    static const char *const cases[][2] = {
        {"values", "out of memory for the result"},
        {"bytes", "out of memory for the result"},
        {"packer", "out of memory for the result"},
        {"format", "out of memory for a string"},
        {"failure", "out of memory for the message of a failure"},
    };
    (void)world;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *text = "";
        mw_master_submit(master, &(mw_task){.algorithm = "poor"}, "s", cases[i][0]);
        const mw_result *result = mw_master_next(master);
        CU_ASSERT_TRUE(result != NULL && result->outcome == MW_FAILED);
        if (result == NULL)
            return 1;
        if (result->outcome == MW_FAILED)
            CU_ASSERT_STRING_EQUAL(result->message, cases[i][1]);
        mw_master_submit(master, &(mw_task){.algorithm = "echo"}, "s", "well");
        result = mw_master_next(master);
        CU_ASSERT_STRING_EQUAL(result->sid, "SLAVE-0");
        CU_ASSERT_EQUAL(mw_result_get(result, "s", &text), MW_OK);
        CU_ASSERT_STRING_EQUAL(text, "well");
    }
    return 0;
}

/* A result that memory does not suffice for fails its task, and the slave goes on with the next. */
static void test_large_results(void)
{
    static const mw_algorithm both[] = {
        {"poor", run_without_memory}, {"echo", run_echo}, {NULL, NULL}};
    struct mwt_world world = {
        .program = {.algorithms = both}, .master = master_of_large_results, .slaves_count = 1};

    CU_ASSERT_TRUE(mwt_world_run(&world));

    CU_ASSERT_EQUAL(world.master_status, 0);
    CU_ASSERT_EQUAL(world.slave_status, 0);
}

/* Whether allocations come to mwt_memory, and not to valgrind. */
static bool is_in_charge(void)
{
    long before = mwt_memory_blocks();
    void *volatile block = malloc(1);
    bool is_counted = mwt_memory_blocks() == before + 1;
    free(block);
    return is_counted;
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"engines", test_engines}, {"options", test_options}, {"resource", test_resource},
        {"values", test_values},   {"farm", test_farm},       {"large results", test_large_results},
        CU_TEST_INFO_NULL,
    };
    if (!is_in_charge()) {
        puts("not run: something else has replaced the allocator");
        return EXIT_SUCCESS;
    }
    return mwt_run("no memory", tests);
}

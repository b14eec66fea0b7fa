/* SPDX-License-Identifier: Apache-2.0
 *
 * The kinds of arguments that a task can have: required, optional, named, and a rest of any
 * number. Each kind has a task algorithm, which answers with the values that it got. The last
 * three calls have wrong arguments: such a task fails, and its message says why.
 */
#include <stdio.h>

#include <mw/mw.h>

#define CALLS_COUNT 14
#define LINE_SIZE 200

/* In all algorithms below, a variable keeps its default if its argument was not sent. */

static void required(mw_call *call)
{
    const char *name;
    int count;
    if (mw_call_args(call, "si", &name, &count) == MW_OK)
        mw_call_return(call, "s", mw_call_format(call, "name=%s count=%d", name, count));
}

static void optional(mw_call *call)
{
    const char *name, *unit = "pieces";
    int count = 1;
    if (mw_call_args(call, "s|is", &name, &count, &unit) == MW_OK)
        mw_call_return(call, "s",
                       mw_call_format(call, "name=%s count=%d unit=%s", name, count, unit));
}

/* The variable may have another name: the argument "verbose" is stored in is_talkative. */
static void named(mw_call *call)
{
    int depth = 10;
    bool is_talkative = false;
    if (mw_call_args(call, "{depth:i verbose:b}", &depth, &is_talkative) == MW_OK)
        mw_call_return(call, "s",
                       mw_call_format(call, "depth=%d is_talkative=%d", depth, is_talkative));
}

/* The rest are objects of msgpack-c, which may have any type. Only integers are added up. */
static int64_t add_up(const msgpack_object *numbers, size_t count)
{
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        if (numbers[i].type == MSGPACK_OBJECT_POSITIVE_INTEGER ||
            numbers[i].type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
            sum += numbers[i].via.i64;
    return sum;
}

static void rest(mw_call *call)
{
    const char *name;
    const msgpack_object *numbers;
    size_t count;
    if (mw_call_args(call, "s*", &name, &numbers, &count) == MW_OK)
        mw_call_return(call, "s",
                       mw_call_format(call, "name=%s numbers=%zu sum=%lld", name, count,
                                      (long long)add_up(numbers, count)));
}

/* All kinds in one, in the order in which they must stand. */
static void all(mw_call *call)
{
    const char *name, *label = "none";
    const msgpack_object *numbers;
    size_t count;
    int first = 7;
    if (mw_call_args(call, "s|i*{label:s}", &name, &first, &numbers, &count, &label) == MW_OK)
        mw_call_return(call, "s",
                       mw_call_format(call, "name=%s first=%d numbers=%zu label=%s", name, first,
                                      count, label));
}

/* Submits the calls; the tag is the line of the output that a call gets. */
static void submit_calls(mw_master *farm)
{
    mw_master_submit(farm, &(mw_task){"required", .tag = 0}, "si", "apples", 3);
    mw_master_submit(farm, &(mw_task){"optional", .tag = 1}, "s", "pears");
    mw_master_submit(farm, &(mw_task){"optional", .tag = 2}, "si", "pears", 4);
    mw_master_submit(farm, &(mw_task){"optional", .tag = 3}, "sis", "pears", 4, "boxes");
    mw_master_submit(farm, &(mw_task){"named", .tag = 4}, "");
    mw_master_submit(farm, &(mw_task){"named", .tag = 5}, "{verbose:b}", true);
    mw_master_submit(farm, &(mw_task){"named", .tag = 6}, "{verbose:b depth:i}", true, 2);
    mw_master_submit(farm, &(mw_task){"rest", .tag = 7}, "s", "plums");
    mw_master_submit(farm, &(mw_task){"rest", .tag = 8}, "siii", "plums", 1, 20, 300);
    mw_master_submit(farm, &(mw_task){"all", .tag = 9}, "s", "figs");
    mw_master_submit(farm, &(mw_task){"all", .tag = 10}, "siii{label:s}", "figs", 1, 2, 3, "ripe");
    /* These arguments do not fit: each task fails with a message that says why. */
    mw_master_submit(farm, &(mw_task){"required", .tag = 11}, "s", "apples");
    mw_master_submit(farm, &(mw_task){"required", .tag = 12}, "ss", "apples", "three");
    mw_master_submit(farm, &(mw_task){"named", .tag = 13}, "{speed:i}", 5);
}

static int master(mw_master *farm, int argc, char **argv)
{
    char lines[CALLS_COUNT][LINE_SIZE] = {{0}};
    const mw_result *result;
    const char *text;
    if (argc > 1) {
        fprintf(stderr, "argument_processing: unknown argument \"%s\", it takes none\n", argv[1]);
        return 2;
    }
    submit_calls(farm);
    while ((result = mw_master_next(farm)) != NULL) {
        char *line = lines[result->tag];
        if (result->outcome != MW_DONE)
            snprintf(line, LINE_SIZE, "%s failed: %s", result->algorithm, result->message);
        else if (mw_result_get(result, "s", &text) == MW_OK)
            snprintf(line, LINE_SIZE, "%s got %s", result->algorithm, text);
    }
    for (size_t i = 0; i < CALLS_COUNT; i++)
        printf("%s\n", lines[i]);
    return 0;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"required", required}, {"optional", optional},
                                              {"named", named},       {"rest", rest},
                                              {"all", all},           {0}};
    return mw_main(&(mw_program){.algorithms = algorithms, .master = master}, argc, argv);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * What a task algorithm can do: read its arguments, leave a result or a failure, and think better
 * of it. Each case is a task that a slave runs in a simulated farm; the master looks at the result.
 */
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mwt_run.h"
#include "mwt_world.h"

static int user_data;

/* Runs a farm of one slave with this algorithm, under the name "run", for this master. */
static void run_farm(mw_task_fn *run, int (*master)(struct mwt_world *world, mw_master *master))
{
    mw_algorithm algorithms[] = {{"run", run}, {NULL, NULL}};
    struct mwt_world world = {.program = {.algorithms = algorithms, .user = &user_data},
                              .master = master,
                              .slaves_count = 1};
    CU_ASSERT_TRUE(mwt_world_run(&world));
    CU_ASSERT_EQUAL(world.master_error, MW_OK);
    CU_ASSERT_EQUAL(world.slave_error, MW_OK);
    CU_ASSERT_EQUAL(world.slave_status, 0);
    CU_ASSERT_TRUE(world.has_finished);
}

static const mw_task task = {.algorithm = "run"};

/* The result of a task with no arguments. */
static const mw_result *result_of_nothing(mw_master *master)
{
    CU_ASSERT_EQUAL(mw_master_submit(master, &task, ""), MW_OK);
    return mw_master_next(master);
}

static void check_failure(const mw_result *result, const char *message)
{
    CU_ASSERT_EQUAL(result->outcome, MW_FAILED);
    CU_ASSERT_STRING_EQUAL(result->message, message);
}

static void check_string(const mw_result *result, const char *expected)
{
    const char *text = "nothing";
    CU_ASSERT_EQUAL(result->outcome, MW_DONE);
    CU_ASSERT_PTR_NULL(result->message);
    CU_ASSERT_EQUAL(mw_result_get(result, "s", &text), MW_OK);
    CU_ASSERT_STRING_EQUAL(text, expected);
}

static void check_bytes(const mw_result *result, const char *expected)
{
    CU_ASSERT_EQUAL(result->outcome, MW_DONE);
    CU_ASSERT_TRUE(result->is_bytes);
    CU_ASSERT_EQUAL(result->size, strlen(expected));
    if (result->size == strlen(expected))
        CU_ASSERT_EQUAL(memcmp(result->data, expected, result->size), 0);
}

static void run_all_letters(mw_call *call)
{
    const char *string, *sized;
    const void *bytes;
    const msgpack_object *object;
    size_t sized_size, bytes_size;
    int number;
    int64_t signed_number;
    uint64_t unsigned_number;
    double real;
    bool is_true;
    if (mw_call_args(call, "s S y i l u d b o", &string, &sized, &sized_size, &bytes, &bytes_size,
                     &number, &signed_number, &unsigned_number, &real, &is_true, &object) != MW_OK)
        return;
    mw_call_return(call, "s S y i l u d b o", string, sized, sized_size, bytes, bytes_size, number,
                   signed_number, unsigned_number, real, is_true, object);
}

static int master_of_all_letters(struct mwt_world *world, mw_master *master)
{
    msgpack_object nil = {.type = MSGPACK_OBJECT_NIL};
    const char *string = "", *sized = "";
    const void *bytes = NULL;
    const msgpack_object *object = NULL;
    size_t sized_size = 0, bytes_size = 0;
    int number = 0;
    int64_t signed_number = 0;
    uint64_t unsigned_number = 0;
    double real = 0;
    bool is_true = false;
    (void)world;
    mw_master_submit(master, &task, "s S y i l u d b o", "text", "a\0b", (size_t)3, "\xff",
                     (size_t)1, INT_MIN, INT64_MIN, UINT64_MAX, 0.5, true, &nil);

    const mw_result *result = mw_master_next(master);

    CU_ASSERT_EQUAL(mw_result_get(result, "s S y i l u d b o", &string, &sized, &sized_size, &bytes,
                                  &bytes_size, &number, &signed_number, &unsigned_number, &real,
                                  &is_true, &object),
                    MW_OK);
    CU_ASSERT_STRING_EQUAL(string, "text");
    CU_ASSERT_TRUE(sized_size == 3 && memcmp(sized, "a\0b", 3) == 0);
    CU_ASSERT_TRUE(bytes_size == 1 && memcmp(bytes, "\xff", 1) == 0);
    CU_ASSERT_TRUE(number == INT_MIN && signed_number == INT64_MIN &&
                   unsigned_number == UINT64_MAX && real == 0.5 && is_true);
    CU_ASSERT_TRUE(object != NULL && object->type == MSGPACK_OBJECT_NIL);
    CU_ASSERT_EQUAL(mw_result_values_count(result), 9);
    return 0;
}

/* Arguments and results of every kind go there and back. */
static void test_all_letters(void)
{
    run_farm(run_all_letters, master_of_all_letters);
}

static void run_mismatch(mw_call *call)
{
    const char *text = "untouched";
    CU_ASSERT_EQUAL(mw_call_args(call, "s", &text), MW_EFORMAT);
    CU_ASSERT_STRING_EQUAL(text, "untouched");
}

static int master_of_mismatches(struct mwt_world *world, mw_master *master)
{
    (void)world;
    mw_master_submit(master, &task, "i", 5);
    check_failure(mw_master_next(master), "argument 1: expected a string, got an integer");
    mw_master_submit(master, &task, "ss", "a", "b");
    check_failure(mw_master_next(master), "expected 1 argument, got 2");
    mw_master_submit(master, &task, "");
    check_failure(mw_master_next(master), "expected 1 argument, got 0");
    mw_master_submit_bytes(master, &task, "raw", 3);
    check_failure(mw_master_next(master), "expected arguments, got raw bytes");
    return 0;
}

/* Wrong arguments are a failed task that says what was expected, and no more: the slave goes on. */
static void test_mismatches(void)
{
    run_farm(run_mismatch, master_of_mismatches);
}

static void run_bad_format(mw_call *call)
{
    int number;
    CU_ASSERT_EQUAL(mw_call_args(call, "?", &number), MW_EINVAL);
}

static int master_of_bad_format(struct mwt_world *world, mw_master *master)
{
    (void)world;
    check_failure(result_of_nothing(master), "the format \"?\" has the unknown letter '?'");
    return 0;
}

/* So is a mistake in the format. */
static void test_bad_format(void)
{
    run_farm(run_bad_format, master_of_bad_format);
}

static void run_arguments_one_by_one(mw_call *call)
{
    const char *first;
    int64_t sum = 0;
    CU_ASSERT_EQUAL(mw_call_args_count(call), 3);
    for (size_t i = 0; i < mw_call_args_count(call); i++)
        sum += mw_call_arg(call, i)->via.i64;
    CU_ASSERT_PTR_NULL(mw_call_arg(call, 3));
    CU_ASSERT_PTR_NULL(mw_call_arg(call, SIZE_MAX));
    CU_ASSERT_EQUAL(mw_call_args(call, "s", &first), MW_EFORMAT);
    mw_call_return(call, "s", mw_call_format(call, "%d", (int)sum));
}

static int master_of_arguments(struct mwt_world *world, mw_master *master)
{
    (void)world;
    mw_master_submit(master, &task, "iii", 1, 2, 40);
    check_string(mw_master_next(master), "43");
    return 0;
}

/* Arguments can be looked at one by one, where their number is not known; a result that is left
 * after a mismatch counts. */
static void test_arguments_one_by_one(void)
{
    run_farm(run_arguments_one_by_one, master_of_arguments);
}

static void run_read_twice(mw_call *call)
{
    const char *first = "", *second = "";
    CU_ASSERT_EQUAL(mw_call_args(call, "s", &first), MW_OK);
    CU_ASSERT_EQUAL(mw_call_args(call, "s", &second), MW_OK);
    mw_call_return(call, "s", mw_call_format(call, "%s and %s", first, second));
}

static int master_of_read_twice(struct mwt_world *world, mw_master *master)
{
    (void)world;
    mw_master_submit(master, &task, "s", "this");
    check_string(mw_master_next(master), "this and this");
    return 0;
}

/* Arguments that were read stay, also when they are read again. */
static void test_read_twice(void)
{
    run_farm(run_read_twice, master_of_read_twice);
}

static void run_bytes(mw_call *call)
{
    void *data;
    size_t size;
    CU_ASSERT_EQUAL(mw_call_args_count(call), 0);
    CU_ASSERT_PTR_NULL(mw_call_arg(call, 0));
    if (mw_call_bytes(call, &data, &size) != MW_OK)
        return;
    for (size_t i = 0; i < size; i++)
        ((char *)data)[i]++;
    mw_call_return_bytes(call, data, size);
}

static int master_of_bytes(struct mwt_world *world, mw_master *master)
{
    (void)world;
    mw_master_submit_bytes(master, &task, "HAL", 3);
    check_bytes(mw_master_next(master), "IBM");
    mw_master_submit_bytes(master, &task, NULL, 0);
    check_bytes(mw_master_next(master), "");
    mw_master_submit_bytes_take(master, &task, strdup("abc"), 3);
    check_bytes(mw_master_next(master), "bcd");
    return 0;
}

/* Raw bytes can be changed in place, and be none. */
static void test_bytes(void)
{
    run_farm(run_bytes, master_of_bytes);
}

static void run_bytes_of_values(mw_call *call)
{
    void *data;
    size_t size;
    CU_ASSERT_EQUAL(mw_call_bytes(call, &data, &size), MW_EFORMAT);
}

static int master_of_bytes_of_values(struct mwt_world *world, mw_master *master)
{
    (void)world;
    check_failure(result_of_nothing(master), "expected raw bytes, got arguments");
    return 0;
}

/* Raw bytes that are values instead are a failed task. */
static void test_bytes_of_values(void)
{
    run_farm(run_bytes_of_values, master_of_bytes_of_values);
}

static void run_nothing(mw_call *call)
{
    (void)call;
}

static int master_of_nothing(struct mwt_world *world, mw_master *master)
{
    (void)world;
    const mw_result *result = result_of_nothing(master);
    CU_ASSERT_EQUAL(result->outcome, MW_DONE);
    CU_ASSERT_FALSE(result->is_bytes);
    CU_ASSERT_EQUAL(result->size, 0);
    CU_ASSERT_EQUAL(mw_result_values_count(result), 0);
    CU_ASSERT_EQUAL(mw_result_get(result, ""), MW_OK);
    CU_ASSERT_PTR_NULL(mw_result_value(result, 0));
    return 0;
}

/* Nothing left is a result of no values. */
static void test_nothing(void)
{
    run_farm(run_nothing, master_of_nothing);
}

static void leave(mw_call *call, char kind)
{
    switch (kind) {
    case 'v':
        CU_ASSERT_EQUAL(mw_call_return(call, "s", "values"), MW_OK);
        break;
    case 'b':
        CU_ASSERT_EQUAL(mw_call_return_bytes(call, "bytes", 5), MW_OK);
        break;
    case 't':
        CU_ASSERT_EQUAL(mw_call_return_bytes_take(call, strdup("taken"), 5), MW_OK);
        break;
    case 'p':
        msgpack_pack_str_with_body(mw_call_packer(call), "packed", 6);
        break;
    case 'f':
        mw_call_fail(call, "failed %d%%", 100);
        break;
    default:
        break;
    }
}

static void check_left(const mw_result *result, char kind)
{
    if (kind == 'f')
        check_failure(result, "failed 100%");
    else if (kind == 'b' || kind == 't')
        check_bytes(result, kind == 'b' ? "bytes" : "taken");
    else
        check_string(result, kind == 'v' ? "values" : "packed");
}

static void run_change_of_mind(mw_call *call)
{
    const char *kinds;
    if (mw_call_args(call, "s", &kinds) != MW_OK)
        return;
    for (; *kinds != '\0'; kinds++)
        leave(call, *kinds);
}

static int master_of_changes_of_mind(struct mwt_world *world, mw_master *master)
{
    static const char kinds[] = "vbtpf";
    (void)world;
    for (const char *first = kinds; *first != '\0'; first++) {
        for (const char *last = kinds; *last != '\0'; last++) {
            char both[] = {*first, *last, '\0'};
            mw_master_submit(master, &task, "s", both);
            check_left(mw_master_next(master), *last);
        }
    }
    return 0;
}

/* The last result that is left counts, whatever was left before it. */
static void test_changes_of_mind(void)
{
    run_farm(run_change_of_mind, master_of_changes_of_mind);
}

static void run_packer(mw_call *call)
{
    msgpack_packer *packer = mw_call_packer(call);
    for (int i = 0; i < 1000; i++)
        msgpack_pack_int(packer, i);
}

static int master_of_packer(struct mwt_world *world, mw_master *master)
{
    (void)world;
    const mw_result *result = result_of_nothing(master);
    CU_ASSERT_EQUAL(mw_result_values_count(result), 1000);
    CU_ASSERT_EQUAL(mw_result_value(result, 999)->via.u64, 999);
    CU_ASSERT_PTR_NULL(mw_result_value(result, 1000));
    return 0;
}

/* Filled with numbers of its place, so that a payload that was moved by a byte is found out. */
static unsigned char *make_large(size_t size)
{
    unsigned char *bytes = malloc(size);
    for (size_t i = 0; bytes != NULL && i < size; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 256);
    return bytes;
}

static bool is_large(const void *data, size_t size)
{
    unsigned char *expected = make_large(size);
    bool is_same = expected != NULL && memcmp(data, expected, size) == 0;
    free(expected);
    return is_same;
}

/* Returns what it was given: as bytes, by copy or for good, after thinking better of something
 * else, or as values. */
static void run_large(mw_call *call)
{
    static int how;
    const void *given;
    void *bytes = NULL;
    size_t size = 0;
    unsigned char *block;
    switch (how++ % 5) {
    case 0:
        CU_ASSERT_EQUAL(mw_call_bytes(call, &bytes, &size), MW_OK);
        CU_ASSERT_EQUAL(mw_call_return_bytes(call, bytes, size), MW_OK);
        break;
    case 1:
        CU_ASSERT_EQUAL(mw_call_bytes(call, &bytes, &size), MW_OK);
        block = make_large(size);
        CU_ASSERT_EQUAL(mw_call_return_bytes_take(call, block, size), MW_OK);
        break;
    case 2:
        CU_ASSERT_EQUAL(mw_call_args(call, "y", &given, &size), MW_OK);
        CU_ASSERT_EQUAL(mw_call_return_bytes(call, given, size), MW_OK);
        CU_ASSERT_EQUAL(mw_call_return(call, "y", given, size), MW_OK);
        break;
    case 3:
        CU_ASSERT_EQUAL(mw_call_args(call, "y", &given, &size), MW_OK);
        mw_call_return(call, "y", given, size);
        CU_ASSERT_EQUAL(mw_call_return_bytes(call, given, size), MW_OK);
        break;
    default:
        CU_ASSERT_EQUAL(mw_call_args(call, "y", &given, &size), MW_OK);
        mw_call_return_bytes(call, given, size);
        mw_call_fail(call, "changed its mind");
        break;
    }
}

static int master_of_large(struct mwt_world *world, mw_master *master)
{
    const size_t size = ((size_t)1 << 20) + 100;
    unsigned char *bytes = make_large(size);
    const mw_result *result;
    (void)world;
    CU_ASSERT_EQUAL(mw_master_submit_bytes(master, &task, bytes, size), MW_OK);
    CU_ASSERT_EQUAL(mw_master_submit_bytes_take(master, &task, make_large(size), size), MW_OK);
    for (int i = 0; i < 3; i++)
        CU_ASSERT_EQUAL(mw_master_submit(master, &task, "y", bytes, size), MW_OK);
    free(bytes);

    for (int i = 0; i < 5 && (result = mw_master_next(master)) != NULL; i++) {
        const void *data = result->data;
        size_t got = result->size;
        CU_ASSERT_EQUAL(result->is_bytes, i != 2 && i != 4);
        if (i == 4) {
            check_failure(result, "changed its mind");
            continue;
        }
        if (i == 2)
            CU_ASSERT_EQUAL(mw_result_get(result, "y", &data, &got), MW_OK);
        CU_ASSERT_TRUE(got == size && is_large(data, got));
    }
    CU_ASSERT_PTR_NULL(mw_master_next(master));
    return 0;
}

/* Large arguments and results go there and back in every form; the last one that is left counts. */
static void test_large(void)
{
    run_farm(run_large, master_of_large);
}

/* Computes in place, and gives back all of it, all but the first byte, or, on second thought, a
 * word. */
static void run_in_place(mw_call *call)
{
    static int how;
    void *data = NULL;
    size_t size = 0;
    CU_ASSERT_EQUAL(mw_call_bytes(call, &data, &size), MW_OK);
    unsigned char *bytes = data;
    for (size_t i = 0; i < size; i++)
        bytes[i] ^= 0xff;
    size_t from = how % 3 == 1;
    CU_ASSERT_EQUAL(mw_call_return_bytes_take(call, bytes + from, size - from), MW_OK);
    if (how++ % 3 == 2)
        CU_ASSERT_EQUAL(mw_call_return_bytes(call, "word", 4), MW_OK);
}

static void check_in_place(const mw_result *result, size_t size, int how)
{
    unsigned char *expected = make_large(size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(expected);
    for (size_t i = 0; i < size; i++)
        expected[i] ^= 0xff;
    if (how == 2) {
        CU_ASSERT_TRUE(result->size == 4 && memcmp(result->data, "word", 4) == 0);
    } else {
        CU_ASSERT_TRUE(result->size == size - (size_t)how &&
                       memcmp(result->data, expected + how, result->size) == 0);
    }
    free(expected);
}

static int master_of_in_place(struct mwt_world *world, mw_master *master)
{
    static const size_t sizes[] = {1, 5, 100, 32767, 32768, 32769, 200000};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    const mw_result *result;
    (void)world;
    for (int i = 0; i < 3 * COUNT; i++) {
        unsigned char *bytes = make_large(sizes[i / 3]);
        CU_ASSERT_EQUAL(mw_master_submit_bytes_take(master, &task, bytes, sizes[i / 3]), MW_OK);
    }
    for (int i = 0; i < 3 * COUNT && (result = mw_master_next(master)) != NULL; i++)
        check_in_place(result, sizes[i / 3], i % 3);
    CU_ASSERT_PTR_NULL(mw_master_next(master));
    return 0;
}

/* A task may return its arguments, or a part of them, from their own memory. */
static void test_in_place(void)
{
    run_farm(run_in_place, master_of_in_place);
}

/* Gives back all or, with bytes, what is behind them. */
static void run_nothing_in_place(mw_call *call)
{
    void *data = NULL;
    size_t size = 0;
    CU_ASSERT_EQUAL(mw_call_bytes(call, &data, &size), MW_OK);
    CU_ASSERT_EQUAL(mw_call_return_bytes_take(call, size == 0 ? data : (char *)data + size, 0),
                    MW_OK);
}

static int master_of_nothing_in_place(struct mwt_world *world, mw_master *master)
{
    static const size_t sizes[] = {0, 0, 1, 100, 32768, 100000};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    const mw_result *result;
    (void)world;
    for (int i = 0; i < COUNT; i++) {
        unsigned char *bytes = make_large(sizes[i] + 1);
        CU_ASSERT_EQUAL(mw_master_submit_bytes_take(master, &task, bytes, sizes[i]), MW_OK);
    }
    for (int i = 0; i < COUNT; i++) {
        result = mw_master_next(master);
        CU_ASSERT_PTR_NOT_NULL_FATAL(result);
        CU_ASSERT_EQUAL(result->outcome, MW_DONE);
        CU_ASSERT_EQUAL(result->size, 0);
    }
    return 0;
}

/* No bytes of the arguments are given back like some. */
static void test_nothing_in_place(void)
{
    run_farm(run_nothing_in_place, master_of_nothing_in_place);
}

/* Checks how its arguments lie. */
static void run_aligned(mw_call *call)
{
    void *data = NULL;
    size_t size = 0;
    CU_ASSERT_EQUAL(mw_call_bytes(call, &data, &size), MW_OK);
    CU_ASSERT_EQUAL((uintptr_t)data % _Alignof(max_align_t), 0);
    CU_ASSERT_EQUAL(mw_call_return_bytes(call, data, size), MW_OK);
}

static int master_of_aligned(struct mwt_world *world, mw_master *master)
{
    const mw_result *result;
    (void)world;
    for (int i = 0; i < 200; i++) {
        unsigned char *bytes = make_large(32768 + (size_t)i);
        CU_ASSERT_EQUAL(mw_master_submit_bytes_take(master, &task, bytes, 32768 + (size_t)i),
                        MW_OK);
    }
    while ((result = mw_master_next(master)) != NULL)
        CU_ASSERT_EQUAL((uintptr_t)result->data % _Alignof(max_align_t), 0);
    return 0;
}

/* Large raw bytes can be used as arrays of any type where they are, in task and result. */
static void test_aligned(void)
{
    run_farm(run_aligned, master_of_aligned);
}

/* A packer takes any number of values. */
static void test_packer(void)
{
    run_farm(run_packer, master_of_packer);
}

static void run_bad_returns(mw_call *call)
{
    char *block = malloc(1);
    CU_ASSERT_EQUAL(mw_call_return(call, "x", 1), MW_EINVAL);
    CU_ASSERT_EQUAL(mw_call_return(call, "s", (const char *)NULL), MW_EINVAL);
    CU_ASSERT_EQUAL(mw_call_return(call, "y", "", (size_t)UINT32_MAX + 1), MW_ETOOBIG);
    CU_ASSERT_EQUAL(mw_call_return_bytes(call, NULL, (size_t)64 << 20), MW_ETOOBIG);
    CU_ASSERT_EQUAL(mw_call_return_bytes_take(call, block, SIZE_MAX), MW_ETOOBIG);
}

static int master_of_bad_returns(struct mwt_world *world, mw_master *master)
{
    (void)world;
    check_failure(result_of_nothing(master),
                  "the result's 18446744073709551615 bytes are over the slave's "
                  "--mw-max-write-buffer-size of 67108864");
    return 0;
}

/* A result that cannot be left fails the task, and frees what it was to take. */
static void test_bad_returns(void)
{
    run_farm(run_bad_returns, master_of_bad_returns);
}

static void run_bad_return_format(mw_call *call)
{
    mw_call_return(call, "sx", "text", 1);
}

static int master_of_bad_return_format(struct mwt_world *world, mw_master *master)
{
    (void)world;
    check_failure(result_of_nothing(master), "the format \"sx\" has the unknown letter 'x'");
    return 0;
}

/* Which mistake it was is told to the master. */
static void test_bad_return_format(void)
{
    run_farm(run_bad_return_format, master_of_bad_return_format);
}

static void run_long_failure(mw_call *call)
{
    char text[10000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    mw_call_fail(call, "%s", text);
}

static int master_of_long_failure(struct mwt_world *world, mw_master *master)
{
    (void)world;
    const mw_result *result = result_of_nothing(master);
    CU_ASSERT_EQUAL(result->outcome, MW_FAILED);
    CU_ASSERT_EQUAL(strlen(result->message), 9999);
    CU_ASSERT_PTR_NULL(result->data);
    CU_ASSERT_EQUAL(result->size, 0);
    return 0;
}

/* A failure can say as much as it likes. */
static void test_long_failure(void)
{
    run_farm(run_long_failure, master_of_long_failure);
}

static void run_formats(mw_call *call)
{
    char expected[16];
    const char *texts[100];
    for (int i = 0; i < 100; i++)
        texts[i] = mw_call_format(call, "text %d", i);
    for (int i = 0; i < 100; i++) {
        snprintf(expected, sizeof expected, "text %d", i);
        CU_ASSERT_STRING_EQUAL(texts[i], expected);
    }
    mw_call_return(call, "s", texts[99]);
}

static int master_of_formats(struct mwt_world *world, mw_master *master)
{
    (void)world;
    check_string(result_of_nothing(master), "text 99");
    return 0;
}

/* Strings that are made stay for as long as the algorithm runs. */
static void test_formats(void)
{
    run_farm(run_formats, master_of_formats);
}

static void run_surroundings(mw_call *call)
{
    CU_ASSERT_PTR_EQUAL(mw_call_user(call), &user_data);
    CU_ASSERT_STRING_EQUAL(mw_slave_id(mw_call_slave(call)), "SLAVE-0");
    CU_ASSERT_PTR_EQUAL(mw_slave_user(mw_call_slave(call)), &user_data);
    mw_call_return(call, "s", "seen");
}

static int master_of_surroundings(struct mwt_world *world, mw_master *master)
{
    (void)world;
    const mw_result *result = result_of_nothing(master);
    check_string(result, "seen");
    CU_ASSERT_STRING_EQUAL(result->sid, "SLAVE-0");
    CU_ASSERT_STRING_EQUAL(result->algorithm, "run");
    return 0;
}

/* An algorithm knows the program's data and its slave. */
static void test_surroundings(void)
{
    run_farm(run_surroundings, master_of_surroundings);
}

static int master_of_many(struct mwt_world *world, mw_master *master)
{
    const mw_result *result;
    int count = 0;
    (void)world;
    for (int i = 0; i < 500; i++)
        mw_master_submit(master, &task, "s", i % 2 == 0 ? "vf" : "fb");
    for (; (result = mw_master_next(master)) != NULL; count++)
        CU_ASSERT_EQUAL(result->outcome, result->is_bytes ? MW_DONE : MW_FAILED);
    CU_ASSERT_EQUAL(count, 500);
    return 0;
}

/* Nothing of one task is left for the next. */
static void test_many(void)
{
    run_farm(run_change_of_mind, master_of_many);
}

/* Three elements are claimed, one comes. */
static void run_broken_packer(mw_call *call)
{
    msgpack_packer *packer = mw_call_packer(call);
    msgpack_pack_array(packer, 3);
    msgpack_pack_int(packer, 1);
}

/* The packer is used again after a result was left otherwise. */
static void run_stale_packer(mw_call *call)
{
    msgpack_packer *packer = mw_call_packer(call);
    mw_call_return(call, "i", 1);
    msgpack_pack_map(packer, 1);
}

static int master_of_broken_packers(struct mwt_world *world, mw_master *master)
{
    (void)world;
    check_failure(result_of_nothing(master),
                  "the result is not whole msgpack values: what was packed with mw_call_packer "
                  "lacks elements, or is nested too deeply");
    return 0;
}

/* Msgpack of the user's own that is not whole is the task's failure, not the master's trouble. */
static void test_broken_packers(void)
{
    run_farm(run_broken_packer, master_of_broken_packers);
    run_farm(run_stale_packer, master_of_broken_packers);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"all letters", test_all_letters},
        {"mismatches", test_mismatches},
        {"bad format", test_bad_format},
        {"arguments one by one", test_arguments_one_by_one},
        {"read twice", test_read_twice},
        {"bytes", test_bytes},
        {"bytes of values", test_bytes_of_values},
        {"nothing", test_nothing},
        {"changes of mind", test_changes_of_mind},
        {"in place", test_in_place},
        {"nothing in place", test_nothing_in_place},
        {"aligned", test_aligned},
        {"packer", test_packer},
        {"broken packers", test_broken_packers},
        {"large", test_large},
        {"bad returns", test_bad_returns},
        {"bad return format", test_bad_return_format},
        {"long failure", test_long_failure},
        {"formats", test_formats},
        {"surroundings", test_surroundings},
        {"many", test_many},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("call", tests);
}

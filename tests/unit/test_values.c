/* SPDX-License-Identifier: Apache-2.0
 *
 * Arguments and results by format: each letter both ways, the limits of the numbers, the sentences
 * that tell users what was wrong, and outputs that are set all or none. A new letter of the format
 * gets a row in the tables here.
 */
#include "wire/values.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "mwt_msgpack.h"
#include "mwt_run.h"

/* Values on their way: written to a buffer, loaded from it, read. */
struct way {
    struct mwi_buffer buffer;
    struct mwi_values values;
    mw_reason why;
};

static void start(struct way *way)
{
    mwi_buffer_init(&way->buffer);
    CU_ASSERT_TRUE_FATAL(mwi_values_init(&way->values));
    strcpy(way->why.text, "");
}

static void end(struct way *way)
{
    mwi_values_fini(&way->values);
    mwi_buffer_fini(&way->buffer);
}

static mw_error write_values(struct way *way, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    mw_error error = mwi_values_write(&way->buffer, format, arguments, &way->why);
    va_end(arguments);
    return error;
}

static mw_error load(struct way *way)
{
    return mwi_values_load(&way->values, way->buffer.data, way->buffer.size);
}

static mw_error read_values(struct way *way, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    mw_error error = mwi_values_read(&way->values, "argument", format, arguments, &way->why);
    va_end(arguments);
    return error;
}

/* A way on which these bytes have been loaded. */
static void start_loaded(struct way *way, const char *bytes, size_t size)
{
    start(way);
    mwi_buffer_append(&way->buffer, bytes, size);
    CU_ASSERT_EQUAL_FATAL(load(way), MW_OK);
}

/* Every letter writes the bytes that msgpack-c's packer writes. */
static void test_form_on_the_wire(void)
{
    static const char expected[] = "\xa2hi\xa2h\0\xc4\x02\x01\0\xff\xd1\x81\0\xcd\x01\0"
                                   "\xcb\x3f\xf8\0\0\0\0\0\0\xc3\xc2\xc0";
    msgpack_object nil = {.type = MSGPACK_OBJECT_NIL};
    struct way way;
    start(&way);

    CU_ASSERT_EQUAL(write_values(&way, "sSyi", "hi", "h\0?", (size_t)2, "\x01\0?", (size_t)2, -1),
                    MW_OK);
    CU_ASSERT_EQUAL(write_values(&way, "ludbbo", INT64_C(-32512), UINT64_C(256), 1.5, 2, 0, &nil),
                    MW_OK);

    CU_ASSERT_EQUAL_FATAL(way.buffer.size, sizeof expected - 1);
    CU_ASSERT_EQUAL(memcmp(way.buffer.data, expected, sizeof expected - 1), 0);
    end(&way);
}

/* Strings and bytes of any contents come back as they were written. */
static void test_strings_both_ways(void)
{
    const char *string = NULL, *sized = NULL;
    const void *bytes = NULL;
    size_t sized_size = 0, bytes_size = 0;
    struct way way;
    start(&way);

    CU_ASSERT_EQUAL(
        write_values(&way, "sSy", "text \xc3\xbc", "a\0b", (size_t)3, "\0\xff", (size_t)2), MW_OK);
    CU_ASSERT_EQUAL(load(&way), MW_OK);
    CU_ASSERT_EQUAL(read_values(&way, "sSy", &string, &sized, &sized_size, &bytes, &bytes_size),
                    MW_OK);

    CU_ASSERT_STRING_EQUAL(string, "text \xc3\xbc");
    CU_ASSERT_EQUAL_FATAL(sized_size, 3);
    CU_ASSERT_EQUAL(memcmp(sized, "a\0b", 3), 0);
    CU_ASSERT_EQUAL_FATAL(bytes_size, 2);
    CU_ASSERT_EQUAL(memcmp(bytes, "\0\xff", 2), 0);
    end(&way);
}

/* An empty string is a string too, and so is NULL with size 0. */
static void test_empty_strings(void)
{
    const char *string = NULL, *sized = NULL;
    const void *bytes = NULL;
    size_t sized_size = 77, bytes_size = 77;
    struct way way;
    start(&way);

    CU_ASSERT_EQUAL(write_values(&way, "sSy", "", NULL, (size_t)0, NULL, (size_t)0), MW_OK);
    CU_ASSERT_EQUAL(load(&way), MW_OK);
    CU_ASSERT_EQUAL(read_values(&way, "sSy", &string, &sized, &sized_size, &bytes, &bytes_size),
                    MW_OK);

    CU_ASSERT_STRING_EQUAL(string, "");
    CU_ASSERT_EQUAL(sized_size, 0);
    CU_ASSERT_EQUAL(bytes_size, 0);
    end(&way);
}

static void check_int(int in)
{
    int out = in ^ 1;
    struct way way;
    start(&way);
    CU_ASSERT_EQUAL(write_values(&way, "i", in), MW_OK);
    CU_ASSERT_EQUAL(load(&way), MW_OK);
    CU_ASSERT_EQUAL(read_values(&way, "i", &out), MW_OK);
    CU_ASSERT_EQUAL(out, in);
    end(&way);
}

static void check_int64(int64_t in)
{
    int64_t out = in ^ 1;
    struct way way;
    start(&way);
    CU_ASSERT_EQUAL(write_values(&way, "l", in), MW_OK);
    CU_ASSERT_EQUAL(load(&way), MW_OK);
    CU_ASSERT_EQUAL(read_values(&way, "l", &out), MW_OK);
    CU_ASSERT_EQUAL(out, in);
    end(&way);
}

static void check_uint64(uint64_t in)
{
    uint64_t out = in ^ 1;
    struct way way;
    start(&way);
    CU_ASSERT_EQUAL(write_values(&way, "u", in), MW_OK);
    CU_ASSERT_EQUAL(load(&way), MW_OK);
    CU_ASSERT_EQUAL(read_values(&way, "u", &out), MW_OK);
    CU_ASSERT_EQUAL(out, in);
    end(&way);
}

/* Integers come back from end to end of their type, and around every size of theirs in msgpack. */
static void test_integers_both_ways(void)
{
    check_int(INT_MIN);
    check_int(INT_MAX);
    check_int64(INT64_MIN);
    check_int64(INT64_MAX);
    check_uint64(UINT64_MAX);

    for (int bits = 0; bits < 63; bits++) {
        for (int64_t around = -1; around <= 1; around++) {
            int64_t number = (INT64_C(1) << bits) + around;
            check_int64(number);
            check_int64(-number);
            check_uint64((uint64_t)number);
            if (number <= INT_MAX) {
                check_int((int)number);
                check_int((int)-number);
            }
        }
    }
}

/* A floating point number comes back to the bit, also infinities and NaN. */
static void test_doubles_both_ways(void)
{
    static const double numbers[] = {0.0,     -0.0,     1.5,      -2.25e300, DBL_MIN,
                                     DBL_MAX, 4.9e-324, INFINITY, -INFINITY, NAN};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        double out = 77;
        struct way way;
        start(&way);
        CU_ASSERT_EQUAL(write_values(&way, "d", numbers[i]), MW_OK);
        CU_ASSERT_EQUAL(load(&way), MW_OK);
        CU_ASSERT_EQUAL(read_values(&way, "d", &out), MW_OK);
        CU_ASSERT_EQUAL(memcmp(&out, &numbers[i], sizeof out), 0);
        end(&way);
    }
}

/* Where a double is asked for, an integer and a single will do. */
static void test_double_from_other_numbers(void)
{
    double reals[5];
    msgpack_packer packer;
    struct way way;
    start(&way);
    msgpack_packer_init(&packer, &way.buffer, mwi_buffer_write);
    msgpack_pack_int(&packer, -3);
    msgpack_pack_int(&packer, 7);
    msgpack_pack_float(&packer, 0.5f);
    msgpack_pack_uint64(&packer, UINT64_MAX);
    msgpack_pack_int64(&packer, INT64_MIN);

    CU_ASSERT_EQUAL(load(&way), MW_OK);
    CU_ASSERT_EQUAL(
        read_values(&way, "ddddd", &reals[0], &reals[1], &reals[2], &reals[3], &reals[4]), MW_OK);

    CU_ASSERT_EQUAL(reals[0], -3.0);
    CU_ASSERT_EQUAL(reals[1], 7.0);
    CU_ASSERT_EQUAL(reals[2], 0.5);
    CU_ASSERT_EQUAL(reals[3], 18446744073709551616.0);
    CU_ASSERT_EQUAL(reals[4], -9223372036854775808.0);
    end(&way);
}

/* Anything but 0 is true. */
static void test_booleans_both_ways(void)
{
    bool is_one = false, is_two = false, is_zero = true;
    struct way way;
    start(&way);

    CU_ASSERT_EQUAL(write_values(&way, "bbb", true, 1024, false), MW_OK);
    CU_ASSERT_EQUAL(load(&way), MW_OK);
    CU_ASSERT_EQUAL(read_values(&way, "bbb", &is_one, &is_two, &is_zero), MW_OK);

    CU_ASSERT_TRUE(is_one);
    CU_ASSERT_TRUE(is_two);
    CU_ASSERT_FALSE(is_zero);
    end(&way);
}

/* Any value of msgpack can be handed through as an object. */
static void test_objects_both_ways(void)
{
    struct mwt_random random;
    mwt_random_start(&random);

    for (int round = 0; round < 300; round++) {
        const msgpack_object *in, *out = NULL;
        msgpack_packer packer;
        struct way first, second;
        start(&first);
        start(&second);
        msgpack_packer_init(&packer, &first.buffer, mwi_buffer_write);
        msgpack_pack_array(&packer, 2);
        mwt_pack_any(&packer, &random, 5);
        mwt_pack_any(&packer, &random, 5);
        CU_ASSERT_EQUAL_FATAL(load(&first), MW_OK);
        in = first.values.objects;

        CU_ASSERT_EQUAL(write_values(&second, "o", in), MW_OK);
        CU_ASSERT_EQUAL_FATAL(load(&second), MW_OK);
        CU_ASSERT_EQUAL(read_values(&second, "o", &out), MW_OK);

        CU_ASSERT_EQUAL(second.buffer.size, first.buffer.size);
        CU_ASSERT_EQUAL(memcmp(second.buffer.data, first.buffer.data, first.buffer.size), 0);
        CU_ASSERT_PTR_EQUAL(out, second.values.objects);
        end(&first);
        end(&second);
    }
}

/* Blanks in a format are for the eye. */
static void test_blanks(void)
{
    int first = 0, second = 0;
    struct way way;
    start(&way);

    CU_ASSERT_EQUAL(write_values(&way, "  i i ", 1, 2), MW_OK);
    CU_ASSERT_EQUAL(load(&way), MW_OK);
    CU_ASSERT_EQUAL(read_values(&way, "i   i ", &first, &second), MW_OK);

    CU_ASSERT_EQUAL(first, 1);
    CU_ASSERT_EQUAL(second, 2);
    end(&way);
}

/* No values are a sequence too. */
static void test_no_values(void)
{
    struct way way;
    start(&way);

    CU_ASSERT_EQUAL(write_values(&way, ""), MW_OK);
    CU_ASSERT_EQUAL(way.buffer.size, 0);
    CU_ASSERT_EQUAL(load(&way), MW_OK);

    CU_ASSERT_EQUAL(way.values.count, 0);
    CU_ASSERT_EQUAL(read_values(&way, ""), MW_OK);
    end(&way);
}

/* A value of another type than the letter's, and the sentence. */
struct mismatch {
    const char *bytes;
    size_t size;
    const char *format;
    const char *sentence;
};

#define BYTES(bytes) bytes, sizeof bytes - 1

static const struct mismatch mismatches[] = {
    {BYTES("\xc0"), "s", "argument 1: expected a string, got nil"},
    {BYTES("\xc3"), "S", "argument 1: expected a string, got a boolean"},
    {BYTES("\x07"), "s", "argument 1: expected a string, got an integer"},
    {BYTES("\xff"), "S", "argument 1: expected a string, got an integer"},
    {BYTES("\xca\0\0\0\0"), "s", "argument 1: expected a string, got a floating point number"},
    {BYTES("\xc4\0"), "s", "argument 1: expected a string, got binary data"},
    {BYTES("\xa3"
           "a\0b"),
     "s", "argument 1: expected a string, got a string with a NUL inside"},
    {BYTES("\xa1x"), "y", "argument 1: expected binary data, got a string"},
    {BYTES("\x90"), "y", "argument 1: expected binary data, got an array"},
    {BYTES("\x80"), "i", "argument 1: expected an integer of 32 bits, got a map"},
    {BYTES("\xd4\x05\0"), "i", "argument 1: expected an integer of 32 bits, got an extension"},
    {BYTES("\xcb\0\0\0\0\0\0\0\0"), "i",
     "argument 1: expected an integer of 32 bits, got a floating point number"},
    {BYTES("\xce\x80\0\0\0"), "i",
     "argument 1: expected an integer of 32 bits, got an integer that does not fit"},
    {BYTES("\xd3\xff\xff\xff\xff\x7f\xff\xff\xff"), "i",
     "argument 1: expected an integer of 32 bits, got an integer that does not fit"},
    {BYTES("\xcf\x80\0\0\0\0\0\0\0"), "l",
     "argument 1: expected an integer of 64 bits, got an integer that does not fit"},
    {BYTES("\xc2"), "l", "argument 1: expected an integer of 64 bits, got a boolean"},
    {BYTES("\xff"), "u",
     "argument 1: expected an integer of 64 bits, not negative, got an integer that does not fit"},
    {BYTES("\xa1"
           "1"),
     "u", "argument 1: expected an integer of 64 bits, not negative, got a string"},
    {BYTES("\xa1"
           "1"),
     "d", "argument 1: expected a number, got a string"},
    {BYTES("\x01"), "b", "argument 1: expected a boolean, got an integer"},
    {BYTES("\x01\x02\xc0"), "i i i", "argument 3: expected an integer of 32 bits, got nil"},
    {BYTES("\x01"), "ii", "expected 2 arguments, got 1"},
    {BYTES("\x01\x02"), "i", "expected 1 argument, got 2"},
    {BYTES("\x01\x02\x03"), "", "expected 0 arguments, got 3"},
    {BYTES(""), "o", "expected 1 argument, got 0"},
    {BYTES("\xa1x\x02"), "i", "argument 1: expected an integer of 32 bits, got a string"},
};

/* Each mismatch is told in a sentence of its own. */
static void test_mismatches(void)
{
    for (size_t i = 0; i < sizeof mismatches / sizeof mismatches[0]; i++) {
        const struct mismatch *mismatch = &mismatches[i];
        void *unset[6] = {NULL};
        struct way way;
        start_loaded(&way, mismatch->bytes, mismatch->size);

        CU_ASSERT_EQUAL(read_values(&way, mismatch->format, &unset[0], &unset[1], &unset[2],
                                    &unset[3], &unset[4], &unset[5]),
                        MW_EFORMAT);

        CU_ASSERT_STRING_EQUAL(way.why.text, mismatch->sentence);
        for (size_t j = 0; j < 6; j++)
            CU_ASSERT_PTR_NULL(unset[j]);
        end(&way);
    }
}

/* Integers at the very end of the range of their letter still fit. */
static void test_integers_that_just_fit(void)
{
    int small = 0;
    int64_t large = 0;
    struct way way;
    start_loaded(&way, BYTES("\xce\x7f\xff\xff\xff\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"));
    CU_ASSERT_EQUAL(read_values(&way, "il", &small, &large), MW_OK);
    CU_ASSERT_EQUAL(small, INT_MAX);
    CU_ASSERT_EQUAL(large, INT64_MAX);
    end(&way);

    start_loaded(&way, BYTES("\xd3\xff\xff\xff\xff\x80\0\0\0\xd3\x80\0\0\0\0\0\0\0"));
    CU_ASSERT_EQUAL(read_values(&way, "il", &small, &large), MW_OK);
    CU_ASSERT_EQUAL(small, INT_MIN);
    CU_ASSERT_EQUAL(large, INT64_MIN);
    end(&way);
}

/* A mismatch in the last value leaves the outputs of all before it alone. */
static void test_all_or_none(void)
{
    const char *string = "before", *sized = "before";
    const void *bytes = "before";
    const msgpack_object *object = NULL;
    size_t sized_size = 1, bytes_size = 2;
    int number = 3, last = 4;
    double real = 5;
    bool is_true = true;
    struct way way;
    start(&way);
    msgpack_object nil = {.type = MSGPACK_OBJECT_NIL};
    CU_ASSERT_EQUAL(write_values(&way, "sSyidbos", "x", "x", (size_t)1, "x", (size_t)1, 9, 9.0,
                                 false, &nil, "no integer"),
                    MW_OK);
    CU_ASSERT_EQUAL(load(&way), MW_OK);

    CU_ASSERT_EQUAL(read_values(&way, "sSyidboi", &string, &sized, &sized_size, &bytes, &bytes_size,
                                &number, &real, &is_true, &object, &last),
                    MW_EFORMAT);

    CU_ASSERT_STRING_EQUAL(string, "before");
    CU_ASSERT_STRING_EQUAL(sized, "before");
    CU_ASSERT_STRING_EQUAL((const char *)bytes, "before");
    CU_ASSERT_TRUE(sized_size == 1 && bytes_size == 2 && number == 3 && last == 4 && real == 5 &&
                   is_true && object == NULL);
    end(&way);
}

/* An unknown letter is a mistake in the program. The sentence has the letter. */
static void test_unknown_letter(void)
{
    int i = 77;
    struct way way;
    start(&way);

    CU_ASSERT_EQUAL(write_values(&way, "ix", 1, 2), MW_EINVAL);
    CU_ASSERT_STRING_EQUAL(way.why.text, "the format \"ix\" has the unknown letter 'x'");
    end(&way);

    start_loaded(&way, BYTES("\x01\x02"));
    CU_ASSERT_EQUAL(read_values(&way, "i%", &i, &i), MW_EINVAL);
    CU_ASSERT_STRING_EQUAL(way.why.text, "the format \"i%\" has the unknown letter '%'");
    CU_ASSERT_EQUAL(i, 77);
    end(&way);
}

/* Named values have blanks between them: a comma, which would be part of the next name, is told. */
static void test_comma_between_names(void)
{
    struct way way;
    start(&way);

    CU_ASSERT_EQUAL(write_values(&way, "{base:i,verbose:b}", 1, 1), MW_EINVAL);

    CU_ASSERT_STRING_EQUAL(
        way.why.text,
        "the format \"{base:i,verbose:b}\" has a named value that is not like \"name:i\"");
    end(&way);
}

/* A string that is NULL is told, and nothing reads from it. */
static void test_null_string(void)
{
    struct way way;
    start(&way);

    CU_ASSERT_EQUAL(write_values(&way, "s", (const char *)NULL), MW_EINVAL);

    CU_ASSERT_STRING_EQUAL(way.why.text,
                           "the format \"s\" was given a string or object that is NULL");
    end(&way);
}

/* A value that msgpack cannot hold is refused before it is read. */
static void test_too_long_for_msgpack(void)
{
    static const char sentence[] = "the format \"S\" was given a string or bytes of 4 GiB or more, "
                                   "which msgpack cannot hold: use raw bytes";
    size_t size = (size_t)UINT32_MAX + 1;
    struct way way;
    start(&way);

    CU_ASSERT_EQUAL(write_values(&way, "y", "short", size), MW_ETOOBIG);
    CU_ASSERT_EQUAL(write_values(&way, "S", "short", size), MW_ETOOBIG);

    CU_ASSERT_STRING_EQUAL(way.why.text, sentence);
    end(&way);
}

/* A buffer that has run out of memory is found out at the end. */
static void test_write_without_memory(void)
{
    struct way way;
    start(&way);
    CU_ASSERT_FALSE(mwi_buffer_reserve(&way.buffer, SIZE_MAX));

    CU_ASSERT_EQUAL(write_values(&way, "i", 1), MW_ENOMEM);

    end(&way);
}

/* The same values can be read more than once, by other letters too. */
static void test_read_again(void)
{
    const char *first = NULL, *again = NULL, *sized = NULL;
    size_t size = 0;
    const msgpack_object *object = NULL;
    struct way way;
    start_loaded(&way, BYTES("\xa3"
                             "abc"));

    CU_ASSERT_EQUAL(read_values(&way, "s", &first), MW_OK);
    CU_ASSERT_EQUAL(read_values(&way, "s", &again), MW_OK);
    CU_ASSERT_EQUAL(read_values(&way, "S", &sized, &size), MW_OK);
    CU_ASSERT_EQUAL(read_values(&way, "o", &object), MW_OK);

    CU_ASSERT_STRING_EQUAL(first, "abc");
    CU_ASSERT_STRING_EQUAL(again, "abc");
    CU_ASSERT_EQUAL(size, 3);
    CU_ASSERT_EQUAL(memcmp(sized, "abc", 3), 0);
    CU_ASSERT_EQUAL(object->type, MSGPACK_OBJECT_STR);
    CU_ASSERT_EQUAL(object->via.str.size, 3);
    end(&way);
}

/* Bytes that are no whole values are refused, and there are then no values, not the old ones. */
static void test_load_no_sequence(void)
{
    struct way way;
    start_loaded(&way, BYTES("\x01\x02"));
    CU_ASSERT_EQUAL(way.values.count, 2);

    CU_ASSERT_EQUAL(mwi_values_load(&way.values, "\x92\x01", 2), MW_EPROTOCOL);

    CU_ASSERT_EQUAL(way.values.count, 0);
    CU_ASSERT_PTR_NULL(way.values.objects);
    end(&way);
}

/* Loading reads anew: of the sequence before nothing is left, not even if the next has no values.
 */
static void test_load_anew(void)
{
    int i = 0;
    struct way way;
    start_loaded(&way, BYTES("\x01\x02"));

    CU_ASSERT_EQUAL(mwi_values_load(&way.values, "\x05", 1), MW_OK);
    CU_ASSERT_EQUAL(read_values(&way, "i", &i), MW_OK);
    CU_ASSERT_EQUAL(i, 5);
    CU_ASSERT_EQUAL(mwi_values_load(&way.values, NULL, 0), MW_OK);

    CU_ASSERT_EQUAL(way.values.count, 0);
    CU_ASSERT_EQUAL(read_values(&way, ""), MW_OK);
    end(&way);
}

/* After a clear there are no values. */
static void test_clear(void)
{
    struct way way;
    start_loaded(&way, BYTES("\x01\x02"));

    mwi_values_clear(&way.values);

    CU_ASSERT_EQUAL(way.values.count, 0);
    CU_ASSERT_PTR_NULL(way.values.objects);
    end(&way);
}

static char *format_text(struct way *way, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = mwi_values_format(&way->values, format, arguments);
    va_end(arguments);
    return text;
}

/* Strings made beside the values stay when values are loaded, until a clear. */
static void test_strings_beside_values(void)
{
    static char long_text[5000];
    struct way way;
    start(&way);
    memset(long_text, 'x', sizeof long_text - 1);

    const char *copy = mwi_values_string(&way.values, "abcdef", 3);
    const char *nothing = mwi_values_string(&way.values, NULL, 0);
    const char *made = format_text(&way, "%s-%d", "made", 7);
    const char *made_long = format_text(&way, "%s", long_text);
    CU_ASSERT_EQUAL(mwi_values_load(&way.values, "\x01", 1), MW_OK);

    CU_ASSERT_STRING_EQUAL(copy, "abc");
    CU_ASSERT_STRING_EQUAL(nothing, "");
    CU_ASSERT_STRING_EQUAL(made, "made-7");
    CU_ASSERT_STRING_EQUAL(made_long, long_text);
    end(&way);
}

/* An object that msgpack-c could not read again is refused when it is written. */
static void test_nested_object(void)
{
    msgpack_object nested[40] = {{.type = MSGPACK_OBJECT_NIL}};
    struct way way;
    for (int i = 1; i < 40; i++) {
        nested[i].type = MSGPACK_OBJECT_ARRAY;
        nested[i].via.array.size = 1;
        nested[i].via.array.ptr = &nested[i - 1];
    }
    start(&way);

    CU_ASSERT_EQUAL(write_values(&way, "io", 1, &nested[32]), MW_OK);
    CU_ASSERT_EQUAL(write_values(&way, "io", 1, &nested[33]), MW_EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(way.why.text, "nested too deep"));
    CU_ASSERT_EQUAL(write_values(&way, "{name:o}", &nested[32]), MW_EINVAL);

    end(&way);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"form on the wire", test_form_on_the_wire},
        {"strings both ways", test_strings_both_ways},
        {"empty strings", test_empty_strings},
        {"integers both ways", test_integers_both_ways},
        {"doubles both ways", test_doubles_both_ways},
        {"double from other numbers", test_double_from_other_numbers},
        {"booleans both ways", test_booleans_both_ways},
        {"objects both ways", test_objects_both_ways},
        {"blanks", test_blanks},
        {"no values", test_no_values},
        {"mismatches", test_mismatches},
        {"integers that just fit", test_integers_that_just_fit},
        {"all or none", test_all_or_none},
        {"unknown letter", test_unknown_letter},
        {"null string", test_null_string},
        {"too long for msgpack", test_too_long_for_msgpack},
        {"comma between names", test_comma_between_names},
        {"write without memory", test_write_without_memory},
        {"read again", test_read_again},
        {"load no sequence", test_load_no_sequence},
        {"load anew", test_load_anew},
        {"clear", test_clear},
        {"strings beside values", test_strings_beside_values},
        {"nested object", test_nested_object},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("values", tests);
}

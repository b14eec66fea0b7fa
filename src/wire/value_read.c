/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads values by a format: face/call reads the arguments of a task with it, face/master_results
 * the values of a result. It walks over the format three times: the first walk checks every value,
 * the second makes the strings that need memory, the third sets the outputs.
 *
 * Invariant: after an error all outputs are unchanged. value_letter.h says what a letter accepts
 * and sets; a new one needs a name in letter_name besides.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "wire/value_format.h"
#include "wire/value_letter.h"
#include "wire/values.h"

/* Values divided into positional and named ones. If the format has names, a map at the end holds
 * the named ones. */
struct division {
    const char *text; /* the format */
    size_t positional_count;
    const msgpack_object_map *named; /* NULL: no named values */
};

static const char *letter_name(char letter)
{
    switch (letter) {
    case 's':
    case 'S':
        return "a string";
    case 'y':
        return "binary data";
    case 'i':
        return "an integer of 32 bits";
    case 'l':
        return "an integer of 64 bits";
    case 'u':
        return "an integer of 64 bits, not negative";
    case 'd':
        return "a number";
    case 'b':
        return "a boolean";
    default:
        return "anything";
    }
}

static const char *object_name(const msgpack_object *object)
{
    switch (object->type) {
    case MSGPACK_OBJECT_NIL:
        return "nil";
    case MSGPACK_OBJECT_BOOLEAN:
        return "a boolean";
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return "an integer";
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return "a floating point number";
    case MSGPACK_OBJECT_STR:
        return "a string";
    case MSGPACK_OBJECT_BIN:
        return "binary data";
    case MSGPACK_OBJECT_ARRAY:
        return "an array";
    case MSGPACK_OBJECT_MAP:
        return "a map";
    default:
        return "an extension";
    }
}

/* Says why a value is wrong although its type is right; "" if its type is wrong. */
static const char *misfit(const msgpack_object *object, char letter)
{
    if (letter == 's' && object->type == MSGPACK_OBJECT_STR)
        return " with a NUL inside";
    return mwi_value_letter_is_integer(object) && strchr("ilu", letter) != NULL
               ? " that does not fit"
               : "";
}

static const msgpack_object *find_named(const struct division *division,
                                        const struct mwi_value_format *format)
{
    for (uint32_t i = 0; division->named != NULL && i < division->named->size; i++) {
        const msgpack_object *key = &division->named->ptr[i].key;
        if (key->type == MSGPACK_OBJECT_STR && key->via.str.size == format->name_size &&
            memcmp(key->via.str.ptr, format->name, format->name_size) == 0)
            return &division->named->ptr[i].val;
    }
    return NULL;
}

/* Returns the value of the format's item, NULL if it is missing. *index counts positional items. */
static const msgpack_object *item_value(const struct mwi_values *values,
                                        const struct division *division,
                                        const struct mwi_value_format *format, size_t *index)
{
    if (format->is_named)
        return find_named(division, format);
    assert(division->positional_count <= values->count);
    size_t place = (*index)++;
    return place < division->positional_count ? &values->objects[place] : NULL;
}

static struct division divide(const struct mwi_values *values, const char *text)
{
    struct division division = {.text = text, .positional_count = values->count};
    if (strchr(text, '{') != NULL && values->count > 0 &&
        values->objects[values->count - 1].type == MSGPACK_OBJECT_MAP) {
        division.named = &values->objects[values->count - 1].via.map;
        division.positional_count--;
    }
    return division;
}

static mw_error wrong_value(const struct mwi_value_format *format, const msgpack_object *object,
                            const char *what, size_t number, mw_reason *why)
{
    char which[80];
    if (format->is_named)
        snprintf(which, sizeof which, "%s \"%.*s\"", what,
                 (int)(format->name_size < 60 ? format->name_size : 60), format->name);
    else
        snprintf(which, sizeof which, "%s %zu", what, number);
    snprintf(why->text, sizeof why->text, "%s: expected %s, got %s%s", which,
             letter_name(format->letter), object_name(object), misfit(object, format->letter));
    return MW_EFORMAT;
}

static mw_error wrong_count(size_t least, size_t most, bool has_rest, size_t count,
                            const char *what, mw_reason *why)
{
    const char *plural = most == 1 ? "" : "s";
    if (has_rest)
        snprintf(why->text, sizeof why->text, "expected at least %zu %s%s, got %zu", least, what,
                 least == 1 ? "" : "s", count);
    else if (least == most)
        snprintf(why->text, sizeof why->text, "expected %zu %s%s, got %zu", most, what, plural,
                 count);
    else
        snprintf(why->text, sizeof why->text, "expected %zu to %zu %s%s, got %zu", least, most,
                 what, plural, count);
    return MW_EFORMAT;
}

static bool is_name_known(const char *text, const msgpack_object *key)
{
    struct mwi_value_format format = {.at = text};
    while (mwi_value_format_next(&format))
        if (format.is_named && key->type == MSGPACK_OBJECT_STR &&
            key->via.str.size == format.name_size &&
            memcmp(key->via.str.ptr, format.name, format.name_size) == 0)
            return true;
    return false;
}

static mw_error check_names(const struct division *division, const char *what, mw_reason *why)
{
    for (uint32_t i = 0; division->named != NULL && i < division->named->size; i++) {
        const msgpack_object *key = &division->named->ptr[i].key;
        if (is_name_known(division->text, key))
            continue;
        if (key->type == MSGPACK_OBJECT_STR)
            snprintf(why->text, sizeof why->text, "there is no %s named \"%.*s\"", what,
                     (int)(key->via.str.size < 60 ? key->via.str.size : 60), key->via.str.ptr);
        else
            snprintf(why->text, sizeof why->text, "a %s is named by %s", what, object_name(key));
        return MW_EFORMAT;
    }
    return MW_OK;
}

static mw_error check_values(const struct mwi_values *values, const struct division *division,
                             const char *what, mw_reason *why)
{
    struct mwi_value_format format = {.at = division->text};
    size_t index = 0, least = 0;
    bool has_rest = false;
    while (mwi_value_format_next(&format)) {
        if (format.letter == '*') {
            has_rest = true;
            continue;
        }
        least += !format.is_named && !format.is_optional;
        const msgpack_object *object = item_value(values, division, &format, &index);
        if (object != NULL && format.letter != 'o' && !mwi_value_letter_fits(format.letter, object))
            return wrong_value(&format, object, what, index, why);
    }
    size_t count = division->positional_count;
    if (count < least || (count > index && !has_rest))
        return wrong_count(least, index, has_rest, count, what, why);
    return check_names(division, what, why);
}

/* Makes a NUL-terminated copy of each string that needs one, and points the string's object to the
 * copy, where set_outputs finds it. */
static bool terminate_strings(struct mwi_values *values, const struct division *division)
{
    struct mwi_value_format format = {.at = division->text};
    size_t index = 0;
    while (mwi_value_format_next(&format)) {
        if (format.letter == '*')
            continue;
        union {
            const msgpack_object *from;
            msgpack_object *to;
        } object = {item_value(values, division, &format, &index)};
        if (object.from == NULL || format.letter != 's')
            continue;
        char *copy = mwi_values_string(values, object.from->via.str.ptr, object.from->via.str.size);
        if (copy == NULL)
            return false;
        object.to->via.str.ptr = copy;
    }
    return true;
}

static void set_outputs(const struct mwi_values *values, const struct division *division,
                        va_list *arguments)
{
    struct mwi_value_format format = {.at = division->text};
    size_t index = 0;
    while (mwi_value_format_next(&format)) {
        if (format.letter == '*') {
            bool is_empty = index >= division->positional_count;
            *va_arg(*arguments, const msgpack_object **) =
                is_empty ? NULL : &values->objects[index];
            *va_arg(*arguments, size_t *) = is_empty ? 0 : division->positional_count - index;
        } else {
            const msgpack_object *object = item_value(values, division, &format, &index);
            if (object != NULL)
                mwi_value_letter_set(format.letter, object, arguments);
            else
                mwi_value_letter_skip(format.letter, arguments);
        }
    }
}

mw_error mwi_values_read(struct mwi_values *values, const char *what, const char *format,
                         va_list arguments, mw_reason *why)
{
    va_list rest;
    if (format == NULL)
        format = "";
    mw_error error = mwi_value_format_check(format, why);
    struct division division = divide(values, format);
    if (error == MW_OK)
        error = check_values(values, &division, what, why);
    if (error != MW_OK)
        return error;
    if (!terminate_strings(values, &division)) {
        snprintf(why->text, sizeof why->text, "out of memory");
        return MW_ENOMEM;
    }
    va_copy(rest, arguments);
    set_outputs(values, &division, &rest);
    va_end(rest);
    return MW_OK;
}

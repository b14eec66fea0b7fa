/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads and writes the JSON of the resource file with jansson. resource_file.c is the only caller.
 *
 * Invariants: a parsed resource keeps its JSON values alive (`owner`), since its strings belong to
 * them. mwi_resource_parse reads every text that mwi_resource_format writes. Reading is strict: a
 * slave that names the wrong field is easier to understand than one that starts on half of the
 * facts. jansson does not wipe its memory, so it never sees the key: the digits are taken out of
 * the text before it reads, and put in after it has written.
 *
 * To add a field, add a member of struct mwi_resource, a line in get_fields, a line in put_fields,
 * and its value in loop/announce.c. Slaves that do not know the field ignore it.
 */
#include "record/resource.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/utf8.h"
#include "record/private_file.h"

static const char *const status_names[MWI_COMPUTATION_STATUSES_COUNT] = {
    [MWI_COMPUTATION_IN_PROGRESS] = "in-progress",
    [MWI_COMPUTATION_FINISHED] = "finished",
    [MWI_COMPUTATION_FAILED] = "failed",
};

static const char *const encryption_names[MWI_ENCRYPTIONS_COUNT] = {
    [MWI_ENCRYPTION_TLS] = "tls",
    [MWI_ENCRYPTION_NONE] = "none",
};

/* Stands for the digits of the key while jansson has the text. */
static const char blank_digits[] =
    "0000000000000000000000000000000000000000000000000000000000000000";

#define KEY_DIGITS ((size_t)2 * MW_TCP_KEY_BYTES)
_Static_assert(sizeof blank_digits == KEY_DIGITS + 1, "as many digits as a key has");

/* The owner of the strings and lists of a parsed resource. */
struct owner {
    json_t *root;
    const char **shared_libraries;
    const char **slave_arguments;
    mw_tcp_key key;
    bool has_digits; /* the text has the digits of a key, and key.bytes is set */
};

/* A walk over the fields of a file, which ends at the first error. */
struct fields {
    json_t *root;
    const char *name;
    mw_reason *why;
    mw_error error;
};

static bool fail_field(struct fields *fields, mw_error error, const char *key, const char *problem)
{
    fields->error = mwi_private_file_fail(fields->why, error, MWI_RESOURCE_KIND, fields->name,
                                          "the field \"%s\" %s", key, problem);
    return false;
}

static bool fail_memory(struct fields *fields)
{
    fields->error = mwi_private_file_fail(fields->why, MW_ENOMEM, MWI_RESOURCE_KIND, fields->name,
                                          "out of memory");
    return false;
}

static bool find_field(struct fields *fields, const char *key, json_t **value)
{
    *value = json_object_get(fields->root, key);
    return *value != NULL || fail_field(fields, MW_EPROTOCOL, key, "is missing");
}

static bool get_string(struct fields *fields, const char *key, const char **string)
{
    json_t *value;
    if (!find_field(fields, key, &value))
        return false;
    *string = json_string_value(value);
    return *string != NULL || fail_field(fields, MW_EPROTOCOL, key, "is not a string");
}

static bool get_integer(struct fields *fields, const char *key, int64_t least, int64_t *integer)
{
    json_t *value;
    if (!find_field(fields, key, &value))
        return false;
    *integer = json_integer_value(value);
    if (json_is_integer(value) && *integer >= least)
        return true;
    return fail_field(fields, MW_EPROTOCOL, key,
                      least > 0 ? "is not a number from 1 up" : "is not a number from 0 up");
}

/* NaN is no number of seconds either. */
static bool is_seconds(double seconds)
{
    return seconds >= 0 && seconds < 1e15;
}

static bool get_seconds(struct fields *fields, const char *key, double *seconds)
{
    json_t *value;
    if (!find_field(fields, key, &value))
        return false;
    *seconds = json_number_value(value);
    return (json_is_number(value) && is_seconds(*seconds)) ||
           fail_field(fields, MW_EPROTOCOL, key, "is not a number of seconds");
}

static bool get_status(struct fields *fields, const char *key, enum mwi_computation_status *status)
{
    const char *name;
    if (!get_string(fields, key, &name))
        return false;
    for (int i = 0; i < MWI_COMPUTATION_STATUSES_COUNT; i++) {
        if (strcmp(name, status_names[i]) == 0) {
            *status = (enum mwi_computation_status)i;
            return true;
        }
    }
    return fail_field(fields, MW_EPROTOCOL, key, "is none of in-progress, finished and failed");
}

/* The list's pointers go to a block at *strings; the strings stay the JSON's. */
static bool get_list(struct fields *fields, const char *key, const char ***strings, size_t *count)
{
    json_t *list;
    if (!find_field(fields, key, &list))
        return false;
    if (!json_is_array(list))
        return fail_field(fields, MW_EPROTOCOL, key, "is not a list of strings");
    *count = json_array_size(list);
    *strings = malloc((*count + 1) * sizeof **strings);
    if (*strings == NULL)
        return fail_memory(fields);
    for (size_t i = 0; i < *count; i++) {
        (*strings)[i] = json_string_value(json_array_get(list, i));
        if ((*strings)[i] == NULL)
            return fail_field(fields, MW_EPROTOCOL, key, "is not a list of strings");
    }
    (*strings)[*count] = NULL;
    return true;
}

/* Host and port are both set, or both null. */
static bool get_address(struct fields *fields, const char **host, int *port)
{
    json_t *host_value, *port_value;
    if (!find_field(fields, "host", &host_value) || !find_field(fields, "port", &port_value))
        return false;
    *host = json_string_value(host_value);
    *port = 0;
    if (json_is_null(host_value) && json_is_null(port_value))
        return true;
    if (*host == NULL || **host == '\0')
        return fail_field(fields, MW_EPROTOCOL, "host", "is not a host's name or address");
    json_int_t number = json_integer_value(port_value);
    if (number < 1 || number > 65535)
        return fail_field(fields, MW_EPROTOCOL, "port", "is not a number from 1 to 65535");
    *port = (int)number;
    return true;
}

/* The field is missing in the files of older masters. */
static bool get_encryption(struct fields *fields, enum mwi_encryption *encryption)
{
    const char *name;
    if (json_object_get(fields->root, "encryption") == NULL)
        return true;
    if (!get_string(fields, "encryption", &name))
        return false;
    for (int i = 0; i < MWI_ENCRYPTIONS_COUNT; i++) {
        if (strcmp(name, encryption_names[i]) == 0) {
            *encryption = (enum mwi_encryption)i;
            return true;
        }
    }
    return fail_field(fields, MW_EPROTOCOL, "encryption", "is neither tls nor none");
}

static bool is_key_name(const char *name)
{
    size_t length = 0;
    while (name[length] > ' ' && name[length] <= '~')
        length++;
    return length > 0 && length < MW_TCP_KEY_NAME_BYTES && name[length] == '\0';
}

/* Both fields of the key are there, or none. The digits were taken out before. */
static bool get_key(struct fields *fields, struct owner *owner, const mw_tcp_key **key)
{
    const char *name, *digits;
    if (json_object_get(fields->root, "key") == NULL)
        return true;
    if (!get_string(fields, "key", &digits) || !get_string(fields, "key-name", &name))
        return false;
    if (!owner->has_digits || strcmp(digits, blank_digits) != 0)
        return fail_field(fields, MW_EPROTOCOL, "key", "is not 64 hexadecimal digits");
    if (!is_key_name(name))
        return fail_field(fields, MW_EPROTOCOL, "key-name", "is not a name of 1 to 63 letters");
    memcpy(owner->key.name, name, strlen(name) + 1);
    *key = &owner->key;
    return true;
}

static bool get_fields(struct fields *fields, struct mwi_resource *resource, struct owner *owner)
{
    return get_integer(fields, "protocol-version", 1, &resource->protocol_version) &&
           get_status(fields, "computation-status", &resource->computation_status) &&
           get_integer(fields, "timestamp", 0, &resource->timestamp_s) &&
           get_string(fields, "member-id", &resource->member_id) &&
           get_seconds(fields, "update-interval", &resource->update_interval_s) &&
           get_integer(fields, "slaves-needed", 0, &resource->slaves_needed) &&
           get_string(fields, "slave-executable", &resource->slave_executable) &&
           get_list(fields, "shared-libraries", &owner->shared_libraries,
                    &resource->shared_libraries_count) &&
           get_list(fields, "slave-arguments", &owner->slave_arguments,
                    &resource->slave_arguments_count) &&
           get_string(fields, "transport", &resource->transport) &&
           get_address(fields, &resource->host, &resource->port) &&
           get_integer(fields, "pid", 1, &resource->pid) &&
           get_encryption(fields, &resource->encryption) && get_key(fields, owner, &resource->key);
}

static void destroy_owner(struct owner *owner)
{
    json_decref(owner->root);
    free(owner->shared_libraries);
    free(owner->slave_arguments);
    mwi_secret_wipe(owner, sizeof *owner);
    free(owner);
}

/* The index of the closing quote of the string that is opened at `begin`; `size` if there is none.
 */
static size_t end_of_string(const char *data, size_t size, size_t begin)
{
    for (size_t i = begin + 1; i < size; i++) {
        if (data[i] == '"')
            return i;
        if (data[i] == '\\')
            i++;
    }
    return size;
}

static size_t skip_blanks(const char *data, size_t size, size_t begin)
{
    while (begin < size && data[begin] != '\0' && strchr(" \t\r\n", data[begin]) != NULL)
        begin++;
    return begin;
}

/* Whether the string between these two quotes is the name "key" of a field. If its value is a
 * string, *value and *value_end become the places of that string's quotes. */
static bool is_key_field(const char *data, size_t size, size_t begin, size_t end, size_t *value,
                         size_t *value_end)
{
    static const char name[] = "\"key";
    if (end - begin != sizeof name - 1 || memcmp(data + begin, name, sizeof name - 1) != 0)
        return false;
    size_t colon = skip_blanks(data, size, end + 1);
    if (colon >= size || data[colon] != ':')
        return false;
    *value = skip_blanks(data, size, colon + 1);
    if (*value >= size || data[*value] != '"')
        return false;
    *value_end = end_of_string(data, size, *value);
    return true;
}

/* Finds the value of the field "key" of the outermost object: *size_found bytes behind the result,
 * also if the text ends in the middle of it. NULL: there is none. */
static char *find_digits(char *data, size_t size, size_t *size_found)
{
    size_t value, value_end;
    int depth = 0;
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '"') {
            size_t end = end_of_string(data, size, i);
            if (depth == 1 && end < size && is_key_field(data, size, i, end, &value, &value_end)) {
                *size_found = value_end - value - 1;
                return data + value + 1;
            }
            i = end;
        } else if (data[i] == '{' || data[i] == '[') {
            depth++;
        } else if (data[i] == '}' || data[i] == ']') {
            depth--;
        }
    }
    return NULL;
}

/* Moves the digits of the key from the text to the owner. */
static void take_digits(struct owner *owner, char *data, size_t size)
{
    size_t found;
    char *digits = find_digits(data, size, &found);
    if (digits == NULL)
        return;
    owner->has_digits =
        found == KEY_DIGITS && mwi_secret_from_hex(digits, owner->key.bytes, MW_TCP_KEY_BYTES);
    memset(digits, '0', found);
}

/* jansson has a text for each fault of the input, but not always one for lack of memory. */
static bool is_memory_error(const json_error_t *error)
{
    return json_error_code(error) == json_error_out_of_memory || error->text[0] == '\0';
}

/* Without the quotation of the place, which may be a part of the key. */
static size_t length_of_cause(const char *text)
{
    const char *place = strstr(text, " near ");
    return place == NULL ? strlen(text) : (size_t)(place - text);
}

/* The caller releases *root, after an error too. */
static mw_error load_json(const void *data, size_t size, const char *name, json_t **root,
                          mw_reason *why)
{
    if (size > MWI_RESOURCE_BYTES_MAX)
        return mwi_private_file_fail(why, MW_EPROTOCOL, MWI_RESOURCE_KIND, name,
                                     "it is larger than %d bytes", MWI_RESOURCE_BYTES_MAX);
    json_error_t error = {.line = 0};
    *root = json_loadb(data, size, JSON_REJECT_DUPLICATES, &error);
    if (*root == NULL && is_memory_error(&error))
        return mwi_private_file_fail(why, MW_ENOMEM, MWI_RESOURCE_KIND, name, "out of memory");
    if (*root == NULL)
        return mwi_private_file_fail(why, MW_EPROTOCOL, MWI_RESOURCE_KIND, name,
                                     "it is not JSON: line %d: %.*s", error.line,
                                     (int)length_of_cause(error.text), error.text);
    if (json_is_object(*root))
        return MW_OK;
    return mwi_private_file_fail(why, MW_EPROTOCOL, MWI_RESOURCE_KIND, name,
                                 "it is not a JSON object");
}

mw_error mwi_resource_parse(char *data, size_t size, const char *name,
                            struct mwi_resource *resource, mw_reason *why)
{
    struct owner *owner = calloc(1, sizeof *owner);
    if (owner == NULL)
        return mwi_private_file_fail(why, MW_ENOMEM, MWI_RESOURCE_KIND, name, "out of memory");
    take_digits(owner, data, size);
    mw_error error = load_json(data, size, name, &owner->root, why);
    if (error != MW_OK) {
        destroy_owner(owner);
        return error;
    }
    struct fields fields = {.root = owner->root, .name = name, .why = why};
    struct mwi_resource parsed = {.owner = owner};
    if (!get_fields(&fields, &parsed, owner)) {
        destroy_owner(owner);
        return fields.error;
    }
    parsed.shared_libraries = owner->shared_libraries;
    parsed.slave_arguments = owner->slave_arguments;
    *resource = parsed;
    return MW_OK;
}

void mwi_resource_fini(struct mwi_resource *resource)
{
    if (resource->owner != NULL)
        destroy_owner(resource->owner);
    *resource = (struct mwi_resource){.owner = NULL};
}

/* Takes and adds a value. jansson returns NULL for it when it is out of memory. */
static bool put_value(struct fields *fields, const char *key, json_t *value)
{
    return json_object_set_new(fields->root, key, value) == 0 || fail_memory(fields);
}

static bool put_string(struct fields *fields, const char *key, const char *string)
{
    if (string == NULL)
        return fail_field(fields, MW_EINVAL, key, "is missing");
    if (!mwi_utf8_is_valid(string))
        return fail_field(fields, MW_EINVAL, key, "is not UTF-8, and cannot be written");
    return put_value(fields, key, json_string(string));
}

static bool put_integer(struct fields *fields, const char *key, int64_t least, int64_t integer)
{
    if (integer < least)
        return fail_field(fields, MW_EINVAL, key, "is too small");
    return put_value(fields, key, json_integer(integer));
}

static bool put_seconds(struct fields *fields, const char *key, double seconds)
{
    if (!is_seconds(seconds))
        return fail_field(fields, MW_EINVAL, key, "is not a number of seconds");
    json_int_t whole = (json_int_t)seconds;
    return put_value(fields, key,
                     seconds > (double)whole ? json_real(seconds) : json_integer(whole));
}

static bool put_list(struct fields *fields, const char *key, const char *const *strings,
                     size_t count)
{
    json_t *list = json_array();
    if (!put_value(fields, key, list))
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!mwi_utf8_is_valid(strings[i]))
            return fail_field(fields, MW_EINVAL, key, "is not UTF-8, and cannot be written");
        if (json_array_append_new(list, json_string(strings[i])) != 0)
            return fail_memory(fields);
    }
    return true;
}

static bool put_address(struct fields *fields, const char *host, int port)
{
    if (host == NULL && port == 0)
        return put_value(fields, "host", json_null()) && put_value(fields, "port", json_null());
    if (host != NULL && *host == '\0')
        return fail_field(fields, MW_EINVAL, "host", "is empty");
    if (port < 1 || port > 65535)
        return fail_field(fields, MW_EINVAL, "port", "is not a number from 1 to 65535");
    return put_string(fields, "host", host) && put_integer(fields, "port", 1, port);
}

static bool put_key(struct fields *fields, const mw_tcp_key *key)
{
    if (key == NULL)
        return true;
    if (!is_key_name(key->name))
        return fail_field(fields, MW_EINVAL, "key-name", "is not a name of 1 to 63 letters");
    return put_string(fields, "key-name", key->name) && put_string(fields, "key", blank_digits);
}

static bool put_fields(struct fields *fields, const struct mwi_resource *resource)
{
    return put_string(fields, "computation-status", status_names[resource->computation_status]) &&
           put_integer(fields, "timestamp", 0, resource->timestamp_s) &&
           put_string(fields, "member-id", resource->member_id) &&
           put_seconds(fields, "update-interval", resource->update_interval_s) &&
           put_integer(fields, "slaves-needed", 0, resource->slaves_needed) &&
           put_string(fields, "slave-executable", resource->slave_executable) &&
           put_list(fields, "shared-libraries", resource->shared_libraries,
                    resource->shared_libraries_count) &&
           put_list(fields, "slave-arguments", resource->slave_arguments,
                    resource->slave_arguments_count) &&
           put_string(fields, "transport", resource->transport) &&
           put_address(fields, resource->host, resource->port) &&
           put_integer(fields, "pid", 1, resource->pid) &&
           put_integer(fields, "protocol-version", 1, resource->protocol_version) &&
           put_string(fields, "encryption", encryption_names[resource->encryption]) &&
           put_key(fields, resource->key);
}

static mw_error dump_root(const json_t *root, const char *name, struct mwi_secret *text,
                          mw_reason *why)
{
    const size_t flags = JSON_INDENT(2) | JSON_REAL_PRECISION(12);
    struct mwi_secret dumped = {.data = NULL};
    size_t size = json_dumpb(root, NULL, 0, flags);
    if (size >= MWI_RESOURCE_BYTES_MAX)
        return mwi_private_file_fail(why, MW_ETOOBIG, MWI_RESOURCE_KIND, name,
                                     "it would be larger than %d bytes", MWI_RESOURCE_BYTES_MAX);
    if (size == 0 || !mwi_secret_init(&dumped, size + 2) ||
        json_dumpb(root, dumped.data, size, flags) != size) {
        mwi_secret_fini(&dumped);
        return mwi_private_file_fail(why, MW_ENOMEM, MWI_RESOURCE_KIND, name, "out of memory");
    }
    memcpy((char *)dumped.data + size, "\n", 2);
    *text = dumped;
    return MW_OK;
}

static void give_digits(const mw_tcp_key *key, char *text)
{
    size_t found;
    char *digits = find_digits(text, strlen(text), &found);
    assert(digits != NULL && found == KEY_DIGITS);
    mwi_secret_to_hex(key->bytes, MW_TCP_KEY_BYTES, digits);
}

mw_error mwi_resource_format(const struct mwi_resource *resource, const char *name,
                             struct mwi_secret *text, mw_reason *why)
{
    struct fields fields = {.root = json_object(), .name = name, .why = why};
    if (fields.root == NULL)
        return mwi_private_file_fail(why, MW_ENOMEM, MWI_RESOURCE_KIND, name, "out of memory");
    mw_error error =
        put_fields(&fields, resource) ? dump_root(fields.root, name, text, why) : fields.error;
    json_decref(fields.root);
    if (error == MW_OK && resource->key != NULL)
        give_digits(resource->key, text->data);
    return error;
}

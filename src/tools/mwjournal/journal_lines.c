/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes JSON of a journal's records with jansson. Values become JSON values. JSON has no raw bytes,
 * and no strings that are not UTF-8: these are objects with a field base64.
 *
 * Another kind of record is a case in journal_lines_write.
 */
#include "journal_lines.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <msgpack.h>

#include "record/checkpoint_items.h"
#include "record/checkpoint_log.h"
#include "record/journal_items.h"
#include "wire/message.h"

static bool write_line(FILE *out, json_t *line)
{
    bool is_written =
        line != NULL && json_dumpf(line, out, JSON_COMPACT) == 0 && fputc('\n', out) != EOF;
    json_decref(line);
    return is_written;
}

static json_t *base64_of(const unsigned char *data, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = malloc((size + 2) / 3 * 4 + 1), *end = text;
    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < size; i += 3) {
        unsigned bits = (unsigned)data[i] << 16 | (i + 1 < size ? (unsigned)data[i + 1] << 8 : 0) |
                        (i + 2 < size ? data[i + 2] : 0);
        *end++ = digits[bits >> 18];
        *end++ = digits[bits >> 12 & 63];
        *end++ = i + 1 < size ? digits[bits >> 6 & 63] : '=';
        *end++ = i + 2 < size ? digits[bits & 63] : '=';
    }
    json_t *object = json_pack("{s:s#}", "base64", text, (size_t)(end - text));
    free(text);
    return object;
}

/* A string if the bytes are UTF-8. */
static json_t *text_of(const void *data, size_t size)
{
    json_t *text = json_stringn(data, size);
    return text != NULL ? text : base64_of(data, size);
}

static json_t *value_of(const msgpack_object *object);

static json_t *array_of(const msgpack_object_array *array)
{
    json_t *values = json_array();
    for (uint32_t i = 0; i < array->size; i++)
        json_array_append_new(values, value_of(&array->ptr[i]));
    return values;
}

/* JSON's objects have strings as keys, msgpack's maps anything: so a map is an array of pairs if a
 * key is no string. */
static json_t *map_of(const msgpack_object_map *map)
{
    json_t *pairs = json_array(), *object = json_object();
    bool has_names = true;
    for (uint32_t i = 0; i < map->size; i++) {
        const msgpack_object *key = &map->ptr[i].key;
        json_t *value = value_of(&map->ptr[i].val);
        json_array_append_new(pairs, json_pack("[o, O]", value_of(key), value));
        has_names = has_names && key->type == MSGPACK_OBJECT_STR &&
                    json_object_setn(object, key->via.str.ptr, key->via.str.size, value) == 0;
        json_decref(value);
    }
    json_decref(has_names ? pairs : object);
    return has_names ? object : pairs;
}

static json_t *value_of(const msgpack_object *object)
{
    switch (object->type) {
    case MSGPACK_OBJECT_NIL:
        return json_null();
    case MSGPACK_OBJECT_BOOLEAN:
        return json_boolean(object->via.boolean);
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        if (object->via.u64 > INT64_MAX)
            return json_real((double)object->via.u64);
        return json_integer((json_int_t)object->via.u64);
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return json_integer(object->via.i64);
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64: {
        json_t *number = json_real(object->via.f64);
        return number != NULL ? number : json_null(); /* not finite */
    }
    case MSGPACK_OBJECT_STR:
        return text_of(object->via.str.ptr, object->via.str.size);
    case MSGPACK_OBJECT_ARRAY:
        return array_of(&object->via.array);
    case MSGPACK_OBJECT_MAP:
        return map_of(&object->via.map);
    case MSGPACK_OBJECT_BIN:
        return base64_of((const unsigned char *)object->via.bin.ptr, object->via.bin.size);
    case MSGPACK_OBJECT_EXT:
        break;
    }
    return base64_of((const unsigned char *)object->via.ext.ptr, object->via.ext.size);
}

/* A sequence of values as an array, or the bytes if they are no values. */
static json_t *values_of(const unsigned char *data, size_t size)
{
    json_t *values = json_array();
    msgpack_unpacked unpacked;
    msgpack_unpack_return status = MSGPACK_UNPACK_SUCCESS;
    size_t offset = 0;
    msgpack_unpacked_init(&unpacked);
    while (offset < size && status == MSGPACK_UNPACK_SUCCESS) {
        status = msgpack_unpack_next(&unpacked, (const char *)data, size, &offset);
        if (status == MSGPACK_UNPACK_SUCCESS)
            json_array_append_new(values, value_of(&unpacked.data));
    }
    msgpack_unpacked_destroy(&unpacked);
    if (status == MSGPACK_UNPACK_SUCCESS)
        return values;
    json_decref(values);
    return base64_of(data, size);
}

static json_t *payload_of(uint8_t form, const unsigned char *data, size_t size)
{
    switch (form) {
    case MWI_PAYLOAD_VALUES:
        return values_of(data, size);
    case MWI_PAYLOAD_FAILED:
        return text_of(data, size);
    default:
        return base64_of(data, size);
    }
}

static const char *form_name(uint8_t form)
{
    return form == MWI_PAYLOAD_VALUES ? "values" : form == MWI_PAYLOAD_FAILED ? "failure" : "bytes";
}

static json_t *hexadecimal(uint64_t high, uint64_t low, bool is_long)
{
    char digits[33];
    if (is_long)
        snprintf(digits, sizeof digits, "%016" PRIx64 "%016" PRIx64, high, low);
    else
        snprintf(digits, sizeof digits, "%016" PRIx64, low);
    return json_string(digits);
}

static json_t *key_of(struct mwi_digest key)
{
    return hexadecimal(key.high, key.low, true);
}

static bool write_results(FILE *out, const struct mwi_journal_record *record)
{
    struct mwi_journal_cursor cursor;
    struct mwi_journal_result result;
    mwi_journal_items_open_results(&cursor, record->body, record->size);
    while (mwi_journal_items_next(&cursor, &result)) {
        json_t *line = json_pack("{s:s, s:o, s:I, s:o, s:o, s:f, s:s, s:o}", "kind", "result",
                                 "run", hexadecimal(0, cursor.run, false), "task",
                                 (json_int_t)result.id, "key", key_of(result.key), "algorithm",
                                 text_of(cursor.algorithm.data, cursor.algorithm.size), "seconds",
                                 (double)result.duration_ns / 1e9, "form", form_name(result.form),
                                 "data", payload_of(result.form, result.data, result.size));
        if (!write_line(out, line))
            return false;
    }
    return true;
}

static bool write_run(FILE *out, const struct mwi_journal_record *record)
{
    struct mwi_journal_run run;
    if (!mwi_journal_items_read_run(&run, record->body, record->size))
        return true;
    const struct mwi_journal_identity *identity = &run.identity;
    return write_line(
        out, json_pack("{s:s, s:o, s:f, s:I, s:o, s:o, s:o, s:o}", "kind", "run", "run",
                       hexadecimal(0, run.number, false), "time", (double)run.wall_ns / 1e9, "pid",
                       (json_int_t)run.pid, "host", text_of(run.host.data, run.host.size),
                       "algorithms", text_of(identity->names.data, identity->names.size),
                       "arguments", text_of(identity->arguments.data, identity->arguments.size),
                       "version", text_of(identity->version.data, identity->version.size)));
}

static bool write_saved(FILE *out, const struct mwi_journal_record *record)
{
    struct mwi_journal_saved saved;
    if (!mwi_journal_items_read_saved(&saved, record->body, record->size))
        return true;
    return write_line(out, json_pack("{s:s, s:o, s:I, s:o, s:o}", "kind", "saved", "run",
                                     hexadecimal(0, saved.run, false), "task", (json_int_t)saved.id,
                                     "key", key_of(saved.key), "data",
                                     base64_of(saved.data, saved.size)));
}

/* The task was sent, or given back. */
static bool write_begun(FILE *out, const char *kind, const struct mwi_journal_record *record)
{
    struct mwi_journal_saved begun;
    if (!mwi_journal_items_read_saved(&begun, record->body, record->size))
        return true;
    return write_line(out, json_pack("{s:s, s:o, s:I, s:o}", "kind", kind, "run",
                                     hexadecimal(0, begun.run, false), "task", (json_int_t)begun.id,
                                     "key", key_of(begun.key)));
}

static bool write_sent(FILE *out, const struct mwi_journal_record *record)
{
    json_t *parts = json_array();
    uint64_t part;
    for (size_t i = 0; mwi_journal_items_read_part(&part, record->body, record->size, i); i++)
        json_array_append_new(parts, hexadecimal(0, part, false));
    return write_line(out, json_pack("{s:s, s:o}", "kind", "sent", "parts", parts));
}

static bool write_known(FILE *out, const struct mwi_journal_record *record)
{
    struct mwi_journal_known known;
    for (size_t i = 0; mwi_journal_items_read_known(&known, record->body, record->size, i); i++) {
        json_t *line = json_pack("{s:s, s:o, s:I, s:I}", "kind", "known", "run",
                                 hexadecimal(0, known.run, false), "first", (json_int_t)known.first,
                                 "last", (json_int_t)known.last);
        if (!write_line(out, line))
            return false;
    }
    return true;
}

static const char *fate_name(enum mwi_checkpoint_fate fate)
{
    switch (fate) {
    case MWI_CHECKPOINT_DONE:
        return "done";
    case MWI_CHECKPOINT_FAILED:
        return "failed";
    case MWI_CHECKPOINT_UNRUNNABLE:
        return "unrunnable";
    case MWI_CHECKPOINT_OUT:
        break;
    }
    return "out";
}

static json_t *payload_of_item(const struct mwi_checkpoint_item *item)
{
    if (item->fate == MWI_CHECKPOINT_FAILED)
        return text_of(item->data, item->size);
    return item->is_bytes ? base64_of(item->data, item->size) : values_of(item->data, item->size);
}

static bool write_tasks(FILE *out, const struct mwi_journal_record *record)
{
    struct mwi_checkpoint_reader reader;
    struct mwi_checkpoint_item item;
    mwi_checkpoint_items_open(&reader, record->body, record->size);
    while (mwi_checkpoint_items_next(&reader, &item)) {
        json_t *tag =
            item.tag_data == NULL ? json_integer(item.tag) : text_of(item.tag_data, item.tag_size);
        json_t *line = json_pack("{s:s, s:I, s:s, s:o, s:o, s:o}", "kind", "task", "task",
                                 (json_int_t)item.id, "fate", fate_name(item.fate), "algorithm",
                                 text_of(reader.algorithm, reader.algorithm_size), "tag", tag,
                                 "data", payload_of_item(&item));
        if (item.fate == MWI_CHECKPOINT_UNRUNNABLE)
            json_object_set_new(line, "message", text_of(item.text, item.text_size));
        if (!write_line(out, line))
            return false;
    }
    return true;
}

static bool write_gone(FILE *out, const struct mwi_journal_record *record)
{
    json_t *tasks = json_array();
    uint64_t id;
    for (size_t i = 0; (id = mwi_checkpoint_items_id(record->body, record->size, i)) != 0; i++)
        json_array_append_new(tasks, json_integer((json_int_t)id));
    return write_line(out, json_pack("{s:s, s:o}", "kind", "gone", "tasks", tasks));
}

static bool write_taken(FILE *out, const struct mwi_journal_record *record)
{
    json_t *keys = json_array();
    struct mwi_digest key;
    for (size_t i = 0; mwi_journal_items_read_key(&key, record->body, record->size, i); i++)
        json_array_append_new(keys, key_of(key));
    return write_line(out, json_pack("{s:s, s:o}", "kind", "taken", "keys", keys));
}

static bool write_checkpoint(FILE *out, const struct mwi_journal_record *record)
{
    if (record->size < MWI_CHECKPOINT_HEAD_BYTES)
        return true;
    return write_line(out, json_pack("{s:s, s:o}", "kind", "checkpoint", "data",
                                     base64_of(record->body + MWI_CHECKPOINT_HEAD_BYTES,
                                               record->size - MWI_CHECKPOINT_HEAD_BYTES)));
}

bool journal_lines_write(FILE *out, const struct mwi_journal_record *record)
{
    switch (record->kind) {
    case MWI_JOURNAL_RUN:
        return write_run(out, record);
    case MWI_JOURNAL_RESULTS:
        return write_results(out, record);
    case MWI_JOURNAL_SAVED:
        return write_saved(out, record);
    case MWI_JOURNAL_BEGUN:
        return write_begun(out, "begun", record);
    case MWI_JOURNAL_UNBEGUN:
        return write_begun(out, "unbegun", record);
    case MWI_JOURNAL_SENT:
        return write_sent(out, record);
    case MWI_JOURNAL_KNOWN:
        return write_known(out, record);
    case MWI_JOURNAL_TASKS:
        return write_tasks(out, record);
    case MWI_JOURNAL_GONE:
        return write_gone(out, record);
    case MWI_JOURNAL_TAKEN:
        return write_taken(out, record);
    case MWI_JOURNAL_STATE:
        return write_checkpoint(out, record);
    default:
        return true;
    }
}

bool journal_lines_write_damage(FILE *out, uint64_t offset)
{
    return write_line(out, json_pack("{s:s, s:I}", "kind", "damage", "offset", (json_int_t)offset));
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes and reads records, as journal_form.h lays them out; LevelDB's log has shown the way. A
 * record is copied into a fragment and from there to the disk's queue, so writing makes no system
 * call. Reading takes a block at a time.
 *
 * Invariants: a reader gives out a record only if the checksums of all its fragments are right and
 * they follow each other. After a bad fragment it goes on at the next one that is sound, which it
 * looks for at each byte: lengths of a bad one are not trusted. Nothing in a file can make it read
 * beyond a block, or take more memory than the file has bytes.
 *
 * A new kind of record is an enumerator; whoever does not know it passes it over.
 */
#include "record/journal_form.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"

#define HEADER_BYTES MWI_JOURNAL_HEADER_BYTES
#define CHECKED_FROM 8
/* A new file is made longer by less than this before its first bytes are written. */
#define VOID_BYTES_MAX ((uint64_t)64 << 20)
/* More blocks than these are not asked for the file's number. */
#define ASKED_BLOCKS_MAX 1024
#define COPY_BYTES 16
/* Of a sentence; a path has what its text leaves. */
#define PATH_BYTES_MAX ((size_t)200)
#define TEXT_BYTES_MAX ((size_t)400)
static const char magic[8] = "mwjrnl03";

enum part { PART_WHOLE = 1, PART_FIRST, PART_MIDDLE, PART_LAST };

mw_error mwi_journal_form_fail(mw_reason *why, const char *path, mw_error error, const char *text)
{
    mw_reason sentence;
    size_t text_size = strnlen(text, TEXT_BYTES_MAX), left = sizeof sentence.text - 3 - text_size;
    snprintf(sentence.text, sizeof sentence.text, "%.*s: %.*s",
             (int)(left < PATH_BYTES_MAX ? left : PATH_BYTES_MAX), path, (int)text_size, text);
    *why = sentence;
    return error;
}

static void put_number(unsigned char *to, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (unsigned char)(number >> 8 * i);
}

static uint64_t get_number(const unsigned char *from, size_t bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; i++)
        number |= (uint64_t)from[i] << 8 * i;
    return number;
}

/* The checksum of a fragment with `size` bytes behind its header. */
static uint64_t checksum_of(const unsigned char *fragment, size_t size, uint64_t file_id,
                            uint64_t offset)
{
    return mwi_digest_64(file_id ^ offset, fragment + CHECKED_FROM,
                         HEADER_BYTES - CHECKED_FROM + size);
}

void mwi_journal_form_begin(const struct mwi_disk_api *api, void *disk, uint64_t file_id)
{
    unsigned char begin[MWI_JOURNAL_BEGIN_BYTES];
    assert(api->size(disk) % MWI_JOURNAL_BLOCK_BYTES == 0);
    for (size_t at = 0; at < sizeof begin; at += COPY_BYTES) {
        memcpy(begin + at, magic, sizeof magic);
        put_number(begin + at + sizeof magic, file_id, 8);
    }
    api->append(disk, begin, sizeof begin);
}

static bool is_zero(const unsigned char *data, size_t size)
{
    return size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

/* Whether the first bytes of a file are the beginning of `magic`, and zeros behind that, or no more
 * than a part of the beginning. */
static bool is_begun(const unsigned char *data, size_t size)
{
    size_t kept = size < sizeof magic ? size : sizeof magic;
    bool is_rest_zero = size < MWI_JOURNAL_BEGIN_BYTES || is_zero(data + kept, size - kept);
    while (kept > 0 && data[kept - 1] == 0)
        kept--;
    return is_rest_zero && memcmp(data, magic, kept) == 0;
}

mw_error mwi_journal_form_is_void(const struct mwi_disk_api *api, void *disk, bool *is_void,
                                  mw_reason *why)
{
    uint64_t size = api->size(disk);
    unsigned char *bytes = malloc(MWI_JOURNAL_BLOCK_BYTES);
    mw_error error = MW_OK;
    *is_void = size <= VOID_BYTES_MAX;
    if (bytes == NULL) {
        snprintf(why->text, sizeof why->text, "out of memory");
        return MW_ENOMEM;
    }
    for (uint64_t at = 0; *is_void && error == MW_OK && at < size; at += MWI_JOURNAL_BLOCK_BYTES) {
        uint64_t left = size - at;
        size_t part = left < MWI_JOURNAL_BLOCK_BYTES ? (size_t)left : MWI_JOURNAL_BLOCK_BYTES;
        error = api->read(disk, at, bytes, part, why);
        *is_void = error == MW_OK && (at == 0 ? is_begun(bytes, part) : is_zero(bytes, part));
    }
    free(bytes);
    return error;
}

static void append_zeros(struct mwi_journal_writer *writer, size_t size)
{
    static const unsigned char zeros[4096];
    for (size_t part; size > 0; size -= part) {
        part = size < sizeof zeros ? size : sizeof zeros;
        writer->api->append(writer->disk, zeros, part);
    }
}

/* How many bytes are left in the block that the disk ends in. */
static size_t room_in_block(const struct mwi_journal_writer *writer)
{
    return MWI_JOURNAL_BLOCK_BYTES -
           (size_t)(writer->api->size(writer->disk) % MWI_JOURNAL_BLOCK_BYTES);
}

void mwi_journal_writer_init(struct mwi_journal_writer *writer, const struct mwi_disk_api *api,
                             void *disk, uint64_t file_id)
{
    *writer = (struct mwi_journal_writer){.api = api, .disk = disk, .file_id = file_id};
    mwi_buffer_init(&writer->fragment);
    if (api->size(disk) > MWI_JOURNAL_BEGIN_BYTES &&
        room_in_block(writer) < MWI_JOURNAL_BLOCK_BYTES)
        append_zeros(writer, room_in_block(writer));
}

/* Leaves a block that has no room for a fragment, and begins the next one. */
static void find_room(struct mwi_journal_writer *writer)
{
    if (room_in_block(writer) < HEADER_BYTES)
        append_zeros(writer, room_in_block(writer));
    if (room_in_block(writer) == MWI_JOURNAL_BLOCK_BYTES)
        mwi_journal_form_begin(writer->api, writer->disk, writer->file_id);
}

void mwi_journal_writer_fini(struct mwi_journal_writer *writer)
{
    mwi_buffer_fini(&writer->fragment);
}

/* The place in the pieces from which the next fragment takes its bytes. */
struct place {
    const struct mwi_journal_piece *piece;
    size_t at;
};

static void append_pieces(struct mwi_buffer *to, struct place *place, size_t size)
{
    while (size > 0) {
        size_t left = place->piece->size - place->at;
        size_t part = left < size ? left : size;
        if (part > 0)
            mwi_buffer_append(to, (const unsigned char *)place->piece->data + place->at, part);
        place->at += part;
        size -= part;
        if (place->at == place->piece->size)
            *place = (struct place){place->piece + 1, 0};
    }
}

static void write_fragment(struct mwi_journal_writer *writer, enum mwi_journal_kind kind,
                           enum part part, struct place *place, size_t size)
{
    struct mwi_buffer *fragment = &writer->fragment;
    unsigned char header[HEADER_BYTES] = {0};
    put_number(header + 8, size, 4);
    header[12] = (unsigned char)kind;
    header[13] = (unsigned char)part;
    mwi_buffer_clear(fragment);
    mwi_buffer_append(fragment, header, sizeof header);
    append_pieces(fragment, place, size);
    writer->has_failed = writer->has_failed || fragment->has_failed;
    if (writer->has_failed)
        return;
    uint64_t offset = writer->api->size(writer->disk);
    put_number(fragment->data, checksum_of(fragment->data, size, writer->file_id, offset), 8);
    writer->api->append(writer->disk, fragment->data, fragment->size);
}

uint64_t mwi_journal_write(struct mwi_journal_writer *writer, enum mwi_journal_kind kind,
                           const struct mwi_journal_piece *pieces, size_t count)
{
    struct place place = {pieces, 0};
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        left += pieces[i].size;
    find_room(writer);
    uint64_t begin = writer->api->size(writer->disk);
    for (bool is_first = true; is_first || left > 0; is_first = false) {
        size_t room = room_in_block(writer) - HEADER_BYTES;
        size_t size = left < room ? left : room;
        left -= size;
        write_fragment(writer, kind,
                       is_first    ? (left == 0 ? PART_WHOLE : PART_FIRST)
                       : left == 0 ? PART_LAST
                                   : PART_MIDDLE,
                       &place, size);
        if (writer->has_failed)
            break;
        if (left > 0)
            find_room(writer);
    }
    return begin;
}

bool mwi_journal_reader_init(struct mwi_journal_reader *reader, const struct mwi_disk_api *api,
                             void *disk, uint64_t file_id)
{
    *reader = (struct mwi_journal_reader){.api = api,
                                          .disk = disk,
                                          .file_id = file_id,
                                          .end_bytes = api->size(disk),
                                          .at = MWI_JOURNAL_BEGIN_BYTES,
                                          .sound_bytes = MWI_JOURNAL_BEGIN_BYTES,
                                          .block = malloc(MWI_JOURNAL_BLOCK_BYTES)};
    mwi_buffer_init(&reader->record);
    return reader->block != NULL;
}

void mwi_journal_reader_fini(struct mwi_journal_reader *reader)
{
    mwi_buffer_fini(&reader->record);
    free(reader->block);
    reader->block = NULL;
}

void mwi_journal_reader_seek(struct mwi_journal_reader *reader, uint64_t offset)
{
    uint64_t begin = offset - offset % MWI_JOURNAL_BLOCK_BYTES;
    if (begin != reader->block_begin)
        reader->block_size = 0;
    reader->block_begin = begin;
    reader->at = (size_t)(offset - begin);
    reader->is_in_record = false;
}

static mw_error load_block(struct mwi_journal_reader *reader, mw_reason *why)
{
    uint64_t left = reader->end_bytes - reader->block_begin;
    size_t size = left < MWI_JOURNAL_BLOCK_BYTES ? (size_t)left : MWI_JOURNAL_BLOCK_BYTES;
    mw_error error = reader->api->read(reader->disk, reader->block_begin, reader->block, size, why);
    if (error == MW_OK)
        reader->block_size = size;
    return error;
}

static void skip_block(struct mwi_journal_reader *reader)
{
    reader->block_begin += MWI_JOURNAL_BLOCK_BYTES;
    reader->block_size = 0;
    reader->at = MWI_JOURNAL_BEGIN_BYTES;
}

/* Whether there is a sound fragment at the reader's place. */
static bool is_sound(const struct mwi_journal_reader *reader, size_t *size)
{
    const unsigned char *fragment = reader->block + reader->at;
    if (reader->block_size - reader->at < HEADER_BYTES)
        return false;
    *size = (size_t)get_number(fragment + 8, 4);
    return *size <= reader->block_size - reader->at - HEADER_BYTES && fragment[13] >= PART_WHOLE &&
           fragment[13] <= PART_LAST && fragment[14] == 0 && fragment[15] == 0 &&
           get_number(fragment, 8) ==
               checksum_of(fragment, *size, reader->file_id, reader->block_begin + reader->at);
}

/* Moves the reader to the next sound fragment of its block; false if there is none. */
static bool find_sound(struct mwi_journal_reader *reader)
{
    size_t size;
    while (reader->at < reader->block_size && !is_sound(reader, &size))
        reader->at++;
    return reader->at < reader->block_size;
}

/* The things that can be at the reader's place. */
enum finding { FOUND_FRAGMENT, FOUND_DAMAGE, FOUND_NOTHING };

/* Looks at the place, and leaves a block that has no more. `offset` is where damage is. */
static enum finding look(struct mwi_journal_reader *reader, size_t *size, uint64_t *offset)
{
    const unsigned char *here = reader->block + reader->at;
    size_t left = reader->block_size - reader->at;
    *offset = reader->block_begin + reader->at;
    if (is_sound(reader, size))
        return FOUND_FRAGMENT;
    bool is_empty = is_zero(here, left);
    if (is_empty || !find_sound(reader))
        skip_block(reader);
    return is_empty ? FOUND_NOTHING : FOUND_DAMAGE;
}

/* The beginnings that were read in search of the file's number. */
struct recognition {
    bool has_version, has_number, is_other_version;
    uint64_t number; /* of a beginning whose two copies are alike */
};

/* Looks for a copy of the beginning that the records of the reader's block bear out. */
static bool is_borne_out(struct mwi_journal_reader *reader, struct recognition *found)
{
    const unsigned char *copies = reader->block;
    for (size_t at = 0; at < MWI_JOURNAL_BEGIN_BYTES; at += COPY_BYTES) {
        bool is_magic = memcmp(copies + at, magic, sizeof magic) == 0;
        found->has_version = found->has_version || is_magic;
        found->is_other_version =
            found->is_other_version || memcmp(copies + at, magic, sizeof magic - 2) == 0;
        reader->file_id = get_number(copies + at + sizeof magic, 8);
        reader->at = MWI_JOURNAL_BEGIN_BYTES;
        if (is_magic && find_sound(reader))
            return true;
    }
    if (!found->has_number && memcmp(copies, magic, sizeof magic) == 0 &&
        memcmp(copies, copies + COPY_BYTES, COPY_BYTES) == 0) {
        found->has_number = true;
        found->number = reader->file_id;
    }
    return false;
}

/* Sets *is_found if a block bears a number out. MW_EIO. */
static mw_error ask_blocks(struct mwi_journal_reader *reader, struct recognition *found,
                           bool *is_found, mw_reason *why)
{
    mw_error error = MW_OK;
    *is_found = false;
    for (int i = 0; i < ASKED_BLOCKS_MAX && error == MW_OK && !*is_found; i++) {
        if (reader->block_begin >= reader->end_bytes)
            break;
        memset(reader->block, 0, MWI_JOURNAL_BEGIN_BYTES);
        error = load_block(reader, why);
        *is_found = error == MW_OK && is_borne_out(reader, found);
        if (!*is_found)
            skip_block(reader);
    }
    return error;
}

mw_error mwi_journal_form_recognise(const struct mwi_disk_api *api, void *disk, uint64_t *file_id,
                                    mw_reason *why)
{
    struct mwi_journal_reader reader;
    struct recognition found = {0};
    bool is_found = false;
    mw_error error = MW_ENOMEM;
    snprintf(why->text, sizeof why->text, "out of memory");
    if (mwi_journal_reader_init(&reader, api, disk, 0))
        error = ask_blocks(&reader, &found, &is_found, why);
    *file_id = is_found ? reader.file_id : found.number;
    mwi_journal_reader_fini(&reader);
    if (error != MW_OK || is_found || found.has_number)
        return error;
    const char *text = "it is no journal of mw";
    if (found.is_other_version)
        text = "it is a journal of another version of mw";
    if (found.has_version)
        text = "its beginning is damaged, and no record bears out what is left of it";
    snprintf(why->text, sizeof why->text, "%s", text);
    return MW_EFORMAT;
}

static enum mwi_journal_step tell_damage(struct mwi_journal_reader *reader,
                                         struct mwi_journal_record *record, uint64_t offset)
{
    record->offset = reader->is_in_record ? reader->record_begin : offset;
    reader->is_in_record = false;
    reader->is_lost = true;
    return MWI_JOURNAL_DAMAGE;
}

static enum mwi_journal_step give_out(struct mwi_journal_reader *reader,
                                      struct mwi_journal_record *record)
{
    reader->is_in_record = false;
    reader->sound_bytes = reader->block_begin + reader->at;
    *record = (struct mwi_journal_record){
        .kind = reader->kind,
        .offset = reader->record_begin,
        .body = reader->record.data != NULL ? reader->record.data : (const unsigned char *)"",
        .size = reader->record.size};
    return MWI_JOURNAL_RECORD;
}

static void begin_record(struct mwi_journal_reader *reader, enum mwi_journal_kind kind)
{
    mwi_buffer_clear(&reader->record);
    reader->record_begin = reader->block_begin + reader->at;
    reader->kind = kind;
    reader->is_in_record = true;
    reader->is_lost = false;
}

/* Takes the sound fragment at the reader's place; FAILED means only that there is more to read. */
static enum mwi_journal_step take_fragment(struct mwi_journal_reader *reader, size_t size,
                                           struct mwi_journal_record *record)
{
    const unsigned char *fragment = reader->block + reader->at;
    enum mwi_journal_kind kind = (enum mwi_journal_kind)fragment[12];
    enum part part = (enum part)fragment[13];
    bool is_begin = part == PART_WHOLE || part == PART_FIRST;
    uint64_t offset = reader->block_begin + reader->at;
    /* The record before has no end; this one is read by the next call. */
    if (is_begin && reader->is_in_record)
        return tell_damage(reader, record, offset);
    if (is_begin)
        begin_record(reader, kind);
    reader->at += HEADER_BYTES + size;
    if (!reader->is_in_record && reader->is_lost) /* the rest of what was told of */
        return MWI_JOURNAL_FAILED;
    if (!reader->is_in_record || kind != reader->kind)
        return tell_damage(reader, record, offset);
    mwi_buffer_append(&reader->record, fragment + HEADER_BYTES, size);
    if (part == PART_FIRST || part == PART_MIDDLE || reader->record.has_failed)
        return MWI_JOURNAL_FAILED;
    return give_out(reader, record);
}

static enum mwi_journal_step end_reading(struct mwi_journal_reader *reader,
                                         struct mwi_journal_record *record)
{
    if (reader->is_in_record)
        return tell_damage(reader, record, reader->end_bytes);
    record->offset = reader->sound_bytes;
    return MWI_JOURNAL_END;
}

enum mwi_journal_step mwi_journal_reader_next(struct mwi_journal_reader *reader,
                                              struct mwi_journal_record *record, mw_reason *why)
{
    while (reader->block_begin + reader->at < reader->end_bytes) {
        size_t size;
        uint64_t offset;
        if (reader->block_size == 0 && load_block(reader, why) != MW_OK)
            return MWI_JOURNAL_FAILED;
        enum finding finding = look(reader, &size, &offset);
        if (finding == FOUND_DAMAGE)
            return tell_damage(reader, record, offset);
        enum mwi_journal_step step =
            finding == FOUND_FRAGMENT ? take_fragment(reader, size, record) : MWI_JOURNAL_FAILED;
        if (reader->record.has_failed) {
            snprintf(why->text, sizeof why->text, "out of memory");
            return MWI_JOURNAL_FAILED;
        }
        if (step != MWI_JOURNAL_FAILED)
            return step;
    }
    return end_reading(reader, record);
}

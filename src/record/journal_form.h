/* SPDX-License-Identifier: Apache-2.0
 *
 * How records lie in a journal file, whatever they hold.
 *
 * The file is divided into blocks of 64 KiB. A block begins with 32 bytes, twice the same 16:
 * "mwjrnl03", whose last two characters are the version of the form, and a number that is drawn for
 * the file. So the number is lost only with all blocks. A record is one or more fragments, and no
 * fragment crosses the end of a block. A fragment is a header of 16 bytes and the bytes that follow
 * it. The header is a checksum of 8 bytes, the number of the bytes that follow in 4, the kind of
 * the record, the part that this is of it, and two zeros. All numbers are little-endian. The
 * checksum is XXH3's of all behind it; its seed is the file's number and the offset of the
 * fragment, so that no fragment passes at another place. A header of zeros ends a block, and so do
 * fewer than 16 bytes.
 *
 * So damage costs the records that it meets.
 */
#ifndef MWI_JOURNAL_FORM_H
#define MWI_JOURNAL_FORM_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/disk.h"

#define MWI_JOURNAL_BLOCK_BYTES ((size_t)64 << 10)
#define MWI_JOURNAL_BEGIN_BYTES 32  /* of a block */
#define MWI_JOURNAL_HEADER_BYTES 16 /* of a fragment */

/* The kinds are the file's. */
enum mwi_journal_kind {
    MWI_JOURNAL_RUN = 1,     /* a run of the program begins */
    MWI_JOURNAL_RESULTS = 2, /* results, by the contents of their tasks */
    MWI_JOURNAL_SAVED = 3,   /* bytes that a task has saved */
    MWI_JOURNAL_TASKS = 4,   /* of a checkpoint: tasks */
    MWI_JOURNAL_GONE = 5,    /* of a checkpoint: numbers of tasks that are no part of it any more */
    MWI_JOURNAL_TAKEN = 6,   /* of a checkpoint: results of earlier runs that were handed out */
    MWI_JOURNAL_STATE = 7,   /* of a checkpoint: the program's bytes; with it, it is whole */
    MWI_JOURNAL_SENT = 8,   /* tasks that were sent to slaves which may return, by their contents */
    MWI_JOURNAL_BEGUN = 9,  /* a task that may not run twice is sent next */
    MWI_JOURNAL_KNOWN = 10, /* results that a rewrite has left out, by run and task */
    MWI_JOURNAL_UNBEGUN = 11 /* the task was given back: since the record BEGUN it did not run */
};

/* Sets *why to "PATH: TEXT", and returns the error. The text may lie in *why. A
 * path that is too long is cut. */
mw_error mwi_journal_form_fail(mw_reason *why, const char *path, mw_error error, const char *text);

struct mwi_journal_piece {
    const void *data;
    size_t size;
};

struct mwi_journal_writer {
    const struct mwi_disk_api *api;
    void *disk;
    uint64_t file_id;
    struct mwi_buffer fragment;
    bool has_failed; /* memory ran out: the record is not whole */
};

/* Begins an empty file, or a block of it. */
void mwi_journal_form_begin(const struct mwi_disk_api *api, void *disk, uint64_t file_id);

/* Tells whether nothing can be lost if the file is begun anew: it is empty, or has zeros alone, or
 * zeros behind a part of "mwjrnl03", or less than a beginning. A power cut may leave a new file so.
 * MW_EIO, MW_ENOMEM. */
mw_error mwi_journal_form_is_void(const struct mwi_disk_api *api, void *disk, bool *is_void,
                                  mw_reason *why) MW_USE_RESULT;

/* Finds the number of a file, from the first beginning that a record of its block bears out, or
 * else from one whose copies are alike. MW_EIO, MW_ENOMEM; MW_EFORMAT: it is no journal, or of
 * another version, or too damaged; with a sentence, which does not name the file. */
mw_error mwi_journal_form_recognise(const struct mwi_disk_api *api, void *disk, uint64_t *file_id,
                                    mw_reason *why) MW_USE_RESULT;

/* Writes to the end of the disk, which is borrowed, and is at its first block or has whole records
 * only. Goes on at a new block. */
void mwi_journal_writer_init(struct mwi_journal_writer *writer, const struct mwi_disk_api *api,
                             void *disk, uint64_t file_id);
void mwi_journal_writer_fini(struct mwi_journal_writer *writer);

/* Appends a record of these pieces, one behind the other, and returns where it begins. */
uint64_t mwi_journal_write(struct mwi_journal_writer *writer, enum mwi_journal_kind kind,
                           const struct mwi_journal_piece *pieces, size_t count);

struct mwi_journal_reader {
    const struct mwi_disk_api *api;
    void *disk;
    uint64_t file_id;
    uint64_t end_bytes;   /* of the file */
    uint64_t block_begin; /* of the block that is loaded */
    size_t block_size;    /* 0: none is loaded */
    size_t at;            /* in the block */
    uint64_t sound_bytes; /* the end of the last whole record */
    uint64_t record_begin;
    bool is_in_record; /* its first fragments were read */
    bool is_lost;      /* damage was told of, and no record has begun since */
    enum mwi_journal_kind kind;
    struct mwi_buffer record;
    unsigned char *block;
};

/* A record that was read; the body is borrowed until the next call for the reader. */
struct mwi_journal_record {
    enum mwi_journal_kind kind;
    uint64_t offset;
    const unsigned char *body;
    size_t size;
};

enum mwi_journal_step {
    MWI_JOURNAL_RECORD, /* *record is set */
    MWI_JOURNAL_DAMAGE, /* record->offset is where it is; reading goes on behind it */
    MWI_JOURNAL_END,    /* record->offset is where the last whole record ends */
    MWI_JOURNAL_FAILED  /* *why is set */
};

/* False out of memory. The disk is borrowed. */
bool mwi_journal_reader_init(struct mwi_journal_reader *reader, const struct mwi_disk_api *api,
                             void *disk, uint64_t file_id);
void mwi_journal_reader_fini(struct mwi_journal_reader *reader);

enum mwi_journal_step mwi_journal_reader_next(struct mwi_journal_reader *reader,
                                              struct mwi_journal_record *record, mw_reason *why);

/* Moves the reader to the record that begins at this offset: next then reads it. */
void mwi_journal_reader_seek(struct mwi_journal_reader *reader, uint64_t offset);

#endif

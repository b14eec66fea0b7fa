/* SPDX-License-Identifier: Apache-2.0
 *
 * The bodies of a journal's records: runs, results and saved bytes. checkpoint_items.h has those of
 * checkpoints. Numbers are little-endian.
 */
#ifndef MWI_JOURNAL_ITEMS_H
#define MWI_JOURNAL_ITEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/digest.h"

/* Bytes of a record that is read, or to be written; borrowed. Not NUL-terminated. */
struct mwi_journal_text {
    const char *data;
    size_t size;
};

/* The program that a journal belongs to: results of another one may differ. */
struct mwi_journal_identity {
    struct mwi_journal_text names;      /* of its task algorithms, sorted */
    struct mwi_journal_text arguments;  /* its own, without those of mw */
    struct mwi_journal_text version;    /* as the program gives it; empty: none */
    struct mwi_journal_text executable; /* the digest of its file; empty: unknown */
};

/* A run of the program. */
struct mwi_journal_run {
    uint64_t number; /* of this run alone */
    int64_t wall_ns; /* when it began */
    uint32_t pid;
    struct mwi_journal_text host, boot_id;
    struct mwi_journal_identity identity;
};

void mwi_journal_items_write_run(struct mwi_buffer *body, const struct mwi_journal_run *run);
/* False if the body, any bytes, is no such record. *run borrows it. */
bool mwi_journal_items_read_run(struct mwi_journal_run *run, const void *body, size_t size);

/* A result. */
struct mwi_journal_result {
    struct mwi_digest key; /* of its task, see wire/content.h */
    uint64_t id;           /* of its task in the run that it is of */
    uint64_t duration_ns;
    uint8_t form; /* enum mwi_payload_form */
    size_t size;
    const unsigned char *data;
};

/* Begin a record of results of one algorithm, and append one to it; append_head leaves out the
 * payload, which must follow as the record's last bytes. */
void mwi_journal_items_begin_results(struct mwi_buffer *body, uint64_t run, const char *algorithm);
void mwi_journal_items_append_head(struct mwi_buffer *body,
                                   const struct mwi_journal_result *result);
void mwi_journal_items_append(struct mwi_buffer *body, const struct mwi_journal_result *result);

/* A body of results that is being read. */
struct mwi_journal_cursor {
    const unsigned char *at, *end;
    uint64_t run;
    struct mwi_journal_text algorithm;
    bool is_broken;
};

/* Begins to read a body of any bytes, which is borrowed. */
void mwi_journal_items_open_results(struct mwi_journal_cursor *results, const void *body,
                                    size_t size);
/* Sets *result to the next; false at the end, or if the body is broken. */
bool mwi_journal_items_next(struct mwi_journal_cursor *results, struct mwi_journal_result *result);

/* Bytes that a task has saved. */
struct mwi_journal_saved {
    uint64_t run, id; /* of the task */
    struct mwi_digest key;
    const unsigned char *data;
    size_t size;
};

/* The same for saved bytes: the head, behind which the bytes follow. */
void mwi_journal_items_write_saved_head(struct mwi_buffer *body,
                                        const struct mwi_journal_saved *saved);
bool mwi_journal_items_read_saved(struct mwi_journal_saved *saved, const void *body, size_t size);

/* Append a key to a body of keys, and read key number `index`; false if there is none. */
void mwi_journal_items_append_key(struct mwi_buffer *body, struct mwi_digest key);
bool mwi_journal_items_read_key(struct mwi_digest *key, const void *body, size_t size,
                                size_t index);

/* A number for a task of a run, above 0, and a part of a key, above 0: mistakes are rare. */
uint64_t mwi_journal_items_number(uint64_t run, uint64_t id);
static inline uint64_t mwi_journal_items_part(struct mwi_digest key)
{
    return key.low | 1;
}

/* The same for parts of keys. */
void mwi_journal_items_append_part(struct mwi_buffer *body, uint64_t part);
bool mwi_journal_items_read_part(uint64_t *part, const void *body, size_t size, size_t index);

/* The tasks `first` to `last` of a run, whose results were left out of a file that was written
 * anew. */
struct mwi_journal_known {
    uint64_t run, first, last;
};

/* The same for these. */
void mwi_journal_items_append_known(struct mwi_buffer *body, const struct mwi_journal_known *known);
bool mwi_journal_items_read_known(struct mwi_journal_known *known, const void *body, size_t size,
                                  size_t index);

#endif

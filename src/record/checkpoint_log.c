/* SPDX-License-Identifier: Apache-2.0
 *
 * A checkpoint is the records TASKS, GONE and TAKEN of its run up to its record STATE, which says
 * how many they are: if one is damaged, the numbers differ, and the checkpoint is not whole. Then
 * the one before it counts, of the same run or an earlier one.
 *
 * Invariants: runs lie in the order of the file. A run's checkpoint is its last whole one. If a run
 * has gone on from a checkpoint of an earlier run, its own is of use only together with that one.
 *
 * The results of a run before its checkpoint are absorbed: they were handed out and are part of the
 * program's state, or they are among the checkpoint's tasks. Results of another run that a slave
 * has offered to it are not.
 */
#include "record/checkpoint_log.h"

#include <stdlib.h>

void mwi_checkpoint_log_fini(struct mwi_checkpoint_log *log)
{
    free(log->runs);
    free(log->foreign);
    *log = (struct mwi_checkpoint_log){0};
}

bool mwi_checkpoint_log_begin(struct mwi_checkpoint_log *log, uint64_t offset, uint64_t number)
{
    if (log->count == log->capacity) {
        size_t capacity = log->capacity == 0 ? 16 : 2 * log->capacity;
        struct mwi_checkpoint_run *runs = realloc(log->runs, capacity * sizeof *runs);
        if (runs == NULL)
            return false;
        log->runs = runs;
        log->capacity = capacity;
    }
    log->runs[log->count++] = (struct mwi_checkpoint_run){.begin = offset, .number = number};
    return true;
}

static uint64_t get(const unsigned char *from)
{
    uint64_t number = 0;
    for (size_t i = 0; i < 8; i++)
        number |= (uint64_t)from[i] << 8 * i;
    return number;
}

void mwi_checkpoint_log_write_head(unsigned char head[MWI_CHECKPOINT_HEAD_BYTES],
                                   uint64_t records_count, uint64_t restored)
{
    for (size_t i = 0; i < 8; i++) {
        head[i] = (unsigned char)(records_count >> 8 * i);
        head[8 + i] = (unsigned char)(restored >> 8 * i);
    }
}

void mwi_checkpoint_log_take(struct mwi_checkpoint_log *log,
                             const struct mwi_journal_record *record)
{
    if (log->count == 0)
        return;
    struct mwi_checkpoint_run *run = &log->runs[log->count - 1];
    if (record->kind != MWI_JOURNAL_STATE) {
        run->records_count++;
        return;
    }
    if (record->size < MWI_CHECKPOINT_HEAD_BYTES || get(record->body) != run->records_count) {
        run->has_damaged = true;
        return;
    }
    run->state = record->offset;
    run->restored = get(record->body + 8);
}

bool mwi_checkpoint_log_results(struct mwi_checkpoint_log *log, uint64_t offset, uint64_t run)
{
    if (log->count == 0 || log->runs[log->count - 1].number == run)
        return true;
    if (log->foreign_count == log->foreign_capacity) {
        size_t capacity = log->foreign_capacity == 0 ? 64 : 2 * log->foreign_capacity;
        uint64_t *foreign = realloc(log->foreign, capacity * sizeof *foreign);
        if (foreign == NULL)
            return false;
        log->foreign = foreign;
        log->foreign_capacity = capacity;
    }
    log->foreign[log->foreign_count++] = offset;
    return true;
}

const struct mwi_checkpoint_run *mwi_checkpoint_log_before(const struct mwi_checkpoint_log *log,
                                                           const struct mwi_checkpoint_run *run)
{
    /* Only runs before it: a file of any bytes must not lead in a circle. */
    for (const struct mwi_checkpoint_run *one = log->runs; run->restored != 0 && one < run; one++)
        if (one->state == run->restored)
            return one;
    return NULL;
}

/* Whether all checkpoints are there that this one goes on from. */
static bool has_beginnings(const struct mwi_checkpoint_log *log,
                           const struct mwi_checkpoint_run *run)
{
    while (run != NULL && run->restored != 0)
        run = mwi_checkpoint_log_before(log, run);
    return run != NULL;
}

const struct mwi_checkpoint_run *mwi_checkpoint_log_newest(const struct mwi_checkpoint_log *log)
{
    for (size_t i = log->count; i-- > 0;)
        if (log->runs[i].state != 0 && has_beginnings(log, &log->runs[i]))
            return &log->runs[i];
    return NULL;
}

bool mwi_checkpoint_log_is_damaged(const struct mwi_checkpoint_log *log)
{
    const struct mwi_checkpoint_run *newest = mwi_checkpoint_log_newest(log);
    for (size_t i = newest == NULL ? 0 : (size_t)(newest - log->runs); i < log->count; i++)
        if (log->runs[i].has_damaged || (log->runs[i].state != 0 && &log->runs[i] != newest))
            return true;
    return false;
}

static int compare(const void *one, const void *other)
{
    uint64_t left = *(const uint64_t *)one, right = *(const uint64_t *)other;
    return left < right ? -1 : left > right;
}

bool mwi_checkpoint_log_is_absorbed(const struct mwi_checkpoint_log *log, uint64_t offset)
{
    const struct mwi_checkpoint_run *run = mwi_checkpoint_log_newest(log);
    if (log->foreign_count > 0 &&
        bsearch(&offset, log->foreign, log->foreign_count, sizeof offset, compare) != NULL)
        return false;
    for (; run != NULL; run = mwi_checkpoint_log_before(log, run))
        if (offset >= run->begin && offset < run->state)
            return true;
    return false;
}

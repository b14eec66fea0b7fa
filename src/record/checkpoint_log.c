/* SPDX-License-Identifier: Apache-2.0
 *
 * A checkpoint is the records TASKS, GONE and TAKEN of its run up to its record STATE, which says
 * how many they are: if one is damaged, the numbers differ, and the checkpoint is not whole. Then
 * the one before it counts, of the same run or an earlier one.
 *
 * A checkpoint is of no use, either, if its run's own record may have been lost before it: nobody
 * knows then which results it has absorbed.
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

bool mwi_checkpoint_log_note_run(struct mwi_checkpoint_log *log, uint64_t offset, uint64_t number)
{
    if (log->count == log->capacity) {
        size_t capacity = log->capacity == 0 ? 16 : 2 * log->capacity;
        struct mwi_checkpoint_run *runs = realloc(log->runs, capacity * sizeof *runs);
        if (runs == NULL)
            return false;
        log->runs = runs;
        log->capacity = capacity;
    }
    log->has_lost_run = false;
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

void mwi_checkpoint_log_note_damage(struct mwi_checkpoint_log *log, uint64_t offset)
{
    if (offset % MWI_JOURNAL_BLOCK_BYTES == MWI_JOURNAL_BEGIN_BYTES)
        log->has_lost_run = true;
}

void mwi_checkpoint_log_note_record(struct mwi_checkpoint_log *log,
                                    const struct mwi_journal_record *record)
{
    bool is_lost = log->count == 0 || log->has_lost_run;
    if (is_lost && record->kind == MWI_JOURNAL_STATE)
        log->lost_state = record->offset;
    if (is_lost)
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

bool mwi_checkpoint_log_note_results(struct mwi_checkpoint_log *log, uint64_t offset, uint64_t run)
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

/* The last run that begins at this offset or before; NULL if there is none. */
static struct mwi_checkpoint_run *find_run(const struct mwi_checkpoint_log *log, uint64_t offset)
{
    size_t begin = 0, end = log->count;
    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        if (log->runs[middle].begin <= offset)
            begin = middle + 1;
        else
            end = middle;
    }
    return begin > 0 ? &log->runs[begin - 1] : NULL;
}

/* The run whose checkpoint that of `run` goes on from; NULL if there is none. Only runs before it
 * count: a file of any bytes must not lead in a circle. */
static struct mwi_checkpoint_run *find_before(const struct mwi_checkpoint_log *log,
                                              const struct mwi_checkpoint_run *run)
{
    struct mwi_checkpoint_run *before = run->restored != 0 ? find_run(log, run->restored) : NULL;
    return before != NULL && before < run && before->state == run->restored ? before : NULL;
}

void mwi_checkpoint_log_seal(struct mwi_checkpoint_log *log)
{
    struct mwi_checkpoint_run *newest = NULL;
    for (size_t i = 0; i < log->count; i++) {
        struct mwi_checkpoint_run *run = &log->runs[i];
        const struct mwi_checkpoint_run *before = find_before(log, run);
        run->is_in_chain = false;
        run->is_usable =
            run->state != 0 && (run->restored == 0 || (before != NULL && before->is_usable));
        if (run->is_usable)
            newest = run;
    }
    log->newest = newest;
    for (; newest != NULL; newest = find_before(log, newest))
        newest->is_in_chain = true;
}

const struct mwi_checkpoint_run *mwi_checkpoint_log_newest(const struct mwi_checkpoint_log *log)
{
    return log->newest;
}

bool mwi_checkpoint_log_is_damaged(const struct mwi_checkpoint_log *log)
{
    const struct mwi_checkpoint_run *newest = mwi_checkpoint_log_newest(log);
    if (log->lost_state > (newest == NULL ? 0 : newest->begin))
        return true;
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
    const struct mwi_checkpoint_run *run = find_run(log, offset);
    if (log->foreign_count > 0 &&
        bsearch(&offset, log->foreign, log->foreign_count, sizeof offset, compare) != NULL)
        return false;
    return run != NULL && run->is_in_chain && offset < run->state;
}

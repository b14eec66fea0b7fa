/* SPDX-License-Identifier: Apache-2.0
 *
 * A small journal in memory whose results are known: of task N, the bytes of N times 7, several
 * times over. So whatever is read from a damaged copy can be checked.
 */
#ifndef MWT_JOURNAL_H
#define MWT_JOURNAL_H

#include <stdio.h>

#include "mwt_disk.h"
#include "record/journal_open.h"
#include "record/journal_take.h"
#include "wire/message.h"

#define MWT_JOURNAL_TASKS 24

struct mwt_journal_result {
    unsigned numbers[32];
    size_t size;
};

static inline struct mwi_digest mwt_journal_key(unsigned task)
{
    return mwi_digest_make(1, &task, sizeof task);
}

/* The result of a task. */
static inline struct mwt_journal_result mwt_journal_result(unsigned task)
{
    struct mwt_journal_result result = {.size = (task % 8 + 1) * sizeof(unsigned)};
    for (size_t i = 0; i < sizeof result.numbers / sizeof result.numbers[0]; i++)
        result.numbers[i] = 7 * task;
    return result;
}

static inline mw_error mwt_journal_open(struct mwi_journal **journal, struct mwt_disk *disk,
                                        uint64_t run, struct mwi_journal_findings *findings,
                                        mw_reason *why)
{
    const struct mwi_journal_settings settings = {
        .path = "s.mwj",
        .api = &mwt_disk_api,
        .environment = disk,
        .run = {.number = run, .identity = {.names = {"alpha", 5}}}};
    why->text[0] = '\0';
    return mwi_journal_open(journal, &settings, findings, why);
}

/* Appends a run with the results of the tasks from `from` to before `to`. False after an error. */
static inline bool mwt_journal_write(struct mwt_disk *disk, uint64_t run, unsigned from,
                                     unsigned to)
{
    struct mwi_journal_findings findings;
    struct mwi_journal *journal;
    mw_reason why;
    if (mwt_journal_open(&journal, disk, run, &findings, &why) != MW_OK)
        return false;
    for (unsigned task = from; task < to; task++) {
        const struct mwt_journal_result result = mwt_journal_result(task);
        mwi_journal_add_result(
            journal, "alpha",
            &(struct mwi_journal_result){.key = mwt_journal_key(task),
                                         .id = task + 1,
                                         .form = MWI_PAYLOAD_BYTES,
                                         .size = result.size,
                                         .data = (const unsigned char *)result.numbers});
        if (task % 5 == 4)
            mwi_journal_flush(journal);
    }
    (void)mwi_journal_hurry(journal);
    mwi_journal_close(journal);
    return true;
}

/* How many results of the tasks can be taken from the journal; -1 if one of them is wrong. */
static inline int mwt_journal_take_all(struct mwi_journal *journal)
{
    int count = 0;
    for (unsigned task = 0; task < MWT_JOURNAL_TASKS; task++) {
        const struct mwt_journal_result result = mwt_journal_result(task);
        struct mwi_journal_replay replay;
        mw_reason why;
        if (mwi_journal_take(journal, mwt_journal_key(task), &replay, &why) != MW_OK)
            continue;
        bool is_right =
            replay.size == result.size && memcmp(replay.data, result.numbers, result.size) == 0;
        mwi_block_unref(replay.block);
        if (!is_right)
            return -1;
        count++;
    }
    return count;
}

#endif

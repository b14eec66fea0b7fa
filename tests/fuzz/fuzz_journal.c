/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a journal: it is refused with a sentence, or opened, and gives no result but those
 * that were written.
 *
 * An input whose first byte is not ASCII stands for a good journal of two runs that is cut off
 * somewhere, or has bytes changed, four bytes of input for each change.
 */
#include "fuzz.h"
#include "mwt_journal.h"

static void check_file(struct mwt_disk *disk)
{
    struct mwi_journal_findings findings;
    struct mwi_journal *journal;
    mw_reason why;
    mw_error error = mwt_journal_open(&journal, disk, 13, &findings, &why);
    if (error != MW_OK) {
        MWT_FUZZ_PROMISE(strncmp(why.text, "s.mwj: ", 7) == 0);
        return;
    }
    MWT_FUZZ_PROMISE(mwt_journal_take_all(journal) >= 0);
    mwi_journal_close(journal);
}

static void change(struct mwt_disk *disk, const uint8_t *changes, size_t size)
{
    if (size % 4 == 1)
        disk->size -= (size_t)changes[size - 1] * 300 % disk->size;
    for (size_t i = 0; i + 4 <= size && i < 16; i += 4) {
        size_t at = (size_t)(changes[i] << 16 | changes[i + 1] << 8 | changes[i + 2]);
        if (disk->size > 0)
            disk->bytes[at % disk->size] ^= changes[i + 3];
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mwt_disk disk = {0};
    if (size > 0 && data[0] >= 0x80) {
        MWT_FUZZ_PROMISE(mwt_journal_write(&disk, 11, 0, MWT_JOURNAL_TASKS / 2));
        MWT_FUZZ_PROMISE(mwt_journal_write(&disk, 12, MWT_JOURNAL_TASKS / 2, MWT_JOURNAL_TASKS));
        change(&disk, data + 1, size - 1);
    } else {
        mwt_disk_append(&disk, data, size);
    }
    check_file(&disk);
    mwt_disk_fini(&disk);
    return 0;
}

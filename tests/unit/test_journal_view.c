/* SPDX-License-Identifier: Apache-2.0
 *
 * Journals on real files are looked at while a master has them: the last run is found, for the
 * sentence of a master that is refused.
 */
#include "record/journal_view.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "mwt_folder.h"
#include "mwt_run.h"
#include "record/disk_file.h"
#include "record/journal_open.h"

static struct mwi_journal_text text_of(const char *string)
{
    return (struct mwi_journal_text){string, strlen(string)};
}

/* Opens the journal for a run on this host, and waits until that is on disk. */
static struct mwi_journal *begin_run(const char *path, const char *host, uint32_t pid)
{
    struct mwi_journal *journal = NULL;
    struct mwi_journal_findings findings;
    mw_reason why;
    const struct mwi_journal_settings settings = {
        .path = path,
        .api = &mwi_disk_file_api,
        .run = {.number = pid, .pid = pid, .host = text_of(host)}};
    CU_ASSERT_EQUAL_FATAL(mwi_journal_open(&journal, &settings, &findings, &why), MW_OK);
    uint64_t mark = mwi_journal_hurry(journal);
    while (!mwi_journal_is_durable(journal, mark)) {
        struct pollfd told = {.fd = mwi_journal_descriptor(journal), .events = POLLIN};
        CU_ASSERT_EQUAL_FATAL(poll(&told, 1, 60000), 1);
    }
    return journal;
}

/* The run that has a journal open is found, and is the last one; a file without runs has none. */
static void test_last_run(void)
{
    struct mwt_folder folder;
    struct mwi_journal_run run;
    struct mwi_buffer body;
    char path[400];
    mwi_buffer_init(&body);
    mwt_folder_create(&folder);
    snprintf(path, sizeof path, "%s", mwt_folder_file(&folder, "j"));
    CU_ASSERT_FALSE(mwi_journal_view_last_run(path, &run, &body));
    mwi_journal_close(begin_run(path, "north", 11));
    struct mwi_journal *journal = begin_run(path, "south", 12);

    CU_ASSERT_TRUE_FATAL(mwi_journal_view_last_run(path, &run, &body));

    CU_ASSERT_TRUE(run.pid == 12 && run.host.size == 5);
    CU_ASSERT_EQUAL(memcmp(run.host.data, "south", 5), 0);
    mwi_journal_close(journal);
    CU_ASSERT_EQUAL(truncate(path, 20), 0);
    CU_ASSERT_FALSE(mwi_journal_view_last_run(path, &run, &body));
    mwi_buffer_fini(&body);
    (void)mwt_folder_files(&folder, true);
    rmdir(folder.path);
}

int main(void)
{
    CU_TestInfo tests[] = {{"last_run", test_last_run}, CU_TEST_INFO_NULL};

    return mwt_run("journal_view", tests);
}

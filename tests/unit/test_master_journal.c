/* SPDX-License-Identifier: Apache-2.0
 *
 * A master opens a journal that is a real file. The program's executable file counts by its bytes,
 * however the system cuts the reads of it; and texts of the journal are printable in sentences.
 */
#include "face/master_journal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <mw/embed.h>

#include "mwt_folder.h"
#include "mwt_run.h"
#include "record/disk_file.h"
#include "record/journal_open.h"

static size_t cut_bytes; /* no read returns more; 0: as the system likes */
static size_t cut_count;

/* Takes the place of the C library's, for this whole program. */
ssize_t read(int fd, void *buffer, size_t size)
{
    bool is_cut = cut_bytes > 0 && size > cut_bytes;
    cut_count += is_cut;
    if (is_cut && cut_count % 5 == 0) {
        errno = EINTR;
        return -1;
    }
    return syscall(SYS_read, fd, buffer, is_cut ? cut_bytes : size);
}

/* Opens a master with the journal, and closes it. *why is the sentence if there is one. */
static mw_error open_journal(const char *path, mw_reason *why)
{
    static const mw_algorithm algorithms[] = {{"none", NULL}, {NULL, NULL}};
    static const mw_program program = {.algorithms = algorithms};
    mw_options *options;
    mw_master *master;
    CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "quiet", "1"), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "journal", path), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "local", "0"), MW_OK);
    mw_error error = mw_master_open(&master, &program, options);
    snprintf(why->text, sizeof why->text, "%s", mw_options_error(options));
    if (error == MW_OK)
        mw_master_close(master);
    mw_options_destroy(options);
    return error;
}

/* The next run has the same executable file, though its reads are cut or interrupted. */
static void test_cut_reads(void)
{
    struct mwt_folder folder;
    mw_reason why;
    mwt_folder_create(&folder);
    CU_ASSERT_EQUAL_FATAL(open_journal(mwt_folder_file(&folder, "journal"), &why), MW_OK);

    for (cut_bytes = 1000; cut_bytes < 100000; cut_bytes *= 7) {
        cut_count = 0;
        CU_ASSERT_EQUAL(open_journal(mwt_folder_file(&folder, "journal"), &why), MW_OK);
        CU_ASSERT_TRUE(cut_count > 0);
    }

    cut_bytes = 0;
    mwt_folder_destroy(&folder);
}

/* Somebody has the journal: the sentence names the host that is in the file, escaped. */
static void test_host_of_holder(void)
{
    struct mwt_folder folder;
    struct mwi_journal *holder = NULL;
    struct mwi_journal_findings findings;
    mw_reason why;
    mwt_folder_create(&folder);
    const struct mwi_journal_settings settings = {
        .path = mwt_folder_file(&folder, "journal"),
        .api = &mwi_disk_file_api,
        .run = {.number = 1, .pid = 1, .host = {"far\x1b[2J\n", 8}}};
    CU_ASSERT_EQUAL_FATAL(mwi_journal_open(&holder, &settings, &findings, &why), MW_OK);
    uint64_t mark = mwi_journal_hurry(holder);
    struct pollfd disk = {.fd = mwi_journal_descriptor(holder), .events = POLLIN};
    while (!mwi_journal_is_durable(holder, mark))
        CU_ASSERT_EQUAL_FATAL(poll(&disk, 1, 60000), 1);

    CU_ASSERT_EQUAL(open_journal(settings.path, &why), MW_ESTATE);

    CU_ASSERT_PTR_NOT_NULL(
        strstr(why.text, "its last run is process 1 on far\\x1b[2J\\n; if that machine"));
    mwi_journal_close(holder);
    mwt_folder_destroy(&folder);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"cut reads", test_cut_reads},
        {"host of the holder", test_host_of_holder},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("master: journal", tests);
}

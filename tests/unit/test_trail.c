/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit trail that a process keeps, by its role, by the way it was started, and by its
 * options.
 */
#include "record/trail.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "mwt_folder.h"
#include "mwt_run.h"

/* A folder, and options that send the trail to a file in it. */
struct place {
    struct mwt_folder folder;
    mw_options *options;
    struct mwi_audit_file *trail;
};

static void start(struct place *place, const char *pattern)
{
    mwt_folder_create(&place->folder);
    CU_ASSERT_EQUAL_FATAL(mw_options_create(&place->options), MW_OK);
    if (pattern != NULL)
        CU_ASSERT_EQUAL(
            mw_options_set(place->options, "audit-file", mwt_folder_file(&place->folder, pattern)),
            MW_OK);
}

static void open_trail(struct place *place, enum mwi_role role, enum mwi_mode mode,
                       const char *scheme)
{
    mw_reason why = {""};
    CU_ASSERT_EQUAL_FATAL(mwi_trail_open(&place->trail, place->options, role, mode, scheme, &why),
                          MW_OK);
}

static void write_record(const struct place *place, int64_t time_ns)
{
    mwi_audit_file_write(place->trail,
                         &(struct mwi_audit_record){.kind = MWI_AUDIT_CEOF, .time_ns = time_ns});
}

static void end(struct place *place)
{
    mw_options_destroy(place->options);
    mwt_folder_destroy(&place->folder);
}

static bool has_file(struct place *place, const char *name)
{
    return access(mwt_folder_file(&place->folder, name), F_OK) == 0;
}

/* The master's file has its name from the beginning. */
static void test_master(void)
{
    struct place place;
    start(&place, "%n-%m.log");

    open_trail(&place, MWI_ROLE_MASTER, MWI_MODE_TCP_MASTER, "tcp");
    mwi_audit_file_close(place.trail);

    CU_ASSERT_TRUE(has_file(&place, "master-default-member-id.log"));
    end(&place);
}

/* A slave's file has the name that the master gave it, with every transport. */
static void test_slaves(void)
{
    static const enum mwi_mode modes[] = {MWI_MODE_TCP_SLAVE, MWI_MODE_CHANNEL_SLAVE,
                                          MWI_MODE_MPI_SLAVE, MWI_MODE_CUSTOM};

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct place place;
        start(&place, "%n.log");

        open_trail(&place, MWI_ROLE_SLAVE, modes[i], "tcp");
        write_record(&place, 0);
        CU_ASSERT_EQUAL(mwt_folder_files(&place.folder, 0), 0);
        mwi_audit_file_name(place.trail, "SLAVE-3");
        mwi_audit_file_close(place.trail);

        CU_ASSERT_EQUAL(mwt_folder_files(&place.folder, 0), 1);
        CU_ASSERT_TRUE(has_file(&place, "SLAVE-3.log"));
        end(&place);
    }
}

static bool is_wanted(const char *pattern, enum mwi_role role, enum mwi_mode mode)
{
    struct place place;
    start(&place, pattern);
    open_trail(&place, role, mode, "tcp");
    bool has_lines = mwi_audit_file_wanted(place.trail);
    mwi_audit_file_close(place.trail);
    end(&place);
    return has_lines;
}

/* Slaves that were started with their master do not write into its trail. They write into files of
 * their own, if they have any. */
static void test_companions(void)
{
    static const enum mwi_mode companions[] = {MWI_MODE_CHANNEL_SLAVE, MWI_MODE_MPI_SLAVE};
    static const enum mwi_mode others[] = {MWI_MODE_TCP_SLAVE, MWI_MODE_CUSTOM};

    for (size_t i = 0; i < 2; i++) {
        CU_ASSERT_FALSE(is_wanted(NULL, MWI_ROLE_SLAVE, companions[i]));
        CU_ASSERT_FALSE(is_wanted("one.log", MWI_ROLE_SLAVE, companions[i]));
        CU_ASSERT_FALSE(is_wanted("%h-%m", MWI_ROLE_SLAVE, companions[i]));
        CU_ASSERT_FALSE(is_wanted("%%n", MWI_ROLE_SLAVE, companions[i]));
        CU_ASSERT_TRUE(is_wanted("%n", MWI_ROLE_SLAVE, companions[i]));
        CU_ASSERT_TRUE(is_wanted("%h-%p", MWI_ROLE_SLAVE, companions[i]));
        CU_ASSERT_TRUE(is_wanted("%%%n", MWI_ROLE_SLAVE, companions[i]));
        CU_ASSERT_TRUE(is_wanted(NULL, MWI_ROLE_SLAVE, others[i]));
        CU_ASSERT_TRUE(is_wanted("one.log", MWI_ROLE_SLAVE, others[i]));
    }
    CU_ASSERT_TRUE(is_wanted("one.log", MWI_ROLE_MASTER, MWI_MODE_LOCAL));
    CU_ASSERT_TRUE(is_wanted("one.log", MWI_ROLE_MASTER, MWI_MODE_MPI_MASTER));
}

/* Quiet silences standard error, not a file. */
static void test_quiet(void)
{
    struct place place;
    start(&place, NULL);
    mw_options_set(place.options, "quiet", "1");
    open_trail(&place, MWI_ROLE_MASTER, MWI_MODE_TCP_MASTER, "tcp");
    CU_ASSERT_FALSE(mwi_audit_file_wanted(place.trail));
    mwi_audit_file_close(place.trail);

    mw_options_set(place.options, "audit-file", mwt_folder_file(&place.folder, "a"));
    open_trail(&place, MWI_ROLE_MASTER, MWI_MODE_TCP_MASTER, "tcp");

    CU_ASSERT_TRUE(mwi_audit_file_wanted(place.trail));
    mwi_audit_file_close(place.trail);
    end(&place);
}

/* A new record is stamped with the time of day, even if the transport's clock differs. */
static void check_time(int64_t now_ns)
{
    struct place place;
    start(&place, "a");
    mw_options_set(place.options, "audit-format", "json");
    open_trail(&place, MWI_ROLE_MASTER, MWI_MODE_TCP_MASTER, "tcp");
    mwi_trail_set_clock(place.trail, "tcp", now_ns, mwi_clock_wall_ns());

    write_record(&place, now_ns);
    mwi_audit_file_close(place.trail);

    char *text = mwt_file_read(mwt_folder_file(&place.folder, "a"));
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL(strncmp(text, "{\"time_ns\":", 11), 0);
    long long seconds = strtoll(text + 11, NULL, 10) / 1000000000;
    CU_ASSERT_TRUE(llabs(seconds - (long long)time(NULL)) <= 5);
    free(text);
    end(&place);
}

static void test_time(void)
{
    check_time(0);
    check_time(INT64_C(77000000000));
    check_time(-1);
}

/* In a simulation the world begins in 1970, in UTC, on every machine. */
static void test_simulated_time(void)
{
    struct place place;
    start(&place, "a");
    setenv("TZ", "Asia/Kathmandu", 1);
    tzset();
    open_trail(&place, MWI_ROLE_MASTER, MWI_MODE_CUSTOM, "sim");
    mwi_trail_set_clock(place.trail, "sim", 5, mwi_clock_wall_ns());

    write_record(&place, INT64_C(3600000000000));
    mwi_audit_file_close(place.trail);

    unsetenv("TZ");
    tzset();
    char *text = mwt_file_read(mwt_folder_file(&place.folder, "a"));
    CU_ASSERT_STRING_EQUAL(text, "01/01/1970 01:00:00 [A] MASTER -> CEOF\n");
    free(text);
    end(&place);
}

/* An impossible pattern is an error of usage. */
static void test_bad_pattern(void)
{
    struct place place;
    mw_reason why = {""};
    start(&place, "%z");

    CU_ASSERT_EQUAL(mwi_trail_open(&place.trail, place.options, MWI_ROLE_SLAVE, MWI_MODE_TCP_SLAVE,
                                   "tcp", &why),
                    MW_EUSAGE);

    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "--mw-audit-file"));
    end(&place);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"master", test_master},
        {"slaves", test_slaves},
        {"companions", test_companions},
        {"quiet", test_quiet},
        {"time", test_time},
        {"simulated time", test_simulated_time},
        {"bad pattern", test_bad_pattern},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("trail", tests);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The key file: made once with mode 0600 however many make it, rotated, dropped, and refused with a
 * sentence that has no key in it if it is not whole or not one.
 */
#include "record/key_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mwt_folder.h"
#include "mwt_run.h"

static const char one_key[] =
    "mw-key 1\n"
    "key:0123456789abcdef 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n";

/* A new key has the name that was asked for, and each is another one. */
static void test_make_key(void)
{
    mw_tcp_key one, other;
    mw_reason why;

    CU_ASSERT_EQUAL(mwi_key_file_make_key("farm:", 16, &one, &why), MW_OK);
    CU_ASSERT_EQUAL(mwi_key_file_make_key("farm:", 16, &other, &why), MW_OK);

    CU_ASSERT_EQUAL(strlen(one.name), 5 + 32);
    CU_ASSERT_EQUAL(strncmp(one.name, "farm:", 5), 0);
    CU_ASSERT_EQUAL(strspn(one.name + 5, "0123456789abcdef"), 32);
    CU_ASSERT_STRING_NOT_EQUAL(one.name, other.name);
    CU_ASSERT_NOT_EQUAL(memcmp(one.bytes, other.bytes, sizeof one.bytes), 0);
}

/* The place of the file follows the standard of XDG_CONFIG_HOME, which ignores a relative path.
 * Without a place the sentence names the option. */
static void test_default_path(void)
{
    static const struct {
        const char *config_home, *home, *expected;
    } cases[] = {
        {"/c", "/h", "/c/mw/key"},           {NULL, "/h", "/h/.config/mw/key"},
        {"", "/h", "/h/.config/mw/key"},     {"c", "/h", "/h/.config/mw/key"},
        {"/c", NULL, "/c/mw/key"},           {NULL, NULL, NULL},
        {"relative", "also/relative", NULL}, {"", "", NULL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *path = NULL;
        mw_reason why = {""};
        mw_error error =
            mwi_key_file_default_path(cases[i].config_home, cases[i].home, &path, &why);
        CU_ASSERT_EQUAL(error, cases[i].expected != NULL ? MW_OK : MW_EUNAVAILABLE);
        if (error == MW_OK) {
            CU_ASSERT_STRING_EQUAL(path, cases[i].expected);
        } else {
            CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "--mw-key-file"));
        }
        free(path);
    }
}

/* A text is read, and written again as it was. */
static void test_text(void)
{
    struct mwi_key_list list;
    mw_reason why;
    char text[MWI_KEY_FILE_BYTES_MAX];

    CU_ASSERT_EQUAL_FATAL(mwi_key_file_parse(one_key, strlen(one_key), "key", &list, &why), MW_OK);

    CU_ASSERT_EQUAL(list.count, 1);
    CU_ASSERT_STRING_EQUAL(list.keys[0].name, "key:0123456789abcdef");
    CU_ASSERT_EQUAL(list.keys[0].bytes[1], 0x11);
    CU_ASSERT_EQUAL(list.keys[0].bytes[31], 0xff);
    CU_ASSERT_EQUAL(mwi_key_file_format(&list, text), strlen(one_key));
    CU_ASSERT_EQUAL(memcmp(text, one_key, strlen(one_key)), 0);
}

/* Empty lines at the end do no harm. Ends of lines as Windows writes them are refused with a
 * sentence that does not tell the user to wait. */
static void test_edited(void)
{
    struct mwi_key_list list;
    mw_reason why = {""};
    char text[sizeof one_key + 3];

    snprintf(text, sizeof text, "%s\n\n", one_key);
    CU_ASSERT_EQUAL(mwi_key_file_parse(text, strlen(text), "key", &list, &why), MW_OK);
    CU_ASSERT_EQUAL(list.count, 1);

    size_t head = strcspn(one_key, "\n");
    snprintf(text, sizeof text, "%.*s\r%s", (int)head, one_key, one_key + head);
    CU_ASSERT_EQUAL(mwi_key_file_parse(text, strlen(text), "key", &list, &why), MW_EPROTOCOL);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "edited"));
}

/* A file that is cut off anywhere is not taken, since it may be whole soon. */
static void test_cut_off(void)
{
    char text[2 * sizeof one_key];
    size_t size = strlen(one_key), whole = 2 * size - strlen("mw-key 1\n");
    snprintf(text, sizeof text, "%s%s", one_key, strchr(one_key, '\n') + 1);

    for (size_t cut = 0; cut <= whole; cut++) {
        struct mwi_key_list list;
        mw_reason why = {""};
        mw_error error = mwi_key_file_parse(text, cut, "key", &list, &why);
        bool is_whole = cut == size || cut == whole;
        CU_ASSERT_EQUAL(error, is_whole ? MW_OK : MW_EUNAVAILABLE);
        if (is_whole)
            CU_ASSERT_EQUAL(list.count, cut == size ? 1 : 2);
        CU_ASSERT_PTR_NULL(strstr(why.text, "0011"));
    }
}

/* Each wrong byte is noticed, and no sentence has a part of the key. */
static void test_wrong_bytes(void)
{
    for (size_t i = 0; i < strlen(one_key); i++) {
        struct mwi_key_list list;
        mw_reason why = {""};
        char text[sizeof one_key];
        memcpy(text, one_key, sizeof text);
        text[i] = 'X';
        CU_ASSERT_EQUAL(mwi_key_file_parse(text, strlen(text), "key", &list, &why), MW_EPROTOCOL);
        CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "key file \"key\": "));
        CU_ASSERT_PTR_NULL(strstr(why.text, "0011"));
    }
}

/* The first one makes the file and its folders, closed to others under any umask; later ones find
 * it as it is. */
static void test_create(void)
{
    struct mwt_folder folder;
    struct mwi_key_list list, again;
    struct stat status;
    bool is_new = false;
    mw_reason why = {""};
    mwt_folder_create(&folder);
    mode_t mask = umask(0);
    char path[128];
    snprintf(path, sizeof path, "%s/config/mw/key", folder.path);

    CU_ASSERT_EQUAL(mwi_key_file_create(path, &is_new, &why), MW_OK);
    CU_ASSERT_TRUE(is_new);
    CU_ASSERT_EQUAL(mwi_key_file_read(path, &list, &why), MW_OK);
    CU_ASSERT_EQUAL(mwi_key_file_create(path, &is_new, &why), MW_OK);
    CU_ASSERT_FALSE(is_new);
    CU_ASSERT_EQUAL(mwi_key_file_read(path, &again, &why), MW_OK);

    umask(mask);
    CU_ASSERT_EQUAL(list.count, 1);
    CU_ASSERT_EQUAL(memcmp(&list.keys[0], &again.keys[0], sizeof list.keys[0]), 0);
    CU_ASSERT_TRUE(stat(path, &status) == 0 && (status.st_mode & 07777) == 0600);
    CU_ASSERT_EQUAL(remove(path), 0);
    *strrchr(path, '/') = '\0';
    CU_ASSERT_TRUE(stat(path, &status) == 0 && (status.st_mode & 07777) == 0700);
    CU_ASSERT_EQUAL(rmdir(path), 0); /* so nothing else was left there */
    *strrchr(path, '/') = '\0';
    CU_ASSERT_TRUE(stat(path, &status) == 0 && (status.st_mode & 07777) == 0700);
    CU_ASSERT_EQUAL(rmdir(path), 0);
    mwt_folder_destroy(&folder);
}

/* Folders further up are not made: the path is a mistake then. */
static void test_no_folder(void)
{
    struct mwt_folder folder;
    bool is_new = true;
    mw_reason why = {""};
    mwt_folder_create(&folder);

    CU_ASSERT_EQUAL(
        mwi_key_file_create(mwt_folder_file(&folder, "home/.config/mw/key"), &is_new, &why),
        MW_EIO);

    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "home/.config/mw/key"));
    CU_ASSERT_EQUAL(mwt_folder_files(&folder, false), 0);
    mwt_folder_destroy(&folder);
}

/* If the folder cannot be made, the sentence says why, and not that the file is missing. */
static void test_folder_that_cannot_be(void)
{
    bool is_new;
    mw_reason why = {""};

    CU_ASSERT_EQUAL(mwi_key_file_create("/sys/no-such-folder/mw/key", &is_new, &why), MW_EIO);

    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "its folder cannot be made: "));
}

/* A rotation puts a new key before the old one; it must be dropped before the next one. */
static void test_rotate(void)
{
    struct mwt_folder folder;
    struct mwi_key_list first, second, third;
    bool is_new;
    mw_reason why = {""};
    mwt_folder_create(&folder);
    const char *path = mwt_folder_file(&folder, "key");
    CU_ASSERT_EQUAL(mwi_key_file_create(path, &is_new, &why), MW_OK);
    CU_ASSERT_EQUAL(mwi_key_file_read(path, &first, &why), MW_OK);

    CU_ASSERT_EQUAL(mwi_key_file_rotate(path, &why), MW_OK);
    CU_ASSERT_EQUAL(mwi_key_file_read(path, &second, &why), MW_OK);
    CU_ASSERT_EQUAL(mwi_key_file_rotate(path, &why), MW_ESTATE);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "mwkey rotate --drop"));
    CU_ASSERT_EQUAL(mwi_key_file_drop(path, &why), MW_OK);
    CU_ASSERT_EQUAL(mwi_key_file_read(path, &third, &why), MW_OK);

    CU_ASSERT_EQUAL_FATAL(first.count, 1);
    CU_ASSERT_EQUAL_FATAL(second.count, 2);
    CU_ASSERT_EQUAL_FATAL(third.count, 1);
    CU_ASSERT_EQUAL(memcmp(&first.keys[0], &second.keys[1], sizeof first.keys[0]), 0);
    CU_ASSERT_EQUAL(memcmp(&second.keys[0], &third.keys[0], sizeof first.keys[0]), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(&first.keys[0], &third.keys[0], sizeof first.keys[0]), 0);
    CU_ASSERT_EQUAL(mwt_folder_files(&folder, false), 1);
    mwt_folder_destroy(&folder);
}

/* Another user who may read the folder can keep it locked. That delays a rotation, but does not
 * stop it. */
static void test_rotate_in_a_locked_folder(void)
{
    struct mwt_folder folder;
    struct mwi_key_list list;
    bool is_new;
    mw_reason why = {""};
    mwt_folder_create(&folder);
    const char *path = mwt_folder_file(&folder, "key");
    CU_ASSERT_EQUAL(mwi_key_file_create(path, &is_new, &why), MW_OK);
    int lock = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CU_ASSERT_EQUAL(flock(lock, LOCK_EX), 0);
    (void)alarm(60);

    CU_ASSERT_EQUAL(mwi_key_file_rotate(path, &why), MW_OK);

    (void)alarm(0);
    CU_ASSERT_EQUAL(mwi_key_file_read(path, &list, &why), MW_OK);
    CU_ASSERT_EQUAL(list.count, 2);
    close(lock);
    mwt_folder_destroy(&folder);
}

/* There is nothing to rotate or to drop before a file is made. */
static void test_rotate_missing(void)
{
    mw_reason why = {""};

    CU_ASSERT_EQUAL(mwi_key_file_rotate("/nonexistent-folder/key", &why), MW_EUNAVAILABLE);
    CU_ASSERT_EQUAL(mwi_key_file_drop("/nonexistent-folder/key", &why), MW_EUNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "key file \"/nonexistent-folder/key\": "));
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"make key", test_make_key},
        {"default path", test_default_path},
        {"text", test_text},
        {"edited", test_edited},
        {"cut off", test_cut_off},
        {"wrong bytes", test_wrong_bytes},
        {"create", test_create},
        {"no folder", test_no_folder},
        {"folder that cannot be", test_folder_that_cannot_be},
        {"rotate", test_rotate},
        {"rotate in a locked folder", test_rotate_in_a_locked_folder},
        {"rotate a missing file", test_rotate_missing},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("key_file", tests);
}

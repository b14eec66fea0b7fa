/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads, makes and changes the key file. record/keyring reads it for a farm, and makes it for a
 * master; the tool mwkey does all.
 *
 * Invariants: mwi_key_file_parse reads every text that mwi_key_file_format writes, and takes no
 * part of one for a whole file with fewer lines than a whole key. The memory of a text is wiped.
 * Two processes that change the file do so one after the other if the file system knows flock, and
 * nobody else keeps the lock; else the last one wins, and the keys that were good before stay good.
 */
#include "record/key_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/path.h"
#include "base/secret.h"
#include "record/private_file.h"

#define WHAT "key file"
#define HEAD "mw-key 1\n"
#define PREFIX "key:"
#define NAME_RANDOM_BYTES 8
#define NAME_BYTES (sizeof PREFIX - 1 + (size_t)2 * NAME_RANDOM_BYTES)
#define KEY_DIGITS ((size_t)2 * MW_TCP_KEY_BYTES)
#define LINE_BYTES (NAME_BYTES + sizeof " \n" - 1 + KEY_DIGITS)

/* Another process may need a moment to fill a file that it could not make in one step, or to change
 * it. */
#define COMPLETION_LOOKS 40
#define COMPLETION_PAUSE_NS 50000000

_Static_assert(sizeof HEAD - 1 + MWI_KEY_FILE_KEYS_MAX * LINE_BYTES <= MWI_KEY_FILE_BYTES_MAX,
               "a full list fits into a file");
_Static_assert(NAME_BYTES < MW_TCP_KEY_NAME_BYTES, "a key of the file has room for its name");

/* Changes the keys of the file in memory. */
typedef mw_error change_function(struct mwi_key_list *list, const char *path, mw_reason *why);

mw_error mwi_key_file_make_key(const char *prefix, size_t random_bytes, mw_tcp_key *key,
                               mw_reason *why)
{
    unsigned char random[16];
    size_t length = strlen(prefix);
    assert(random_bytes <= sizeof random && length + 2 * random_bytes < sizeof key->name);
    if (!mwi_secret_fill(random, random_bytes) || !mwi_secret_fill(key->bytes, sizeof key->bytes)) {
        snprintf(why->text, sizeof why->text, "the system gives no random bytes for a key: %s",
                 strerror(errno));
        return MW_EIO;
    }
    memset(key->name, 0, sizeof key->name);
    memcpy(key->name, prefix, length);
    mwi_secret_to_hex(random, random_bytes, key->name + length);
    return MW_OK;
}

/* The standard of XDG_CONFIG_HOME has programs ignore a path that is not absolute. */
mw_error mwi_key_file_default_path(const char *config_home, const char *home, char **path,
                                   mw_reason *why)
{
    char *joined;
    bool has_config = config_home != NULL && config_home[0] == '/';
    if (!has_config && (home == NULL || home[0] != '/')) {
        snprintf(why->text, sizeof why->text,
                 "no place for the key file is known, since neither HOME nor XDG_CONFIG_HOME is "
                 "an absolute path: name it with --mw-key-file");
        return MW_EUNAVAILABLE;
    }
    int length = has_config ? asprintf(&joined, "%s/mw/key", config_home)
                            : asprintf(&joined, "%s/.config/mw/key", home);
    if (length < 0)
        return mwi_private_file_fail(why, MW_ENOMEM, WHAT, "mw/key", "out of memory");
    *path = joined;
    return MW_OK;
}

/* Reads a line "key:NAME DIGITS\n" of LINE_BYTES. */
static bool read_line(const char *line, mw_tcp_key *key)
{
    unsigned char name[NAME_RANDOM_BYTES];
    if (memcmp(line, PREFIX, sizeof PREFIX - 1) != 0 || line[NAME_BYTES] != ' ' ||
        line[LINE_BYTES - 1] != '\n' ||
        !mwi_secret_from_hex(line + sizeof PREFIX - 1, name, sizeof name) ||
        !mwi_secret_from_hex(line + NAME_BYTES + 1, key->bytes, sizeof key->bytes))
        return false;
    memset(key->name, 0, sizeof key->name);
    memcpy(key->name, line, NAME_BYTES);
    return true;
}

static mw_error fail_incomplete(const char *path, mw_reason *why)
{
    return mwi_private_file_fail(why, MW_EUNAVAILABLE, WHAT, path,
                                 "it is not complete: if that lasts, copy it again, or remove it");
}

static mw_error fail_form(const char *path, mw_reason *why)
{
    return mwi_private_file_fail(why, MW_EPROTOCOL, WHAT, path,
                                 "it is no key file of this version of mw, or somebody has edited "
                                 "it: copy it again, remove it, or name another one");
}

mw_error mwi_key_file_parse(const char *text, size_t size, const char *path,
                            struct mwi_key_list *list, mw_reason *why)
{
    const size_t head = sizeof HEAD - 1;
    if (memcmp(text, HEAD, size < head ? size : head) != 0)
        return fail_form(path, why);
    while (size > head && text[size - 1] == '\n' && text[size - 2] == '\n')
        size--;
    if (size < head + LINE_BYTES)
        return fail_incomplete(path, why);
    size_t count = (size - head) / LINE_BYTES;
    if (count > MWI_KEY_FILE_KEYS_MAX)
        return fail_form(path, why);
    list->count = count;
    for (size_t i = 0; i < count; i++)
        if (!read_line(text + head + i * LINE_BYTES, &list->keys[i]))
            return fail_form(path, why);
    return (size - head) % LINE_BYTES == 0 ? MW_OK : fail_incomplete(path, why);
}

size_t mwi_key_file_format(const struct mwi_key_list *list, char text[MWI_KEY_FILE_BYTES_MAX])
{
    assert(list->count > 0 && list->count <= MWI_KEY_FILE_KEYS_MAX);
    char *end = text + sizeof HEAD - 1;
    memcpy(text, HEAD, sizeof HEAD - 1);
    for (size_t i = 0; i < list->count; i++, end += LINE_BYTES) {
        assert(strlen(list->keys[i].name) == NAME_BYTES);
        memcpy(end, list->keys[i].name, NAME_BYTES);
        end[NAME_BYTES] = ' ';
        mwi_secret_to_hex(list->keys[i].bytes, MW_TCP_KEY_BYTES, end + NAME_BYTES + 1);
        end[LINE_BYTES - 1] = '\n';
    }
    return (size_t)(end - text);
}

static void say_who_makes_it(mw_reason *why)
{
    size_t length = strlen(why->text);
    snprintf(why->text + length, sizeof why->text - length,
             ": a TCP master of this user makes it, or mwkey create; if the home folder is not "
             "shared, copy it to this machine");
}

mw_error mwi_key_file_read(const char *path, struct mwi_key_list *list, mw_reason *why)
{
    struct mwi_secret content;
    size_t size;
    mw_error error =
        mwi_private_file_read(WHAT, path, MWI_KEY_FILE_BYTES_MAX, &content, &size, why);
    if (error == MW_OK) {
        error = mwi_key_file_parse(content.data, size, path, list, why);
        mwi_secret_fini(&content);
    } else if (error == MW_EUNAVAILABLE) {
        say_who_makes_it(why);
    }
    if (error != MW_OK)
        mwi_secret_wipe(list, sizeof *list);
    return error;
}

/* Makes the missing folders of the path, at most `levels`. Returns 0, or the errno of the last one.
 */
static int make_folders(const char *path, int levels)
{
    char *folder = mwi_path_beside(path, ".");
    if (folder == NULL)
        return ENOMEM;
    int number = 0;
    char *slash = strrchr(folder, '/');
    if (slash != NULL && slash != folder) {
        *slash = '\0';
        number = mkdir(folder, 0700) == 0 ? 0 : errno;
        if (number == ENOENT && levels > 1) {
            number = make_folders(folder, levels - 1);
            if (number == 0)
                number = mkdir(folder, 0700) == 0 ? 0 : errno;
        }
    }
    free(folder);
    return number == EEXIST ? 0 : number;
}

/* Waits until a file that another process is making can be read. */
static mw_error await_other(const char *path, struct mwi_key_list *list, mw_reason *why)
{
    const struct timespec pause = {.tv_nsec = COMPLETION_PAUSE_NS};
    mw_error error = mwi_key_file_read(path, list, why);
    for (int i = 1; i < COMPLETION_LOOKS && error == MW_EUNAVAILABLE; i++) {
        nanosleep(&pause, NULL);
        error = mwi_key_file_read(path, list, why);
    }
    return error;
}

/* Memory for keys and for the text of a file with them. */
struct desk {
    struct mwi_key_list list;
    char text[MWI_KEY_FILE_BYTES_MAX];
};

static mw_error open_desk(struct mwi_secret *secret, const char *path, mw_reason *why)
{
    if (mwi_secret_init(secret, sizeof(struct desk)))
        return MW_OK;
    return mwi_private_file_fail(why, MW_ENOMEM, WHAT, path, "out of memory");
}

static mw_error create_at(const char *path, struct desk *desk, bool *is_new, mw_reason *why)
{
    bool has_made = false;
    desk->list.count = 1;
    mw_error error = mwi_key_file_make_key(PREFIX, NAME_RANDOM_BYTES, &desk->list.keys[0], why);
    if (error != MW_OK)
        return error;
    size_t size = mwi_key_file_format(&desk->list, desk->text);
    error = mwi_private_file_create(WHAT, path, desk->text, size, &has_made, why);
    if (error == MW_OK && !has_made)
        error = await_other(path, &desk->list, why);
    if (error == MW_OK)
        *is_new = has_made;
    return error;
}

mw_error mwi_key_file_create(const char *path, bool *is_new, mw_reason *why)
{
    struct mwi_secret secret;
    char *located;
    mw_error error = mwi_private_file_locate(WHAT, path, &located, why);
    if (error != MW_OK)
        return error;
    int number = make_folders(located, 2);
    error = open_desk(&secret, path, why);
    if (error == MW_OK)
        error = create_at(located, secret.data, is_new, why);
    mwi_secret_fini(&secret);
    /* A folder further up that is missing is the user's mistake, and told as such. */
    if (error == MW_EIO && number != 0 && number != ENOENT)
        error = mwi_private_file_fail(why, MW_EIO, WHAT, path, "its folder cannot be made: %s",
                                      strerror(number));
    free(located);
    return error;
}

/* Waits until no other process changes files in the folder. A folder that others can read can be
 * locked by them for ever, so it does not wait longer than any change takes. */
static void await_lock(int folder)
{
    const struct timespec pause = {.tv_nsec = COMPLETION_PAUSE_NS};
    for (int i = 0; i < COMPLETION_LOOKS; i++) {
        if (flock(folder, LOCK_EX | LOCK_NB) == 0 || (errno != EWOULDBLOCK && errno != EINTR))
            return;
        nanosleep(&pause, NULL);
    }
}

/* Opens the folder of the file and locks it, if that can be had. Returns a descriptor, or -1. */
static int lock_folder(const char *path)
{
    char *folder = mwi_path_beside(path, ".");
    int fd = folder == NULL ? -1 : open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(folder);
    if (fd >= 0)
        await_lock(fd);
    return fd;
}

static mw_error change_at(const char *path, struct desk *desk, change_function *change,
                          mw_reason *why)
{
    mw_error error = mwi_key_file_read(path, &desk->list, why);
    if (error == MW_OK)
        error = change(&desk->list, path, why);
    if (error != MW_OK)
        return error;
    size_t size = mwi_key_file_format(&desk->list, desk->text);
    return mwi_private_file_replace(WHAT, path, desk->text, size, why);
}

static mw_error change_file(const char *path, change_function *change, mw_reason *why)
{
    struct mwi_secret secret;
    char *located;
    mw_error error = mwi_private_file_locate(WHAT, path, &located, why);
    if (error != MW_OK)
        return error;
    int lock = lock_folder(located);
    error = open_desk(&secret, path, why);
    if (error == MW_OK)
        error = change_at(located, secret.data, change, why);
    mwi_secret_fini(&secret);
    if (lock >= 0)
        close(lock);
    free(located);
    return error;
}

static mw_error add_key(struct mwi_key_list *list, const char *path, mw_reason *why)
{
    if (list->count == MWI_KEY_FILE_KEYS_MAX)
        return mwi_private_file_fail(why, MW_ESTATE, WHAT, path,
                                     "the key before is still good: drop it first, with mwkey "
                                     "rotate --drop");
    mwi_secret_copy(&list->keys[1], &list->keys[0], sizeof list->keys[0]);
    list->count = 2;
    return mwi_key_file_make_key(PREFIX, NAME_RANDOM_BYTES, &list->keys[0], why);
}

static mw_error keep_first(struct mwi_key_list *list, const char *path, mw_reason *why)
{
    (void)path;
    (void)why;
    list->count = 1;
    return MW_OK;
}

mw_error mwi_key_file_rotate(const char *path, mw_reason *why)
{
    return change_file(path, add_key, why);
}

mw_error mwi_key_file_drop(const char *path, mw_reason *why)
{
    return change_file(path, keep_first, why);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The key file: the keys of a user, for slaves that do not read the resource file of their farm. It
 * is text:
 *
 *     mw-key 1
 *     key:0123456789abcdef 64 hexadecimal digits
 *     key:fedcba9876543210 64 hexadecimal digits
 *
 * The first key is the current one, which slaves prove and masters take. The second one, if there
 * is one, is the one before, which masters take until it is dropped. A key's name is random, too,
 * and no secret.
 *
 * Everything is borrowed for the call. A struct mwi_key_list holds secrets: its owner keeps it in a
 * secret (base/secret.h) or wipes it.
 */
#ifndef MWI_KEY_FILE_H
#define MWI_KEY_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include <mw/error.h>
#include <mw/transport.h>

#define MWI_KEY_FILE_KEYS_MAX 2
#define MWI_KEY_FILE_BYTES_MAX 512

struct mwi_key_list {
    size_t count;
    mw_tcp_key keys[MWI_KEY_FILE_KEYS_MAX];
};

/* Makes a new key, named `prefix` and twice `random_bytes` hexadecimal digits, at most 16 bytes.
 * Errors, with a sentence: MW_EIO if the system gives no random bytes. */
mw_error mwi_key_file_make_key(const char *prefix, size_t random_bytes, mw_tcp_key *key,
                               mw_reason *why) MW_USE_RESULT;

/* Where the key file is if the user names none: $XDG_CONFIG_HOME/mw/key, or $HOME/.config/mw/key.
 * The two values are NULL if the variable is not set. *path is malloc'd. Errors, with a sentence:
 * MW_EUNAVAILABLE if neither variable has an absolute path, MW_ENOMEM. */
mw_error mwi_key_file_default_path(const char *config_home, const char *home, char **path,
                                   mw_reason *why) MW_USE_RESULT;

/* Makes the list from the text of a file; `path` is for sentences. Empty lines at the end, which an
 * editor may have added, are ignored. On failure the contents of *list are undefined. Errors, with
 * a sentence: MW_EUNAVAILABLE if it is incomplete, so that it may be whole soon; MW_EPROTOCOL if it
 * is no key file. */
mw_error mwi_key_file_parse(const char *text, size_t size, const char *path,
                            struct mwi_key_list *list, mw_reason *why) MW_USE_RESULT;

/* Writes the text of a file, without a NUL, and returns its size. The caller wipes it. */
size_t mwi_key_file_format(const struct mwi_key_list *list, char text[MWI_KEY_FILE_BYTES_MAX]);

/* Reads the file; on failure *list is empty. Errors: those of mwi_private_file_read and of
 * mwi_key_file_parse. */
mw_error mwi_key_file_read(const char *path, struct mwi_key_list *list,
                           mw_reason *why) MW_USE_RESULT;

/* Makes the file with one new key, unless there is one, and then sets *is_new to true. Makes up to
 * two folders that are missing above it, with mode 0700. It is no error if another process makes
 * the file at the same time. Errors: those of mwi_private_file_create. */
mw_error mwi_key_file_create(const char *path, bool *is_new, mw_reason *why) MW_USE_RESULT;

/* Puts a new key before the key of the file. Errors: those of mwi_key_file_read; MW_ESTATE if there
 * are two already, as slaves that still prove the second one would be refused. Waits while another
 * process changes the file, where the file system can tell. */
mw_error mwi_key_file_rotate(const char *path, mw_reason *why) MW_USE_RESULT;

/* Removes all keys but the first. The same errors, and the same waiting. */
mw_error mwi_key_file_drop(const char *path, mw_reason *why) MW_USE_RESULT;

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys that a process holds: that of its farm, which stands in the resource file, and those of
 * the user's key file. They lie in memory that is in no core and that no child of fork() inherits.
 * A process that is a child of the one that made the keyring, such as a farm that has become a
 * daemon, reads its keys again when it needs them.
 *
 * The key file may change. tend looks at it: once a minute, and once a second if keys of it were
 * asked for since. It reads the file again if it looks different, and otherwise once a minute. So
 * new keys are found, and dropped ones are not taken for ever. A file that cannot be read takes its
 * keys with it. `now_ns` is the time on the clock of the loop.
 */
#ifndef MWI_KEYRING_H
#define MWI_KEYRING_H

#include <stdbool.h>
#include <stdint.h>

#include <mw/error.h>
#include <mw/transport.h>

struct mwi_keyring;

/* Makes a keyring without keys, at *keyring. Errors, with a sentence: MW_ENOMEM. */
mw_error mwi_keyring_open(struct mwi_keyring **keyring, mw_reason *why) MW_USE_RESULT;

/* Wipes and frees everything. NULL is legal. */
void mwi_keyring_close(struct mwi_keyring *keyring);

/* For a master: makes a new key for its farm, "farm:" and 32 hexadecimal digits. Errors, with a
 * sentence: MW_EIO. */
mw_error mwi_keyring_make_farm_key(struct mwi_keyring *keyring, mw_reason *why) MW_USE_RESULT;

/* For a slave: copies the key of the resource file that it has read; NULL: the file has none. */
void mwi_keyring_take_farm_key(struct mwi_keyring *keyring, const mw_tcp_key *key);

/* The resource file in which the farm's key stands, copied: the key is read from there again after
 * it was lost with a fork. False if memory runs out. */
bool mwi_keyring_remember_farm(struct mwi_keyring *keyring, const char *resource_file);

/* The farm's key; NULL if there is none. Borrowed until the next call. */
const mw_tcp_key *mwi_keyring_farm_key(struct mwi_keyring *keyring);

/* Uses the keys of the key file at `path`, which is copied, from now on. With `may_create`, for a
 * master, the file is made if there is none, and must then be readable; without, for a slave, it is
 * read when a key is needed, and may come later. Errors, with a sentence: those of
 * mwi_key_file_create and mwi_key_file_read; MW_ENOMEM. */
mw_error mwi_keyring_use_file(struct mwi_keyring *keyring, const char *path, bool may_create,
                              mw_reason *why) MW_USE_RESULT;

/* For a master: copies the key of this name to *key, which the caller wipes; false if there is
 * none. Looks at memory only, so that it may be called for strangers as often as they like. */
bool mwi_keyring_find(struct mwi_keyring *keyring, const char *name, mw_tcp_key *key);

/* For a master, whose loop has a chore for this: looks at the key file if that is due, and when it
 * will be due; INT64_MAX if no key file is used. */
void mwi_keyring_tend(struct mwi_keyring *keyring, int64_t now_ns);
int64_t mwi_keyring_deadline(const struct mwi_keyring *keyring);

/* For a slave: copies the key that it proves to *key, which the caller wipes: that of the farm, or
 * else the first one of the file. Looks at the key file as tend does, and each time while it has no
 * key. Errors, with a sentence: MW_EUNAVAILABLE if there is no key, perhaps not yet; MW_ENOMEM. */
mw_error mwi_keyring_own(struct mwi_keyring *keyring, int64_t now_ns, mw_tcp_key *key,
                         mw_reason *why) MW_USE_RESULT;

/* Why the key file could not be read the last time: a sentence; "" if it could be. Borrowed until
 * the next call. */
const char *mwi_keyring_problem(const struct mwi_keyring *keyring);

#endif

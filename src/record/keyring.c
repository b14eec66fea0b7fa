/* SPDX-License-Identifier: Apache-2.0
 *
 * Holds the keys of a process and reads its key file again. face/trust makes one for a master or a
 * slave, and asks it for the tcp transport; loop/announce takes the farm's key from it.
 *
 * Invariants: keys lie only in the secret page. After a fork the page is lost, and `restore` makes
 * a new one before anything else. A key file that cannot be read takes its keys with it.
 */
#include "record/keyring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/path.h"
#include "base/secret.h"
#include "base/time.h"
#include "record/key_file.h"
#include "record/resource_file.h"

#define READ_AGAIN_NS (60 * MWI_NS_PER_S)
#define LOOK_NS MWI_NS_PER_S
#define NEVER INT64_MIN

#define FARM_PREFIX "farm:"
#define FARM_RANDOM_BYTES 16

/* The contents of the page. */
struct keys {
    bool has_farm;
    mw_tcp_key farm;
    struct mwi_key_list file;
};

/* If one of these differs, the key file has changed. */
struct mark {
    dev_t device;
    ino_t inode;
    mode_t mode;
    uid_t owner;
    struct timespec changed;
};

struct mwi_keyring {
    struct mwi_secret secret; /* a struct keys */
    char *path;               /* of the key file; or NULL */
    char *farm_path;          /* of the resource file with the farm's key; or NULL */
    struct mark mark;         /* of the key file, when it was looked at the last time */
    int64_t looked_ns;        /* when that was; or NEVER */
    int64_t stale_ns;         /* when the file is read although it looks the same */
    bool is_asked;            /* a key was asked for since */
    mw_reason problem;        /* of the last reading of the key file; "" if it went well */
};

/* The next look reads the key file. */
static void forget_file(struct mwi_keyring *keyring)
{
    keyring->mark = (struct mark){.device = 0};
    keyring->looked_ns = NEVER;
    keyring->stale_ns = INT64_MIN;
}

static struct keys *keys_of(struct mwi_keyring *keyring)
{
    return keyring->secret.data;
}

static mw_error fail_memory(mw_reason *why)
{
    snprintf(why->text, sizeof why->text, "there is no memory for keys");
    return MW_ENOMEM;
}

mw_error mwi_keyring_open(struct mwi_keyring **keyring, mw_reason *why)
{
    struct mwi_keyring *opened = calloc(1, sizeof *opened);
    if (opened == NULL || !mwi_secret_init(&opened->secret, sizeof(struct keys))) {
        free(opened);
        return fail_memory(why);
    }
    forget_file(opened);
    *keyring = opened;
    return MW_OK;
}

void mwi_keyring_close(struct mwi_keyring *keyring)
{
    if (keyring == NULL)
        return;
    mwi_secret_fini(&keyring->secret);
    free(keyring->path);
    free(keyring->farm_path);
    free(keyring);
}

static void read_farm_key(struct mwi_keyring *keyring)
{
    struct mwi_resource resource;
    mw_reason why;
    if (keyring->farm_path == NULL ||
        mwi_resource_file_read(keyring->farm_path, &resource, &why) != MW_OK)
        return;
    mwi_keyring_take_farm_key(keyring, resource.key);
    mwi_resource_fini(&resource);
}

/* Makes the page anew if it was lost with a fork. Returns whether there is a page. */
static bool restore(struct mwi_keyring *keyring)
{
    if (keyring->secret.data != NULL && !mwi_secret_is_lost(&keyring->secret))
        return true;
    mwi_secret_fini(&keyring->secret);
    if (!mwi_secret_init(&keyring->secret, sizeof(struct keys)))
        return false;
    forget_file(keyring);
    read_farm_key(keyring);
    return true;
}

mw_error mwi_keyring_make_farm_key(struct mwi_keyring *keyring, mw_reason *why)
{
    struct keys *keys = keys_of(keyring);
    mw_error error = mwi_key_file_make_key(FARM_PREFIX, FARM_RANDOM_BYTES, &keys->farm, why);
    keys->has_farm = error == MW_OK;
    return error;
}

void mwi_keyring_take_farm_key(struct mwi_keyring *keyring, const mw_tcp_key *key)
{
    struct keys *keys = keys_of(keyring);
    keys->has_farm = key != NULL;
    if (key != NULL)
        mwi_secret_copy(&keys->farm, key, sizeof keys->farm);
    else
        mwi_secret_wipe(&keys->farm, sizeof keys->farm);
}

bool mwi_keyring_remember_farm(struct mwi_keyring *keyring, const char *resource_file)
{
    free(keyring->farm_path);
    keyring->farm_path = strdup(resource_file);
    return keyring->farm_path != NULL;
}

const mw_tcp_key *mwi_keyring_farm_key(struct mwi_keyring *keyring)
{
    return restore(keyring) && keys_of(keyring)->has_farm ? &keys_of(keyring)->farm : NULL;
}

/* Reads the key file. Keys of a file that is gone, or that is not as it must be, are good no
 * longer. */
static mw_error read_file(struct mwi_keyring *keyring, mw_reason *why)
{
    mw_error error = mwi_key_file_read(keyring->path, &keys_of(keyring)->file, why);
    if (error == MW_OK)
        keyring->problem.text[0] = '\0';
    else
        keyring->problem = *why;
    return error;
}

/* Whether the file is another one, or was changed, since it was read. */
static bool has_changed(struct mwi_keyring *keyring)
{
    struct stat status;
    struct mark mark = {.device = 0};
    if (stat(keyring->path, &status) == 0)
        mark = (struct mark){.device = status.st_dev,
                             .inode = status.st_ino,
                             .mode = status.st_mode,
                             .owner = status.st_uid,
                             .changed = status.st_ctim};
    bool is_same = mark.device == keyring->mark.device && mark.inode == keyring->mark.inode &&
                   mark.mode == keyring->mark.mode && mark.owner == keyring->mark.owner &&
                   mark.changed.tv_sec == keyring->mark.changed.tv_sec &&
                   mark.changed.tv_nsec == keyring->mark.changed.tv_nsec;
    keyring->mark = mark;
    return !is_same;
}

/* The look comes before the reading: a change in between is found by the next look. */
static void look_at_file(struct mwi_keyring *keyring, int64_t now_ns)
{
    mw_reason why;
    keyring->looked_ns = now_ns;
    keyring->is_asked = false;
    bool must_read = has_changed(keyring) || now_ns >= keyring->stale_ns;
    if (!must_read)
        return;
    (void)read_file(keyring, &why);
    keyring->stale_ns = mwi_time_after(now_ns, READ_AGAIN_NS);
}

int64_t mwi_keyring_deadline(const struct mwi_keyring *keyring)
{
    if (keyring->path == NULL)
        return INT64_MAX;
    if (keyring->looked_ns == NEVER)
        return INT64_MIN;
    return mwi_time_after(keyring->looked_ns, keyring->is_asked ? LOOK_NS : READ_AGAIN_NS);
}

void mwi_keyring_tend(struct mwi_keyring *keyring, int64_t now_ns)
{
    if (restore(keyring) && now_ns >= mwi_keyring_deadline(keyring))
        look_at_file(keyring, now_ns);
}

mw_error mwi_keyring_use_file(struct mwi_keyring *keyring, const char *path, bool may_create,
                              mw_reason *why)
{
    bool is_new;
    char *copy = mwi_path_absolute(path);
    if (copy == NULL)
        return fail_memory(why);
    free(keyring->path);
    keyring->path = copy;
    forget_file(keyring);
    if (!may_create)
        return MW_OK;
    mw_error error = mwi_key_file_create(copy, &is_new, why);
    return error == MW_OK ? read_file(keyring, why) : error;
}

static const mw_tcp_key *find_key(const struct keys *keys, const char *name)
{
    if (keys->has_farm && strcmp(keys->farm.name, name) == 0)
        return &keys->farm;
    for (size_t i = 0; i < keys->file.count; i++)
        if (strcmp(keys->file.keys[i].name, name) == 0)
            return &keys->file.keys[i];
    return NULL;
}

bool mwi_keyring_find(struct mwi_keyring *keyring, const char *name, mw_tcp_key *key)
{
    if (!restore(keyring))
        return false;
    const struct keys *keys = keys_of(keyring);
    const mw_tcp_key *found = find_key(keys, name);
    if (found != &keys->farm)
        keyring->is_asked = true;
    if (found == NULL)
        return false;
    mwi_secret_copy(key, found, sizeof *key);
    return true;
}

mw_error mwi_keyring_own(struct mwi_keyring *keyring, int64_t now_ns, mw_tcp_key *key,
                         mw_reason *why)
{
    if (!restore(keyring))
        return fail_memory(why);
    const struct keys *keys = keys_of(keyring);
    if (keys->has_farm) {
        mwi_secret_copy(key, &keys->farm, sizeof *key);
        return MW_OK;
    }
    if (keyring->path == NULL) {
        snprintf(why->text, sizeof why->text,
                 "no key is known: name the resource file of the master, or a key file with "
                 "--mw-key-file");
        return MW_EUNAVAILABLE;
    }
    keyring->is_asked = true;
    if (keys->file.count == 0 || now_ns >= mwi_keyring_deadline(keyring))
        look_at_file(keyring, now_ns);
    if (keys->file.count == 0) {
        *why = keyring->problem;
        return MW_EUNAVAILABLE;
    }
    mwi_secret_copy(key, &keys->file.keys[0], sizeof *key);
    return MW_OK;
}

const char *mwi_keyring_problem(const struct mwi_keyring *keyring)
{
    return keyring->problem.text;
}

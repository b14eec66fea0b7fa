/* SPDX-License-Identifier: Apache-2.0
 *
 * The search of a slave for its master, for face/slave_open and face/slave_return. It looks where
 * the settings and the resource file say, again and again with growing pauses, until a master has
 * accepted or refused the slave or the time is up. The master may come later than the slave, and so
 * may its resource file, which is read again before each attempt.
 *
 * Invariant: when the search is over without an error, a master has welcomed the slave or told it
 * to stop. Another place where a master can be found is a case in find_address.
 */
#include "face/slave_search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "base/digest.h"
#include "base/time.h"
#include "face/slave_error.h"
#include "record/resource_file.h"

#define PAUSE_MIN_NS INT64_C(20000000)
#define PAUSE_MAX_NS MWI_NS_PER_S

/* A slave that returns makes its first attempt after up to RETURN_MIN_NS, since a thousand slaves
 * may have lost their master in the same moment. */
#define RETURN_MIN_NS (100 * MWI_NS_PER_MS)
#define RETURN_MAX_NS (4 * MWI_NS_PER_S)

struct mwi_slave_search {
    enum mwi_mode mode;
    char *resource_file;                  /* or NULL */
    char place[MWI_PLACE_ADDRESS_BYTES];  /* where the master is, unless the book says it */
    struct mwi_address_book address_book; /* with the contents of the resource file */
    struct mwi_keyring *keyring;          /* with its key; NULL: nothing is encrypted */
    struct mwi_loop *loop;
    size_t index;   /* of the transport in the loop */
    mw_reason told; /* the trail has this about the resource file */
    int64_t connect_timeout_ns, reconnect_ns;
    bool is_return;      /* the limit is --mw-reconnect */
    unsigned count;      /* of attempts */
    int64_t deadline_ns; /* of the search */
    int64_t pause_ns;    /* until the attempt after the next one */
    int64_t next_ns;     /* when the next attempt is due */
};

/* Another master may write the file anew, so the search goes on. */
static mw_error fail_no_address(const char *path, const struct mwi_resource *resource,
                                mw_reason *why)
{
    const char *takes = "is not reached over TCP: start a master with --mw-master";
    if (strcmp(resource->transport, "mpi") == 0)
        takes = "takes MPI ranks only: start it with --mw-transport mpi,tcp";
    else if (strcmp(resource->transport, "tcp") == 0)
        takes = "takes only slaves that it starts itself: start it with --mw-master";
    snprintf(why->text, sizeof why->text, "the master of \"%.200s\" %s", path, takes);
    return MW_EUNAVAILABLE;
}

/* Tells the trail at once what only the user can mend, and not only when the time is up. */
static void tell(struct mwi_slave_search *search, const mw_reason *why)
{
    if (strcmp(search->told.text, why->text) == 0)
        return;
    search->told = *why;
    mwi_loop_audit(search->loop, (struct mwi_audit_record){.kind = MWI_AUDIT_RESFILE_PROBLEM,
                                                           .role = MWI_ROLE_SLAVE,
                                                           .path = search->resource_file,
                                                           .reason = why->text});
}

/* Neither of the two gives way to the other. */
static mw_error fail_encryption(const char *path, bool is_encrypted, mw_reason *why)
{
    snprintf(why->text, sizeof why->text,
             is_encrypted ? "the master of \"%.200s\" encrypts, and this slave has --mw-insecure: "
                            "start it without"
                          : "the master of \"%.200s\" has --mw-insecure, and encrypts nothing: "
                            "start both with that option, or both without",
             path);
    return MW_EUNAVAILABLE;
}

static mw_error take_key(struct mwi_slave_search *search, const struct mwi_resource *resource,
                         mw_reason *why)
{
    bool is_encrypted = resource->encryption != MWI_ENCRYPTION_NONE;
    if (is_encrypted == (search->keyring != NULL)) {
        if (is_encrypted)
            mwi_keyring_take_farm_key(search->keyring, resource->key);
        return MW_OK;
    }
    mw_error error = fail_encryption(search->resource_file, is_encrypted, why);
    tell(search, why);
    return error;
}

static mw_error take_resource(struct mwi_slave_search *search, const struct mwi_resource *resource,
                              mw_reason *why)
{
    struct mwi_address_book *book = &search->address_book;
    mw_error error = mwi_address_book_take_member_id(book, resource->member_id, why);
    if (error == MW_OK && resource->host == NULL)
        return fail_no_address(search->resource_file, resource, why);
    if (error == MW_OK)
        error = take_key(search, resource, why);
    if (error == MW_OK)
        error = mwi_address_book_take_host(book, resource->host, why);
    if (error == MW_OK)
        error = mwi_address_book_take_port(book, resource->port, why);
    return error;
}

/* Reads the resource file into the address book. MW_EGONE: the computation is finished.
 * MW_EUNAVAILABLE: nothing usable yet. */
static mw_error read_resource_file(struct mwi_slave_search *search, mw_reason *why)
{
    struct mwi_resource resource;
    const char *path = search->resource_file;
    mw_error error = mwi_resource_file_read(path, &resource, why);
    if (error != MW_OK && error != MW_EUNAVAILABLE)
        tell(search, why);
    if (error != MW_OK)
        return MW_EUNAVAILABLE;
    if (resource.computation_status == MWI_COMPUTATION_FINISHED) {
        snprintf(why->text, sizeof why->text,
                 "resource file \"%.200s\": the computation is finished", path);
        error = MW_EGONE;
    } else {
        error = take_resource(search, &resource, why);
    }
    mwi_resource_fini(&resource);
    return error;
}

static mw_error find_address(struct mwi_slave_search *search, char address[MWI_PLACE_ADDRESS_BYTES],
                             mw_reason *why)
{
    const struct mwi_address_book *book = &search->address_book;
    mw_error error = MW_OK;
    if (search->mode != MWI_MODE_TCP_SLAVE) {
        snprintf(address, MWI_PLACE_ADDRESS_BYTES, "%s", search->place);
        return MW_OK;
    }
    if (search->resource_file != NULL)
        error = read_resource_file(search, why);
    if (error == MW_EUNAVAILABLE && mwi_address_book_is_complete(book))
        error = MW_OK;
    if (error != MW_OK)
        return error;
    if (!mwi_address_book_is_complete(book)) {
        snprintf(why->text, sizeof why->text, "no host and port of a master is known");
        return MW_EUNAVAILABLE;
    }
    mwi_address_book_write(book, address, MWI_PLACE_ADDRESS_BYTES);
    return MW_OK;
}

/* The engine greets with the member id, which a resource file may have changed. */
static void set_member_id(mw_slave *slave, const struct mwi_address_book *book)
{
    snprintf(slave->member_id, sizeof slave->member_id, "%s", book->member_id);
    slave->engine.config.member_id = slave->member_id;
}

/* Begins one attempt, or sets the reason why not in the engine. Errors end the search. */
static mw_error begin_attempt(mw_slave *slave, struct mwi_slave_search *search)
{
    mw_reason why = {""};
    char address[MWI_PLACE_ADDRESS_BYTES];
    mw_peer peer;
    mw_error error = find_address(search, address, &why);
    if (error == MW_OK) {
        set_member_id(slave, &search->address_book);
        error = mwi_loop_connect(slave->loop, search->index, address, &peer, &why);
    }
    if (error == MW_OK) {
        mwi_slave_engine_connecting(&slave->engine, peer, address);
        return MW_OK;
    }
    if (why.text[0] == '\0')
        snprintf(why.text, sizeof why.text, "%s", mw_error_text(error));
    if (error == MW_EGONE || error == MW_EUSAGE || error == MW_EINVAL || error == MW_ENOMEM ||
        search->mode == MWI_MODE_MPI_SLAVE)
        return mwi_slave_error_set(slave, error, "%s", why.text);
    mwi_slave_engine_cannot_connect(&slave->engine, why.text);
    return MW_OK;
}

/* The reason why the last attempt has not succeeded. */
static const char *obstacle(const mw_slave *slave)
{
    switch (slave->engine.phase) {
    case MWI_PHASE_CONNECTING:
        return "the last attempt to connect is still without an outcome";
    case MWI_PHASE_GREETING:
        return "a master is there, but has not answered the greeting";
    default:
        return slave->engine.reason;
    }
}

static mw_error time_is_up(mw_slave *slave, const struct mwi_slave_search *search)
{
    char seconds[MWI_DECIMAL_BYTES];
    const char *address = slave->engine.address, *colon = address[0] == '\0' ? "" : ": ";
    if (search->is_return)
        return mwi_slave_error_set(
            slave, MW_ETIMEOUT,
            "no master accepted this slave within --mw-reconnect of %s s: %s%s%s",
            mwi_decimal_write(seconds, mwi_time_to_seconds(search->reconnect_ns)), address, colon,
            obstacle(slave));
    return mwi_slave_error_set(
        slave, MW_ETIMEOUT,
        "no master accepted this slave within --mw-connect-timeout of %s s: %s%s%s",
        mwi_decimal_write(seconds, mwi_time_to_seconds(search->connect_timeout_ns)), address, colon,
        obstacle(slave));
}

static bool is_under_way(const mw_slave *slave)
{
    return slave->engine.phase == MWI_PHASE_CONNECTING || slave->engine.phase == MWI_PHASE_GREETING;
}

/* Whether a master has welcomed the slave. It may have gone since: the slave algorithm hears that.
 */
static bool has_found(const mw_slave *slave)
{
    return slave->engine.phase == MWI_PHASE_READY || slave->engine.phase == MWI_PHASE_SHUTDOWN ||
           slave->engine.phase == MWI_PHASE_GONE;
}

/* Half of the pause to one and a half of it. Slaves that have lost one master differ in this, and a
 * simulated one repeats itself. */
static int64_t jitter(const mw_slave *slave, const struct mwi_slave_search *search,
                      int64_t pause_ns)
{
    const struct mwi_greeting_origin *origin = &slave->origin;
    uint64_t seed = (uint64_t)origin->pid << 32 | slave->engine.sid;
    uint64_t drawn = mwi_digest_64(seed + search->count, origin->host, strlen(origin->host));
    return pause_ns / 2 + (int64_t)(drawn % (uint64_t)(pause_ns + 1));
}

/* Begins an attempt, and sets when the next one is due if this one fails. */
static mw_error attempt(mw_slave *slave, struct mwi_slave_search *search, int64_t now_ns)
{
    int64_t pause_ns =
        search->is_return ? jitter(slave, search, search->pause_ns) : search->pause_ns;
    int64_t pause_max_ns = search->is_return ? RETURN_MAX_NS : PAUSE_MAX_NS;
    search->count++;
    search->next_ns = mwi_time_earlier(mwi_time_after(now_ns, pause_ns), search->deadline_ns);
    if (search->pause_ns < pause_max_ns)
        search->pause_ns *= 2;
    return begin_attempt(slave, search);
}

static void begin(struct mwi_slave_search *search, int64_t limit_ns, int64_t pause_ns)
{
    int64_t now_ns = mwi_loop_now(search->loop);
    search->deadline_ns = mwi_time_after(now_ns, limit_ns);
    search->pause_ns = pause_ns;
    search->next_ns = now_ns;
    search->count = 0;
}

void mwi_slave_search_begin_return(mw_slave *slave)
{
    struct mwi_slave_search *search = slave->search;
    search->is_return = true;
    begin(search, search->reconnect_ns, RETURN_MIN_NS);
    search->next_ns += jitter(slave, search, RETURN_MIN_NS) - RETURN_MIN_NS / 2;
    search->next_ns = mwi_time_earlier(search->next_ns, search->deadline_ns);
}

mw_error mwi_slave_search_advance(mw_slave *slave, int64_t *until_ns)
{
    struct mwi_slave_search *search = slave->search;
    int64_t now_ns = mwi_loop_now(search->loop);
    bool is_late = search->count > 0 && now_ns >= search->deadline_ns;
    *until_ns = is_under_way(slave) ? search->deadline_ns : search->next_ns;
    if (is_late && now_ns >= *until_ns)
        return time_is_up(slave, search);
    if (now_ns < *until_ns)
        return MW_OK;
    /* A descriptor has one other end; a rank that does not listen has done with it. */
    if (search->count > 0 && search->mode != MWI_MODE_TCP_SLAVE && search->mode != MWI_MODE_CUSTOM)
        return mwi_slave_error_set(slave, MW_EGONE, "the master is gone: %s", slave->engine.reason);
    mw_error error = attempt(slave, search, now_ns);
    *until_ns = is_under_way(slave) ? search->deadline_ns : search->next_ns;
    return error;
}

mw_error mwi_slave_search_master(mw_slave *slave)
{
    struct mwi_slave_search *search = slave->search;
    int64_t until_ns;
    mw_reason why;
    begin(search, search->connect_timeout_ns, PAUSE_MIN_NS);
    for (;;) {
        mw_error error = mwi_slave_search_advance(slave, &until_ns);
        if (error != MW_OK)
            return error;
        error = mwi_loop_turn(slave->loop, until_ns, NULL, &why);
        if (error != MW_OK)
            return mwi_slave_error_set(slave, error, "%s", why.text);
        if (has_found(slave))
            return MW_OK;
        error = mwi_slave_error_check(slave);
        if (error != MW_OK)
            return error;
    }
}

mw_error mwi_slave_search_open(mw_slave *slave, const struct mwi_slave_settings *settings,
                               size_t index)
{
    struct mwi_slave_search *search = calloc(1, sizeof *search);
    slave->search = search;
    if (search == NULL)
        return mwi_slave_error_set(slave, MW_ENOMEM, "%s", mw_error_text(MW_ENOMEM));
    *search = (struct mwi_slave_search){.mode = settings->mode,
                                        .address_book = settings->address_book,
                                        .keyring = slave->trust.keyring,
                                        .loop = slave->loop,
                                        .index = index,
                                        .connect_timeout_ns = settings->connect_timeout_ns,
                                        .reconnect_ns = settings->engine.reconnect_ns};
    snprintf(search->place, sizeof search->place, "%s", settings->place.address);
    if (settings->resource_file == NULL)
        return MW_OK;
    search->resource_file = strdup(settings->resource_file);
    return search->resource_file != NULL
               ? MW_OK
               : mwi_slave_error_set(slave, MW_ENOMEM, "%s", mw_error_text(MW_ENOMEM));
}

void mwi_slave_search_close(struct mwi_slave_search *search)
{
    if (search == NULL)
        return;
    free(search->resource_file);
    free(search);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The search of a slave for its master, for face/slave_open. It looks where the settings and the
 * resource file say, again and again with growing pauses, until a master has accepted or refused
 * the slave or the time is up. The master may come later than the slave, and so may its resource
 * file, which is read again before each attempt.
 *
 * Invariant: when the search is over without an error, a master has welcomed the slave or told it
 * to stop. Another place where a master can be found is a case in find_address.
 */
#include "face/slave_search.h"

#include <stdio.h>
#include <string.h>

#include "base/decimal.h"
#include "base/time.h"
#include "record/resource_file.h"

#define PAUSE_MIN_NS INT64_C(20000000)
#define PAUSE_MAX_NS MWI_NS_PER_S

/* A slave's search for its master. */
struct search {
    const struct mwi_slave_settings *settings;
    struct mwi_address_book address_book; /* with the contents of the resource file */
    struct mwi_keyring *keyring;          /* with its key; NULL: nothing is encrypted */
    struct mwi_loop *loop;
    size_t index;   /* of the transport in the loop */
    mw_reason told; /* the trail has this about the resource file */
    int64_t deadline_ns;
    int64_t pause_ns;
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
static void tell(struct search *search, const mw_reason *why)
{
    if (strcmp(search->told.text, why->text) == 0)
        return;
    search->told = *why;
    mwi_loop_audit(search->loop, (struct mwi_audit_record){.kind = MWI_AUDIT_RESFILE_PROBLEM,
                                                           .role = MWI_ROLE_SLAVE,
                                                           .path = search->settings->resource_file,
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

static mw_error take_key(struct search *search, const struct mwi_resource *resource, mw_reason *why)
{
    bool is_encrypted = resource->encryption != MWI_ENCRYPTION_NONE;
    if (is_encrypted == (search->keyring != NULL)) {
        if (is_encrypted)
            mwi_keyring_take_farm_key(search->keyring, resource->key);
        return MW_OK;
    }
    mw_error error = fail_encryption(search->settings->resource_file, is_encrypted, why);
    tell(search, why);
    return error;
}

static mw_error take_resource(struct search *search, const struct mwi_resource *resource,
                              mw_reason *why)
{
    struct mwi_address_book *book = &search->address_book;
    mw_error error = mwi_address_book_take_member_id(book, resource->member_id, why);
    if (error == MW_OK && resource->host == NULL)
        return fail_no_address(search->settings->resource_file, resource, why);
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
static mw_error read_resource_file(struct search *search, mw_reason *why)
{
    struct mwi_resource resource;
    const char *path = search->settings->resource_file;
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

static mw_error find_address(struct search *search, char address[MWI_PLACE_ADDRESS_BYTES],
                             mw_reason *why)
{
    const struct mwi_slave_settings *settings = search->settings;
    const struct mwi_address_book *book = &search->address_book;
    mw_error error = MW_OK;
    if (settings->mode != MWI_MODE_TCP_SLAVE) {
        snprintf(address, MWI_PLACE_ADDRESS_BYTES, "%s", settings->place.address);
        return MW_OK;
    }
    if (settings->resource_file != NULL)
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
static mw_error begin_attempt(mw_slave *slave, struct search *search)
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
        search->settings->mode == MWI_MODE_MPI_SLAVE)
        return mwi_slave_fail(slave, error, "%s", why.text);
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

static mw_error time_is_up(mw_slave *slave, const struct search *search)
{
    char seconds[MWI_DECIMAL_BYTES];
    mwi_decimal_write(seconds, mwi_time_to_seconds(search->settings->connect_timeout_ns));
    return mwi_slave_fail(
        slave, MW_ETIMEOUT,
        "no master accepted this slave within --mw-connect-timeout of %s s: %s%s%s", seconds,
        slave->engine.address, slave->engine.address[0] == '\0' ? "" : ": ", obstacle(slave));
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

/* Lets the attempt take its course, and pauses if it failed. MW_OK: it succeeded, or another may be
 * made. */
static mw_error await_outcome(mw_slave *slave, const struct search *search)
{
    mw_reason why;
    int64_t until_ns, pause_end_ns = mwi_loop_now(slave->loop) + search->pause_ns;
    if (pause_end_ns > search->deadline_ns)
        pause_end_ns = search->deadline_ns;
    do {
        until_ns = is_under_way(slave) ? search->deadline_ns : pause_end_ns;
        mw_error error = mwi_loop_turn(slave->loop, until_ns, NULL, &why);
        if (error != MW_OK)
            return mwi_slave_fail(slave, error, "%s", why.text);
        if (has_found(slave))
            return MW_OK;
        error = mwi_slave_check(slave);
        if (error != MW_OK)
            return error;
        until_ns = is_under_way(slave) ? search->deadline_ns : pause_end_ns;
    } while (mwi_loop_now(slave->loop) < until_ns);
    return MW_OK;
}

mw_error mwi_slave_search_master(mw_slave *slave, const struct mwi_slave_settings *settings,
                                 size_t index)
{
    enum mwi_mode mode = settings->mode;
    struct search search = {
        .settings = settings,
        .address_book = settings->address_book,
        .keyring = slave->trust.keyring,
        .loop = slave->loop,
        .index = index,
        .deadline_ns = mwi_time_after(mwi_loop_now(slave->loop), settings->connect_timeout_ns),
        .pause_ns = PAUSE_MIN_NS};
    for (;;) {
        mw_error error = begin_attempt(slave, &search);
        if (error != MW_OK)
            return error;
        error = await_outcome(slave, &search);
        if (error != MW_OK || has_found(slave))
            return error;
        /* A descriptor has one other end; a rank that does not listen has done with it. */
        if (mode != MWI_MODE_TCP_SLAVE && mode != MWI_MODE_CUSTOM)
            return mwi_slave_fail(slave, MW_EGONE, "the master is gone: %s", slave->engine.reason);
        if (mwi_loop_now(slave->loop) >= search.deadline_ns)
            return time_is_up(slave, &search);
        if (search.pause_ns < PAUSE_MAX_NS)
            search.pause_ns *= 2;
    }
}

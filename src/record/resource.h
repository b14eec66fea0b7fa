/* SPDX-License-Identifier: Apache-2.0
 *
 * The facts that a slave needs to find its master, and a batch system to start slaves, and their
 * form as text: one JSON object, with one field in a line. This room does no input or output:
 * resource_file does.
 */
#ifndef MWI_RESOURCE_H
#define MWI_RESOURCE_H

#include <stddef.h>
#include <stdint.h>

#include <mw/error.h>
#include <mw/transport.h>

#include "base/secret.h"

/* The kind of the file, with which sentences about it begin. */
#define MWI_RESOURCE_KIND "resource file"

#define MWI_RESOURCE_BYTES_MAX (1024 * 1024)

enum mwi_computation_status {
    MWI_COMPUTATION_IN_PROGRESS, /* "in-progress" */
    MWI_COMPUTATION_FINISHED,    /* "finished" */
    MWI_COMPUTATION_FAILED,      /* "failed" */
    MWI_COMPUTATION_STATUSES_COUNT
};

/* Whether connections to the master are encrypted. */
enum mwi_encryption {
    MWI_ENCRYPTION_TLS,  /* "tls"; also if the field is missing */
    MWI_ENCRYPTION_NONE, /* "none" */
    MWI_ENCRYPTIONS_COUNT
};

/* The names in the file are those of the members with "-" and without unit: "slaves-needed",
 * "timestamp", "update-interval"; the key is "key-name" and "key". Strings are UTF-8 and must not
 * be NULL, but for `host`: NULL, with port 0, for a master that has no network address, as under
 * mpi; both are null in the file then. */
struct mwi_resource {
    enum mwi_computation_status computation_status;
    int64_t timestamp_s; /* since 1970; when the file was written */
    const char *member_id;
    double update_interval_s;
    int64_t slaves_needed;
    const char *slave_executable;
    const char *const *shared_libraries; /* to ship beside the executable */
    size_t shared_libraries_count;
    const char *const *slave_arguments;
    size_t slave_arguments_count;
    const char *transport;
    const char *host;
    int port; /* 1..65535, or 0 */
    int64_t pid;
    int64_t protocol_version;
    enum mwi_encryption encryption;
    const mw_tcp_key *key; /* of the farm; or NULL */
    /* The owner of a parsed resource's strings, lists and key; NULL in other resources. */
    void *owner;
};

/* Makes a resource from the text of a file. On success the caller ends *resource with
 * mwi_resource_fini; on failure it is untouched. A text of another protocol version is read all the
 * same, and unknown fields are ignored. `data` is borrowed for the call, and the digits of the key
 * in it are overwritten; `name` is the file's name in sentences. Errors: MW_EPROTOCOL for a text
 * that is no resource file: no JSON, larger than MWI_RESOURCE_BYTES_MAX, or with a field, which is
 * named, missing or not of its type; MW_ENOMEM. */
mw_error mwi_resource_parse(char *data, size_t size, const char *name,
                            struct mwi_resource *resource, mw_reason *why) MW_USE_RESULT;

/* Frees everything that a parsed resource owns, including its strings, and wipes the key. */
void mwi_resource_fini(struct mwi_resource *resource);

/* Makes the text of a file, with its last newline and a NUL, at text->data; the caller ends *text.
 * `resource` is borrowed for the call. Errors: MW_EINVAL for a value that mwi_resource_parse would
 * refuse or that is not UTF-8, with the field's name; MW_ETOOBIG above MWI_RESOURCE_BYTES_MAX;
 * MW_ENOMEM. */
mw_error mwi_resource_format(const struct mwi_resource *resource, const char *name,
                             struct mwi_secret *text, mw_reason *why) MW_USE_RESULT;

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * One suite for every transport: it checks the promises of mw/transport.h at the near end, with a
 * far end that obeys orders (far.h). A rig makes the two ends for one transport. The program of a
 * transport is its rig, this suite, and a main that calls mwt_conformance_run.
 */
#ifndef MWT_CONFORMANCE_H
#define MWT_CONFORMANCE_H

#include "end.h"
#include "far.h"

struct mwt_near;

/* The plan of one case: a near and a far end with these limits, and a function that runs as the
 * near end when the far end is up. */
struct mwt_plan {
    void (*body)(struct mwt_near *near);
    size_t near_bytes_max;
    size_t far_bytes_max;
    int wake_fd;
    mw_wait wait; /* of the near end */
};

struct mwt_near {
    struct mwt_end end;
    mw_peer far;
    const struct mwt_plan *plan;
};

struct mwt_rig {
    const char *name;
    /* The address of the far end's second transport if `listen` did not say; may be NULL. */
    const char *far_address;
    /* An address whose connects are accepted and then go down; NULL if there is none. */
    const char *nobody;
    bool has_wake_fd;
    /* Whether the near end has a descriptor to wait for, and the number of peers that can come up
     * there. */
    bool has_fd;
    size_t peers_max;
    /* Runs both ends from open to close: mwt_near_run where CUnit may be called, and mwt_far_run
     * beside it. */
    void (*run)(const struct mwt_plan *plan);
};

/* The rig of this program. CUnit hands no context to a test, so it is a constant that is linked
 * in. */
extern const struct mwt_rig mwt_rig;

/* Opens the near end, listens, calls begin_far (unless NULL) with the address to connect to, waits
 * for the far end, runs the plan's body and closes. */
void mwt_near_run(const struct mwt_plan *plan, const mw_transport_api *api, void *environment,
                  const char *listen_address, void (*begin_far)(void *context, const char *bound),
                  void *context);

/* Runs all cases. Returns the program's exit status. */
int mwt_conformance_run(void);

#endif

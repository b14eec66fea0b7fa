/* SPDX-License-Identifier: Apache-2.0
 *
 * The rig of tcp: the near end runs in the main thread, the far end in a thread of its own, over
 * loopback. With the argument "tls" both encrypt.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

#include "conformance.h"
#include "tcp.h"
#include "tcp_keys.h"

/* CUnit hands no context to the rig. */
static bool encrypts;

struct far_thread {
    struct mwt_far far;
    char address[256];
    pthread_t thread;
    bool is_running;
    int status;
};

static void *run_far(void *context)
{
    struct far_thread *thread = context;
    thread->status = mwt_far_run(&thread->far);
    return NULL;
}

static void begin_far(void *context, const char *bound)
{
    struct far_thread *thread = context;

    snprintf(thread->address, sizeof thread->address, "%s", bound);
    thread->far.address = thread->address;
    thread->is_running = pthread_create(&thread->thread, NULL, run_far, thread) == 0;
    CU_ASSERT_TRUE(thread->is_running);
}

static void run_tcp(const struct mwt_plan *plan)
{
    mw_tcp_environment plain = {.find_key = NULL};
    struct mwt_tcp_keys near_keys;
    struct mwt_tcp_keys far_keys;
    mwt_tcp_keys_init(&near_keys, 1);
    mwt_tcp_keys_init(&far_keys, 1);
    struct far_thread thread = {.far = {.api = &mwi_tcp_transport,
                                        .environment = encrypts ? &far_keys.environment : &plain,
                                        .listen_address = "127.0.0.1:0",
                                        .frame_bytes_max = plan->far_bytes_max}};

    mwt_near_run(plan, &mwi_tcp_transport, encrypts ? &near_keys.environment : &plain,
                 "127.0.0.1:0", begin_far, &thread);
    if (!thread.is_running)
        return;
    pthread_join(thread.thread, NULL);
    CU_ASSERT_EQUAL(thread.status, 0);
}

/* Port 1 of loopback: only root could listen there, and nothing does. */
const struct mwt_rig mwt_rig = {.name = "tcp",
                                .nobody = "127.0.0.1:1",
                                .has_wake_fd = true,
                                .has_fd = true,
                                .peers_max = SIZE_MAX,
                                .run = run_tcp};

int main(int argc, char **argv)
{
    encrypts = argc > 1 && strcmp(argv[1], "tls") == 0;
    return mwt_conformance_run();
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The errors of a slave whose resource file names no way to its master. Each sentence must say
 * what the user can do.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include <mw/embed.h>

#include "mwt_folder.h"
#include "mwt_run.h"
#include "record/resource_file.h"
#include "wire/message.h"

/* The resource file of a master that slaves cannot reach says over which transport it is, and so
 * what to do about it; host and port of the options are as good as before. */
static void test_master_without_an_address(void)
{
    static const struct {
        const char *transport, *sentence;
    } cases[] = {
        {"mpi", "takes MPI ranks only: start it with --mw-transport mpi,tcp"},
        {"tcp", "takes only slaves that it starts itself: start it with --mw-master"},
        {"pigeon", "is not reached over TCP: start a master with --mw-master"},
    };
    const mw_program program = {.algorithms = NULL};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct mwi_resource resource = {.member_id = "default-member-id",
                                              .update_interval_s = 300,
                                              .slave_executable = "/bin/program",
                                              .transport = cases[i].transport,
                                              .pid = 1,
                                              .protocol_version = 1};
        struct mwt_folder folder;
        mw_reason why;
        mw_options *options;
        mw_slave *slave;
        mwt_folder_create(&folder);
        CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);
        const char *path = mwt_folder_file(&folder, "farm.rsc");
        CU_ASSERT_EQUAL(mwi_resource_file_write(path, &resource, &why), MW_OK);
        CU_ASSERT_EQUAL(mw_options_set(options, "slave", "1"), MW_OK);
        CU_ASSERT_EQUAL(mw_options_set(options, "quiet", "1"), MW_OK);
        CU_ASSERT_EQUAL(mw_options_set(options, "insecure", "1"), MW_OK);
        CU_ASSERT_EQUAL(mw_options_set(options, "connect-timeout", "0"), MW_OK);
        CU_ASSERT_EQUAL(mw_options_set(options, "resource-file", path), MW_OK);

        CU_ASSERT_EQUAL(mw_slave_open(&slave, &program, options), MW_ETIMEOUT);
        CU_ASSERT_PTR_NOT_NULL(strstr(mw_options_error(options), path));
        CU_ASSERT_PTR_NOT_NULL(strstr(mw_options_error(options), cases[i].sentence));
        CU_ASSERT_EQUAL(mw_options_set(options, "master-host", "127.0.0.1"), MW_OK);
        CU_ASSERT_EQUAL(mw_options_set(options, "master-port", "1"), MW_OK);
        CU_ASSERT_EQUAL(mw_slave_open(&slave, &program, options), MW_ETIMEOUT);
        CU_ASSERT_PTR_NOT_NULL(strstr(mw_options_error(options), "127.0.0.1:1"));

        mw_options_destroy(options);
        mwt_folder_destroy(&folder);
    }
}

/* Appends a frame as tcp writes it: its length, and a WELCOME. */
static size_t add_welcome(unsigned char *bytes, size_t used)
{
    static const mw_algorithm algorithms[] = {{NULL, NULL}};
    struct mwi_buffer buffer;
    mwi_buffer_init(&buffer);
    mwi_message_write_welcome(&buffer, 7, 1, 4096, 77, algorithms);
    bytes[used++] = 0;
    bytes[used++] = 0;
    bytes[used++] = 0;
    bytes[used++] = (unsigned char)buffer.size;
    memcpy(bytes + used, buffer.data, buffer.size);
    used += buffer.size;
    mwi_buffer_fini(&buffer);
    return used;
}

/* A master that welcomes its slave twice, in one go, and waits until the slave has gone. */
static void welcome_twice(int listener)
{
    unsigned char bytes[256];
    char byte;
    int slave = accept(listener, NULL, NULL);
    size_t size = add_welcome(bytes, 0);
    size = add_welcome(bytes, size);
    if (recv(slave, &byte, 1, 0) == 1 && send(slave, bytes, size, 0) == (ssize_t)size)
        while (recv(slave, &byte, 1, 0) > 0)
            ;
    _exit(0);
}

/* A master that breaks the protocol right after its welcome is a master lost: the slave was
 * accepted, so it does not end as if the computation were finished. */
static void test_master_gone_after_the_welcome(void)
{
    static const mw_algorithm algorithms[] = {{NULL, NULL}};
    const mw_program program = {.algorithms = algorithms};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    mw_options *options;
    char port[16];
    int status = -1;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    CU_ASSERT_EQUAL_FATAL(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    CU_ASSERT_EQUAL_FATAL(listen(listener, 1), 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    snprintf(port, sizeof port, "%d", ntohs(address.sin_port));
    pid_t master = fork();
    if (master == 0)
        welcome_twice(listener);
    CU_ASSERT_EQUAL_FATAL(mw_options_create(&options), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "slave", "1"), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "quiet", "1"), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "insecure", "1"), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "master-host", "127.0.0.1"), MW_OK);
    CU_ASSERT_EQUAL(mw_options_set(options, "master-port", port), MW_OK);

    CU_ASSERT_EQUAL(mw_run_slave(&program, options, 0, NULL, &status), MW_EGONE);

    CU_ASSERT_EQUAL(status, 255);
    CU_ASSERT_STRING_EQUAL(mw_options_error(options),
                           "the master is gone: the master sent a second welcome");
    mw_options_destroy(options);
    close(listener);
    CU_ASSERT_EQUAL(waitpid(master, NULL, 0), master);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"master without an address", test_master_without_an_address},
        {"master gone after the welcome", test_master_gone_after_the_welcome},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("slave open", tests);
}

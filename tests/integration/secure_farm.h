/* SPDX-License-Identifier: Apache-2.0
 *
 * A farm over TCP whose keys the test knows, and sockets to talk to its ends.
 *
 * begin_farm starts a master of ten tasks that waits for slaves; end_farm lets an honest slave do
 * the work, and checks that the master has seen no other slave than the test says.
 */
#ifndef MWT_SECURE_FARM_H
#define MWT_SECURE_FARM_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <jansson.h>

#include "mwt_tls.h"
#include "tcp_farm.h"

#define TASKS_COUNT 10
#define TASKS "10"
#define MEMBER_ID "a-farm-of-test-security"

struct farm {
    struct mwt_crew *crew;
    struct mwt_process *master;
    const char *port, *key_file;
    struct mwt_tls_key key;      /* of the resource file */
    struct mwt_tls_key user_key; /* of the key file */
};

static inline void read_digits(const char *digits, unsigned char bytes[MWT_TLS_KEY_BYTES])
{
    memset(bytes, 0, MWT_TLS_KEY_BYTES);
    for (size_t i = 0; i < MWT_TLS_KEY_BYTES && strlen(digits) == 2 * MWT_TLS_KEY_BYTES; i++) {
        char pair[] = {digits[2 * i], digits[2 * i + 1], '\0'};
        bytes[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
}

/* Reads the farm's own key from its resource file, as a slave does. */
static inline void read_farm_key(struct farm *farm)
{
    const char *name = "", *digits = "";
    json_error_t error;
    json_t *root = json_load_file(mwt_path(farm->crew, "farm.rsc"), 0, &error);
    CU_ASSERT_EQUAL(json_unpack(root, "{s:s, s:s}", "key-name", &name, "key", &digits), 0);
    farm->key.name = mwt_format(farm->crew, "%s", name);
    farm->key.member_id = MEMBER_ID;
    read_digits(digits, farm->key.bytes);
    json_decref(root);
}

/* Makes a key file with one key, in the form of docs/protocol.md. */
static inline void write_key_file(struct farm *farm)
{
    static const char digits[] = "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef";
    farm->key_file = mwt_path(farm->crew, "key");
    farm->user_key = (struct mwt_tls_key){.name = "key:0123456789abcdef", .member_id = MEMBER_ID};
    read_digits(digits, farm->user_key.bytes);
    int fd = open(farm->key_file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    CU_ASSERT(dprintf(fd, "mw-key 1\n%s %s\n", farm->user_key.name, digits) > 0);
    close(fd);
}

static inline void begin_farm_of(struct farm *farm, const char *const *rest)
{
    const char *argv[24] = {"--mw-member-id", MEMBER_ID, "--mw-key-file"};
    *farm = (struct farm){.crew = mwt_crew_create()};
    write_key_file(farm);
    argv[3] = farm->key_file;
    for (size_t i = 4; *rest != NULL && i < 23; i++)
        argv[i] = *rest++;
    farm->master = start_master(farm->crew, argv);
    farm->port = await_port(farm->crew, farm->master);
    read_farm_key(farm);
}

static inline void begin_farm(struct farm *farm)
{
    begin_farm_of(farm, MWT_ARGV("echo", TASKS));
}

/* The number of slaves that the master has seen. */
static inline unsigned slaves_seen(const struct mwt_process *master)
{
    return mwt_count(mwt_output(master, MWT_ERR), "-> [\"" MEMBER_ID "\"]");
}

/* An honest slave does the work, and all is as if nothing had been. `slaves_count` slaves have been
 * there before. */
static inline void end_farm(struct farm *farm, unsigned slaves_count)
{
    struct mwt_process *slave = start_slave(farm->crew);
    check_done(farm->crew, farm->master, TASKS_COUNT);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    CU_ASSERT_EQUAL(slaves_seen(farm->master), slaves_count + 1);
    mwt_crew_destroy(farm->crew);
}

static inline void be_patient(int fd)
{
    struct timeval patience = {.tv_sec = MWT_WAIT_S};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

/* Connects to a port of 127.0.0.1. Returns -1, and fails the check, if it cannot. */
static inline int call_port(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)atoi(port)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    be_patient(fd);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    CU_FAIL("no connection");
    close(fd);
    return -1;
}

/* The other end may close the connection while we still send. */
static inline void say(int fd, const void *bytes, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        ssize_t more = send(fd, (const char *)bytes + sent, size - sent, MSG_NOSIGNAL);
        if (more <= 0)
            return;
        sent += (size_t)more;
    }
}

/* Reads up to the end of the connection, and closes it. Keeps the first `size` bytes, and returns
 * the number of all. Fails the check if no end comes. */
static inline size_t hear_all(int fd, unsigned char *bytes, size_t size)
{
    unsigned char rest[4096];
    size_t heard = 0;
    ssize_t got;
    do {
        bool has_room = heard < size;
        got = recv(fd, has_room ? bytes + heard : rest, has_room ? size - heard : sizeof rest, 0);
        heard += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    /* A reset is an end too: the other end closed with our bytes unread. */
    CU_ASSERT(got == 0 || errno == ECONNRESET || errno == EPIPE);
    close(fd);
    return heard;
}

/* Listens on a port of its own. */
static inline int listen_anywhere(struct mwt_crew *crew, const char **port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    be_patient(fd);
    CU_ASSERT_FATAL(bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 100) == 0 &&
                    getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    *port = mwt_format(crew, "%u", ntohs(address.sin_port));
    return fd;
}

/* Takes the next connection. Returns -1, and fails the check, if none comes. */
static inline int take_call(int listen_fd)
{
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    CU_ASSERT(fd >= 0);
    be_patient(fd);
    return fd;
}

/* Writes the frame of a HELLO, with its length. Returns its size. */
static inline size_t write_hello(unsigned char *bytes, int version, const char *member_id)
{
    size_t id_size = strlen(member_id), size = 4;
    const unsigned char begin[] = {0x9a, 1, 0xa2, 'm', 'w', (unsigned char)version};
    const unsigned char end[] = {0xce, 0, 0x10, 0, 0, 0xa1, 'h', 0xa1, 'b', 1, 0, 0};
    memcpy(bytes + size, begin, sizeof begin);
    size += sizeof begin;
    bytes[size++] = (unsigned char)(0xa0 | id_size);
    memcpy(bytes + size, member_id, id_size);
    memcpy(bytes + size + id_size, end, sizeof end);
    size += id_size + sizeof end;
    memcpy(bytes, (const unsigned char[]){0, 0, 0, (unsigned char)(size - 4)}, 4);
    return size;
}

#endif

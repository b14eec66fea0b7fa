/* SPDX-License-Identifier: Apache-2.0
 *
 * Connects to --port of this host --rate times a second, for --seconds, and prints how many
 * connections that were. Each says nothing, or with --hello 1 the first flight of a TLS handshake
 * without a key, and is reset when OPEN_MAX others have followed. With --sink 1 it is the other end
 * instead: it prints its port, and accepts and closes until it is killed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "bench.h"

#define OPEN_MAX 500
#define MS_NS INT64_C(1000000)

struct flight {
    unsigned char bytes[2048];
    size_t size;
};

static void write_hello(struct flight *flight)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *tls = context == NULL ? NULL : SSL_new(context);
    BIO *output = BIO_new(BIO_s_mem());
    if (tls == NULL || output == NULL)
        mwt_bench_die("TLS");
    SSL_set_bio(tls, BIO_new(BIO_s_mem()), output);
    (void)SSL_connect(tls);
    int size = BIO_read(output, flight->bytes, sizeof flight->bytes);
    flight->size = size > 0 ? (size_t)size : 0;
    SSL_free(tls);
    SSL_CTX_free(context);
}

static struct sockaddr_in address_of(size_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static _Noreturn void run_sink(void)
{
    struct sockaddr_in address = address_of(0);
    socklen_t size = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listening, (struct sockaddr *)&address, size) != 0 ||
        listen(listening, SOMAXCONN) != 0 ||
        getsockname(listening, (struct sockaddr *)&address, &size) != 0)
        mwt_bench_die("listen");
    printf("{\"port\": %u}\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int fd = accept(listening, NULL, NULL);
        if (fd >= 0)
            close(fd);
    }
}

/* Resets the socket, so that no port waits for two minutes. */
static void reset(int fd)
{
    const struct linger at_once = {.l_onoff = 1};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(fd);
}

/* Connects without waiting; on the loopback interface that is over at once, unless the other end
 * has too many that it has not accepted. Returns the socket. */
static int connect_one(const struct sockaddr_in *address, const struct flight *flight)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        mwt_bench_die("socket");
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 && errno != EINPROGRESS)
        return fd;
    if (flight->size > 0)
        (void)send(fd, flight->bytes, flight->size, MSG_NOSIGNAL);
    return fd;
}

static size_t run_flood(size_t port, size_t rate, size_t seconds, const struct flight *flight)
{
    const struct sockaddr_in address = address_of(port);
    const struct timespec pause = {.tv_nsec = MS_NS};
    int fds[OPEN_MAX];
    size_t count = 0;
    int64_t began_ns = mwt_bench_now_ns();
    int64_t passed_ns = 0;
    while (passed_ns < (int64_t)seconds * 1000 * MS_NS) {
        for (size_t due = (size_t)(passed_ns / MS_NS) * rate / 1000; count < due; count++) {
            if (count >= OPEN_MAX)
                reset(fds[count % OPEN_MAX]);
            fds[count % OPEN_MAX] = connect_one(&address, flight);
        }
        nanosleep(&pause, NULL);
        passed_ns = mwt_bench_now_ns() - began_ns;
    }
    return count;
}

int main(int argc, char **argv)
{
    struct mwt_bench bench = {.program = "flood"};
    size_t port = 0, rate = 10000, seconds = 3, hello = 0, sink = 0;
    const struct mwt_bench_option own[] = {{"port", &port, 1},       {"rate", &rate, 1},
                                           {"seconds", &seconds, 1}, {"hello", &hello, 0},
                                           {"sink", &sink, 0},       {NULL, NULL, 0}};
    struct flight flight = {.size = 0};
    if (!mwt_bench_parse(&bench, own, argc, argv))
        return EXIT_FAILURE;
    if (sink != 0)
        run_sink();
    if (hello != 0)
        write_hello(&flight);
    size_t count = run_flood(port, rate, seconds, &flight);
    printf("{\"connections\": %zu, \"connections_per_s\": %zu}\n", count, count / seconds);
    return EXIT_SUCCESS;
}

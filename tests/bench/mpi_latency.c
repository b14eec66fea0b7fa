/* SPDX-License-Identifier: Apache-2.0
 *
 * What waiting without burning a core costs: round trips of 64 bytes over the mpi transport, back
 * to back and after a silence, the processor time that a waiting process takes, and frames one way
 * as fast as they go. Run as `mpirun -n N mpi_latency mw_mpi.so [idle seconds]`; rank 0 answers,
 * rank 1 measures, the other ranks wait in close, but for one line in which they do as rank 1.
 * Prints a table.
 */
#include <dlfcn.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <mw/transport.h>

#define FRAME_BYTES 64
#define ROUNDS_MAX 20000
#define BACKLOG_MAX ((size_t)1 << 20)
#define NS_PER_S 1000000000

struct bench {
    const mw_transport_api *api;
    void *transport;
    int rank;
    int clients_count; /* ranks 1 and up that link to rank 0 */
    bool does_echo;
    mw_peer master;
    uint64_t frames_count;
    int downs_count;
    int64_t begin_ns; /* when the phase began, and the processor time then */
    double begin_cpu_s;
    int64_t trips_ns[ROUNDS_MAX];
};

struct load {
    double wall_s;
    double cpu_percent;
};

static void require(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "mpi_latency: %s\n", what);
    MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
}

static double cpu_s(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void send_frame(struct bench *b, mw_peer peer, size_t size)
{
    void *frame = calloc(1, size);

    require(frame != NULL && b->api->send(b->transport, peer, frame, size, NULL) == MW_OK,
            "send failed");
}

static void up(void *context, mw_peer peer, const char *name)
{
    struct bench *b = context;

    (void)name;
    b->master = peer;
}

static void message(void *context, mw_peer peer, mw_frame *frame)
{
    struct bench *b = context;

    b->frames_count++;
    if (b->does_echo)
        send_frame(b, peer, frame->size);
}

static void down(void *context, mw_peer peer, const char *reason)
{
    struct bench *b = context;

    (void)peer;
    (void)reason;
    b->downs_count++;
}

static void poll_until(struct bench *b, int64_t deadline_ns)
{
    mw_reason why;

    require(b->api->poll(b->transport, deadline_ns, &why) == MW_OK, "poll failed");
}

static void wait_for(struct bench *b, int64_t duration_ns)
{
    int64_t deadline_ns = b->api->now(b->transport) + duration_ns;

    while (b->api->now(b->transport) < deadline_ns)
        poll_until(b, deadline_ns);
}

static bool is_client(const struct bench *b)
{
    return b->rank >= 1 && b->rank <= b->clients_count;
}

/* All ranks open; rank 0 listens, the clients connect. */
static void begin(struct bench *b, int clients_count)
{
    static const mw_transport_events events = {.up = up, .message = message, .down = down};
    mw_transport_config config = {
        .events = &events, .context = b, .frame_bytes_max = (size_t)1 << 30, .wake_fd = -1};
    mw_reason why;
    char bound[16];

    b->clients_count = clients_count;
    b->frames_count = 0;
    b->downs_count = 0;
    b->master = 0;
    require(b->api->open(&b->transport, &config, &why) == MW_OK, "open failed");
    if (b->rank == 0)
        require(b->api->listen(b->transport, "", bound, sizeof bound, &why) == MW_OK, "no listen");
    if (is_client(b)) {
        mw_peer peer;

        require(b->api->connect(b->transport, "0", &peer, &why) == MW_OK, "no connect");
    }
    while (b->rank <= b->clients_count && b->master == 0)
        poll_until(b, INT64_MAX);
    b->begin_ns = b->api->now(b->transport);
    b->begin_cpu_s = cpu_s();
}

/* Rank 0 answers until its clients have left. The others' load is that of their wait in close. */
static struct load end(struct bench *b)
{
    struct load load;

    while (b->rank == 0 && b->downs_count < b->clients_count)
        poll_until(b, INT64_MAX);
    if (b->rank > b->clients_count)
        b->api->close(b->transport);
    load.wall_s = (double)(b->api->now(b->transport) - b->begin_ns) / 1e9;
    load.cpu_percent = 100 * (cpu_s() - b->begin_cpu_s) / load.wall_s;
    if (b->rank <= b->clients_count)
        b->api->close(b->transport);
    return load;
}

static int compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

/* Prints, on rank 1, the times of the trips and the load of rank 0, its own, and the last rank's.
 */
static void report(struct bench *b, const char *name, int rounds_count, struct load load)
{
    double loads[64] = {0};
    int64_t sum_ns = 0;
    int size;

    MPI_Comm_size(MPI_COMM_WORLD, &size);
    require(size <= 64, "at most 64 processes");
    MPI_Gather(&load.cpu_percent, 1, MPI_DOUBLE, loads, 1, MPI_DOUBLE, 1, MPI_COMM_WORLD);
    if (b->rank != 1)
        return;
    for (int i = 0; i < rounds_count; i++)
        sum_ns += b->trips_ns[i];
    qsort(b->trips_ns, (size_t)rounds_count, sizeof *b->trips_ns, compare);
    printf("| %-14s | %9.2f | %9.2f | %9.2f | %6.1f | %6.1f | %6.1f |\n", name,
           (double)sum_ns / rounds_count / 1e3, (double)b->trips_ns[rounds_count / 2] / 1e3,
           (double)b->trips_ns[rounds_count * 95 / 100] / 1e3, loads[0], loads[1], loads[size - 1]);
    fflush(stdout);
}

/* Round trips, each after a silence in which both ends poll. */
static void measure_trips(struct bench *b, const char *name, int64_t gap_ns, int rounds_count,
                          int clients_count)
{
    b->does_echo = b->rank == 0;
    begin(b, clients_count);
    for (int i = 0; is_client(b) && i < rounds_count; i++) {
        uint64_t before = b->frames_count;
        int64_t sent_ns;

        if (gap_ns > 0)
            wait_for(b, gap_ns);
        sent_ns = b->api->now(b->transport);
        send_frame(b, b->master, FRAME_BYTES);
        while (b->frames_count == before)
            poll_until(b, INT64_MAX);
        b->trips_ns[i] = b->api->now(b->transport) - sent_ns;
    }
    report(b, name, rounds_count, end(b));
}

/* The same back to back with nothing but MPI_Send and MPI_Recv. */
static void measure_raw(struct bench *b)
{
    char frame[FRAME_BYTES] = {0};
    int other = b->rank == 0 ? 1 : 0;
    double begin_cpu_s = cpu_s();
    double begin_s = MPI_Wtime();

    for (int i = 0; b->rank < 2 && i < ROUNDS_MAX; i++) {
        double sent_s = MPI_Wtime();

        if (b->rank == 1)
            MPI_Send(frame, FRAME_BYTES, MPI_BYTE, other, 0, MPI_COMM_WORLD);
        MPI_Recv(frame, FRAME_BYTES, MPI_BYTE, other, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        if (b->rank == 0)
            MPI_Send(frame, FRAME_BYTES, MPI_BYTE, other, 0, MPI_COMM_WORLD);
        b->trips_ns[i] = (int64_t)((MPI_Wtime() - sent_s) * 1e9);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    report(b, "plain MPI", ROUNDS_MAX,
           (struct load){0, 100 * (cpu_s() - begin_cpu_s) / (MPI_Wtime() - begin_s)});
}

static void measure_idle(struct bench *b, int64_t seconds)
{
    b->does_echo = false;
    begin(b, 1);
    if (b->rank == 1)
        wait_for(b, seconds * NS_PER_S);
    b->trips_ns[0] = 0;
    report(b, "idle", 1, end(b));
}

/* Frames one way, queued up to a backlog. */
static void measure_stream(struct bench *b, size_t size, uint64_t frames_count)
{
    double seconds;

    b->does_echo = false;
    begin(b, 1);
    for (uint64_t i = 0; b->rank == 1 && i < frames_count; i++) {
        send_frame(b, b->master, size);
        if (i % 16 == 15)
            poll_until(b, INT64_MIN);
        while (b->api->backlog(b->transport, b->master) > BACKLOG_MAX)
            poll_until(b, INT64_MAX);
    }
    if (b->rank == 1)
        b->api->drop(b->transport, b->master);
    seconds = end(b).wall_s;
    if (b->rank == 0)
        printf("one way, %zu bytes: %.0f frames/s, %.0f MiB/s\n", size,
               (double)frames_count / seconds,
               (double)frames_count * (double)size / seconds / 1048576);
    fflush(stdout);
}

static void measure(struct bench *b, int64_t idle_seconds)
{
    int size;

    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (b->rank == 1)
        printf(
            "| round trips    |   mean us | median us |   95%% us | %% of 0 | %% of 1 | %% last |\n"
            "| -------------- | --------- | --------- | --------- | ------ | ------ | ------ |\n");
    measure_raw(b);
    measure_trips(b, "back to back", 0, ROUNDS_MAX, 1);
    measure_trips(b, "the same, all", 0, ROUNDS_MAX, size - 1);
    measure_trips(b, "gap of 0.5 ms", 500000, 2000, 1);
    measure_trips(b, "gap of 2 ms", 2000000, 500, 1);
    measure_trips(b, "gap of 20 ms", 20000000, 100, 1);
    measure_idle(b, idle_seconds);
    measure_stream(b, FRAME_BYTES, 500000);
    measure_stream(b, 1024, 300000);
    measure_stream(b, 65536, 10000);
    measure_stream(b, (size_t)16 << 20, 30);
}

int main(int argc, char **argv)
{
    int provided;
    struct bench *b = calloc(1, sizeof *b);
    void *module = argc < 2 ? NULL : dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);

    if (b == NULL || module == NULL) {
        fprintf(stderr, "usage: mpirun -n N mpi_latency mw_mpi.so [idle seconds]\n");
        return EXIT_FAILURE;
    }
    b->api = dlsym(module, MW_TRANSPORT_MODULE_SYMBOL);
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    require(b->api != NULL, "no transport in the module");
    MPI_Comm_rank(MPI_COMM_WORLD, &b->rank);
    measure(b, argc < 3 ? 10 : strtol(argv[2], NULL, 10));
    MPI_Finalize();
    free(b);
    return EXIT_SUCCESS;
}

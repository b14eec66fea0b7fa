/* SPDX-License-Identifier: Apache-2.0
 *
 * Measures the cost of waiting over the mpi transport: round trips of 64 bytes, back to back and
 * after a silence, the processor time of a waiting process, and frames one way as fast as they go.
 *
 * Run it as `mpirun -n N mpi_latency mw_mpi.so [idle seconds]`. Rank 0 answers, rank 1 measures,
 * and the other ranks wait in close. In the line "the same, all" they measure too. It prints a
 * table.
 */
#include <dlfcn.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <mw/transport.h>

#define FRAME_BYTES 64
#define ROUNDS_MAX 20000
#define WINDOW_BYTES_MIN ((size_t)1 << 20)
#define ACKNOWLEDGED_EVERY 16
#define NS_PER_S 1000000000

struct bench {
    const mw_transport_api *api;
    void *transport;
    int rank;
    int clients_count; /* ranks 1 and up that link to rank 0 */
    bool does_echo;
    bool does_acknowledge;
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

static void require(bool holds, const char *what)
{
    if (holds)
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

static void send_frame(struct bench *bench, mw_peer peer, size_t size)
{
    void *frame = calloc(1, size);
    require(frame != NULL && bench->api->send(bench->transport, peer, frame, size, NULL) == MW_OK,
            "send failed");
}

static void up(void *context, mw_peer peer, const char *name)
{
    struct bench *bench = context;
    (void)name;
    bench->master = peer;
}

static void message(void *context, mw_peer peer, mw_frame *frame)
{
    struct bench *bench = context;
    bench->frames_count++;
    if (bench->does_echo)
        send_frame(bench, peer, frame->size);
    if (bench->does_acknowledge && bench->frames_count % ACKNOWLEDGED_EVERY == 0)
        send_frame(bench, peer, 1);
}

static void down(void *context, mw_peer peer, const char *reason)
{
    struct bench *bench = context;
    (void)peer;
    (void)reason;
    bench->downs_count++;
}

static void poll_until(struct bench *bench, int64_t deadline_ns)
{
    mw_reason why;
    require(bench->api->poll(bench->transport, deadline_ns, &why) == MW_OK, "poll failed");
}

static void wait_for(struct bench *bench, int64_t duration_ns)
{
    int64_t deadline_ns = bench->api->now(bench->transport) + duration_ns;
    while (bench->api->now(bench->transport) < deadline_ns)
        poll_until(bench, deadline_ns);
}

static bool is_client(const struct bench *bench)
{
    return bench->rank >= 1 && bench->rank <= bench->clients_count;
}

/* All ranks open; rank 0 listens, the clients connect. */
static void begin(struct bench *bench, int clients_count)
{
    static const mw_transport_events events = {.up = up, .message = message, .down = down};
    mw_transport_config config = {
        .events = &events, .context = bench, .frame_bytes_max = (size_t)1 << 30, .wake_fd = -1};
    mw_reason why;
    char bound[16];
    bench->clients_count = clients_count;
    bench->frames_count = 0;
    bench->downs_count = 0;
    bench->master = 0;
    require(bench->api->open(&bench->transport, &config, &why) == MW_OK, "open failed");
    if (bench->rank == 0)
        require(bench->api->listen(bench->transport, "", bound, sizeof bound, &why) == MW_OK,
                "no listen");
    if (is_client(bench)) {
        mw_peer peer;
        require(bench->api->connect(bench->transport, "0", &peer, &why) == MW_OK, "no connect");
    }
    while (bench->rank <= bench->clients_count && bench->master == 0)
        poll_until(bench, INT64_MAX);
    bench->begin_ns = bench->api->now(bench->transport);
    bench->begin_cpu_s = cpu_s();
}

/* Rank 0 answers until its clients have left. The load of the other ranks is that of waiting in
 * close. */
static struct load end(struct bench *bench)
{
    struct load load;
    while (bench->rank == 0 && bench->downs_count < bench->clients_count)
        poll_until(bench, INT64_MAX);
    if (bench->rank > bench->clients_count)
        bench->api->close(bench->transport);
    load.wall_s = (double)(bench->api->now(bench->transport) - bench->begin_ns) / 1e9;
    load.cpu_percent = 100 * (cpu_s() - bench->begin_cpu_s) / load.wall_s;
    if (bench->rank <= bench->clients_count)
        bench->api->close(bench->transport);
    return load;
}

static int compare(const void *left, const void *right)
{
    int64_t left_ns = *(const int64_t *)left;
    int64_t right_ns = *(const int64_t *)right;
    return (left_ns > right_ns) - (left_ns < right_ns);
}

/* Prints, on rank 1, the times of the trips and the load of rank 0, its own, and the last rank's.
 */
static void report(struct bench *bench, const char *name, int rounds_count, struct load load)
{
    double loads[64] = {0};
    int64_t sum_ns = 0;
    int size;
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    require(size <= 64, "at most 64 processes");
    MPI_Gather(&load.cpu_percent, 1, MPI_DOUBLE, loads, 1, MPI_DOUBLE, 1, MPI_COMM_WORLD);
    if (bench->rank != 1)
        return;
    for (int i = 0; i < rounds_count; i++)
        sum_ns += bench->trips_ns[i];
    qsort(bench->trips_ns, (size_t)rounds_count, sizeof *bench->trips_ns, compare);
    printf("| %-14s | %9.2f | %9.2f | %9.2f | %6.1f | %6.1f | %6.1f |\n", name,
           (double)sum_ns / rounds_count / 1e3, (double)bench->trips_ns[rounds_count / 2] / 1e3,
           (double)bench->trips_ns[rounds_count * 95 / 100] / 1e3, loads[0], loads[1],
           loads[size - 1]);
    fflush(stdout);
}

/* Round trips, each after a silence in which both ends poll. */
static void measure_trips(struct bench *bench, const char *name, int64_t gap_ns, int rounds_count,
                          int clients_count)
{
    bench->does_echo = bench->rank == 0;
    begin(bench, clients_count);
    for (int i = 0; is_client(bench) && i < rounds_count; i++) {
        uint64_t before = bench->frames_count;
        int64_t sent_ns;
        if (gap_ns > 0)
            wait_for(bench, gap_ns);
        sent_ns = bench->api->now(bench->transport);
        send_frame(bench, bench->master, FRAME_BYTES);
        while (bench->frames_count == before)
            poll_until(bench, INT64_MAX);
        bench->trips_ns[i] = bench->api->now(bench->transport) - sent_ns;
    }
    report(bench, name, rounds_count, end(bench));
}

/* The same back to back with nothing but MPI_Send and MPI_Recv. */
static void measure_raw(struct bench *bench)
{
    char frame[FRAME_BYTES] = {0};
    int other = bench->rank == 0 ? 1 : 0;
    double begin_cpu_s = cpu_s();
    double begin_s = MPI_Wtime();
    for (int i = 0; bench->rank < 2 && i < ROUNDS_MAX; i++) {
        double sent_s = MPI_Wtime();
        if (bench->rank == 1)
            MPI_Send(frame, FRAME_BYTES, MPI_BYTE, other, 0, MPI_COMM_WORLD);
        MPI_Recv(frame, FRAME_BYTES, MPI_BYTE, other, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        if (bench->rank == 0)
            MPI_Send(frame, FRAME_BYTES, MPI_BYTE, other, 0, MPI_COMM_WORLD);
        bench->trips_ns[i] = (int64_t)((MPI_Wtime() - sent_s) * 1e9);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    report(bench, "plain MPI", ROUNDS_MAX,
           (struct load){0, 100 * (cpu_s() - begin_cpu_s) / (MPI_Wtime() - begin_s)});
}

static void measure_idle(struct bench *bench, int64_t seconds)
{
    bench->does_echo = false;
    begin(bench, 1);
    if (bench->rank == 1)
        wait_for(bench, seconds * NS_PER_S);
    bench->trips_ns[0] = 0;
    report(bench, "idle", 1, end(bench));
}

/* Sends frames one way. Rank 0 acknowledges every sixteenth, which limits the frames on the way. */
static void measure_stream(struct bench *bench, size_t size, uint64_t frames_count)
{
    double seconds;
    size_t window_bytes = size * 4 * ACKNOWLEDGED_EVERY;
    if (window_bytes < WINDOW_BYTES_MIN)
        window_bytes = WINDOW_BYTES_MIN;
    bench->does_echo = false;
    bench->does_acknowledge = bench->rank == 0;
    begin(bench, 1);
    for (uint64_t i = 0; bench->rank == 1 && i < frames_count; i++) {
        send_frame(bench, bench->master, size);
        if (i % ACKNOWLEDGED_EVERY == ACKNOWLEDGED_EVERY - 1)
            poll_until(bench, INT64_MIN);
        while ((i + 1 - bench->frames_count * ACKNOWLEDGED_EVERY) * size > window_bytes)
            poll_until(bench, INT64_MAX);
    }
    if (bench->rank == 1)
        bench->api->drop(bench->transport, bench->master);
    seconds = end(bench).wall_s;
    bench->does_acknowledge = false;
    if (bench->rank == 0)
        printf("one way, %zu bytes: %.0f frames/s, %.0f MiB/s\n", size,
               (double)frames_count / seconds,
               (double)frames_count * (double)size / seconds / 1048576);
    fflush(stdout);
}

static void measure(struct bench *bench, int64_t idle_seconds)
{
    int size;
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (bench->rank == 1)
        printf(
            "| round trips    |   mean us | median us |   95%% us | %% of 0 | %% of 1 | %% last |\n"
            "| -------------- | --------- | --------- | --------- | ------ | ------ | ------ |\n");
    measure_raw(bench);
    measure_trips(bench, "back to back", 0, ROUNDS_MAX, 1);
    measure_trips(bench, "the same, all", 0, ROUNDS_MAX, size - 1);
    measure_trips(bench, "gap of 0.5 ms", 500000, 2000, 1);
    measure_trips(bench, "gap of 2 ms", 2000000, 500, 1);
    measure_trips(bench, "gap of 20 ms", 20000000, 100, 1);
    measure_idle(bench, idle_seconds);
    measure_stream(bench, FRAME_BYTES, 500000);
    measure_stream(bench, 1024, 300000);
    measure_stream(bench, 65536, 10000);
    measure_stream(bench, (size_t)16 << 20, 30);
}

int main(int argc, char **argv)
{
    int provided;
    struct bench *bench = calloc(1, sizeof *bench);
    void *module = argc < 2 ? NULL : dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (bench == NULL || module == NULL) {
        fprintf(stderr, "usage: mpirun -n N mpi_latency mw_mpi.so [idle seconds]\n");
        return EXIT_FAILURE;
    }
    bench->api = dlsym(module, MW_TRANSPORT_MODULE_SYMBOL);
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    require(bench->api != NULL, "no transport in the module");
    MPI_Comm_rank(MPI_COMM_WORLD, &bench->rank);
    measure(bench, argc < 3 ? 10 : strtol(argv[2], NULL, 10));
    MPI_Finalize();
    free(bench);
    return EXIT_SUCCESS;
}

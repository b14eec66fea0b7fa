/* SPDX-License-Identifier: Apache-2.0
 *
 * A farm inside an MPI program: embed_mpi [--cells N] [--steps N]
 *
 * The program is a simulation like many others: heat flows along a rod whose cells are divided
 * among the ranks, and neighbours exchange the cells at their edges. Every ten steps the rod is cut
 * into pieces and each is analysed, which takes much longer for some than for others. So the same
 * ranks become a farm, with rank 0 as master, for as long as the analysis lasts; what it finds
 * heats the rod anew, and the simulation goes on.
 *
 * The output is the same with any number of ranks. With one there is nobody to farm anything out
 * to, and the analysis is done where it is needed: that is the serial run.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mpi.h>

#include <mw/mpi.h>

#define STEPS_PER_ANALYSIS 10
#define PIECES_COUNT 24
#define FLOW 0.4
#define CELLS_MIN PIECES_COUNT
#define CELLS_MAX 1000000
#define STEPS_MAX 100000

/* What a rank knows. The farm hands it to the algorithms as their user pointer, so that it is there
 * in every phase. */
struct rank {
    MPI_Comm comm;
    int rank, ranks_count;
    int cells_count, steps_count; /* of the whole rod */
    int *counts, *offsets;        /* cells of each rank */
    double *cells;                /* our own, with one more at each end */
    double *next;
    double *rod;                /* rank 0: all cells, for the analysis */
    double found[PIECES_COUNT]; /* rank 0: the outcome for each piece */
    long analysed_count;        /* pieces that this rank has analysed, in all phases */
};

static int piece_begin(const struct rank *r, int piece)
{
    return (int)((long)r->cells_count * piece / PIECES_COUNT);
}

/* The expensive analysis: how many steps each cell needs to settle, the more the hotter it is. */
static double analyse(const double *cells, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++) {
        double x = cells[i];
        long steps_count = 0;
        while (x > 1e-9 && steps_count < 20000) {
            x -= x * x / (1000 + x);
            steps_count++;
        }
        sum += (double)steps_count * 1e-6 + x;
    }
    return sum / count;
}

/* The task algorithm: a piece of the rod comes as it lies in memory. */
static void analyse_piece(mw_call *call)
{
    struct rank *r = mw_call_user(call);
    void *bytes;
    size_t size;
    if (mw_call_bytes(call, &bytes, &size) != MW_OK)
        return;
    double *cells = malloc(size);
    if (cells == NULL) {
        mw_call_fail(call, "out of memory for a piece of %zu bytes", size);
        return;
    }
    memcpy(cells, bytes, size);
    mw_call_return(call, "d", analyse(cells, (int)(size / sizeof *cells)));
    free(cells);
    r->analysed_count++;
}

/* The master algorithm, on rank 0. Results come in any order and are put where they belong. */
static int analyse_rod(mw_master *farm, int argc, char **argv)
{
    struct rank *r = mw_master_user(farm);
    const mw_result *result;
    int left_count = PIECES_COUNT;
    (void)argc, (void)argv;

    for (int i = 0; i < PIECES_COUNT; i++)
        mw_master_submit_bytes(
            farm, &(mw_task){.algorithm = "analyse", .tag = i}, &r->rod[piece_begin(r, i)],
            (size_t)(piece_begin(r, i + 1) - piece_begin(r, i)) * sizeof *r->rod);
    while ((result = mw_master_next(farm)) != NULL)
        if (result->outcome == MW_DONE &&
            mw_result_get(result, "d", &r->found[result->tag]) == MW_OK)
            left_count--;
    return left_count == 0 ? 0 : 1;
}

static void analyse_alone(struct rank *r)
{
    for (int i = 0; i < PIECES_COUNT; i++)
        r->found[i] =
            analyse(&r->rod[piece_begin(r, i)], piece_begin(r, i + 1) - piece_begin(r, i));
}

/* Runs the farm, on all ranks together. */
static void analyse_together(struct rank *r)
{
    static const mw_algorithm algorithms[] = {{"analyse", analyse_piece}, {0}};
    const mw_program program = {.algorithms = algorithms, .master = analyse_rod, .user = r};
    mw_options *options;
    int status = 255;

    if (mw_options_create(&options) != MW_OK) {
        fprintf(stderr, "embed_mpi: out of memory\n");
        MPI_Abort(r->comm, 1);
    }
    mw_error error = mw_options_set(options, "quiet", "1");
    if (error == MW_OK)
        error = mw_mpi_run(r->comm, 0, &program, options, 0, NULL, &status);
    if (error != MW_OK || status != 0) {
        fprintf(stderr, "embed_mpi: rank %d: the analysis failed: %s\n", r->rank,
                error == MW_OK ? "a piece is missing" : mw_options_error(options));
        MPI_Abort(r->comm, 1);
    }
    mw_options_destroy(options);
}

/* One step of the explicit scheme; the ends of the rod are cold. */
static void step(struct rank *r)
{
    int count = r->counts[r->rank];
    int left = r->rank > 0 ? r->rank - 1 : MPI_PROC_NULL;
    int right = r->rank + 1 < r->ranks_count ? r->rank + 1 : MPI_PROC_NULL;

    r->cells[0] = 0;
    r->cells[count + 1] = 0;
    MPI_Sendrecv(&r->cells[1], 1, MPI_DOUBLE, left, 0, &r->cells[count + 1], 1, MPI_DOUBLE, right,
                 0, r->comm, MPI_STATUS_IGNORE);
    MPI_Sendrecv(&r->cells[count], 1, MPI_DOUBLE, right, 0, &r->cells[0], 1, MPI_DOUBLE, left, 0,
                 r->comm, MPI_STATUS_IGNORE);
    for (int i = 1; i <= count; i++)
        r->next[i] = r->cells[i] + FLOW * (r->cells[i - 1] - 2 * r->cells[i] + r->cells[i + 1]);
    double *swapped = r->cells;
    r->cells = r->next;
    r->next = swapped;
}

static void gather(struct rank *r)
{
    MPI_Gatherv(&r->cells[1], r->counts[r->rank], MPI_DOUBLE, r->rod, r->counts, r->offsets,
                MPI_DOUBLE, 0, r->comm);
}

/* The rod is analysed, and each piece heated by what was found for it. */
static void analyse_and_heat(struct rank *r)
{
    gather(r);
    if (r->ranks_count == 1)
        analyse_alone(r);
    else
        analyse_together(r);
    MPI_Bcast(r->found, PIECES_COUNT, MPI_DOUBLE, 0, r->comm);
    for (int i = 0; i < r->counts[r->rank]; i++) {
        int cell = r->offsets[r->rank] + i;
        int piece = 0;
        while (piece + 1 < PIECES_COUNT && piece_begin(r, piece + 1) <= cell)
            piece++;
        r->cells[i + 1] += r->found[piece];
    }
}

static void run(struct rank *r)
{
    for (int i = 1; i <= r->steps_count; i++) {
        step(r);
        if (i % STEPS_PER_ANALYSIS == 0)
            analyse_and_heat(r);
    }
}

/* Of the cells' very bits, by the FNV-1a hash (G. Fowler, L. C. Noll, P. Vo). */
static void print_checksum(struct rank *r)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    double heat = 0;
    gather(r);
    if (r->rank != 0)
        return;
    for (int i = 0; i < r->cells_count; i++) {
        uint64_t bits;
        memcpy(&bits, &r->rod[i], sizeof bits);
        for (int byte = 0; byte < 8; byte++)
            hash = (hash ^ (bits >> 8 * byte & 0xff)) * UINT64_C(0x100000001b3);
        heat += r->rod[i];
    }
    printf("%d cells, %d steps: heat %.12g, checksum %016llx\n", r->cells_count, r->steps_count,
           heat, (unsigned long long)hash);
}

/* The rod is hot near one end: the pieces there cost the most. */
static bool set_up(struct rank *r)
{
    r->counts = malloc((size_t)r->ranks_count * sizeof *r->counts);
    r->offsets = malloc((size_t)r->ranks_count * sizeof *r->offsets);
    if (r->counts == NULL || r->offsets == NULL)
        return false;
    for (int i = 0; i < r->ranks_count; i++) {
        r->offsets[i] = (int)((long)r->cells_count * i / r->ranks_count);
        r->counts[i] = (int)((long)r->cells_count * (i + 1) / r->ranks_count) - r->offsets[i];
    }
    size_t count = (size_t)r->counts[r->rank];
    r->cells = calloc(count + 2, sizeof *r->cells);
    r->next = calloc(count + 2, sizeof *r->next);
    r->rod = r->rank == 0 ? calloc((size_t)r->cells_count, sizeof *r->rod) : NULL;
    if (r->cells == NULL || r->next == NULL || (r->rank == 0 && r->rod == NULL))
        return false;
    for (size_t i = 0; i < count; i++) {
        double x = (r->offsets[r->rank] + (double)i) / r->cells_count;
        r->cells[i + 1] = 1000 * exp(-50 * (x - 0.2) * (x - 0.2));
    }
    return true;
}

static void tear_down(struct rank *r)
{
    free(r->counts);
    free(r->offsets);
    free(r->cells);
    free(r->next);
    free(r->rod);
}

static bool read_number(const char *text, int min, int max, int *number)
{
    char *end;
    long value = strtol(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || value < min || value > max)
        return false;
    *number = (int)value;
    return true;
}

static bool read_options(struct rank *r, int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        bool is_cells = strcmp(argv[i], "--cells") == 0;
        bool is_steps = strcmp(argv[i], "--steps") == 0;
        int min = is_cells ? CELLS_MIN : 1, max = is_cells ? CELLS_MAX : STEPS_MAX;
        if ((is_cells || is_steps) &&
            read_number(value, min, max, is_cells ? &r->cells_count : &r->steps_count))
            continue;
        if (r->rank == 0 && (is_cells || is_steps))
            fprintf(stderr, "embed_mpi: %s \"%s\" is not a number in %d..%d\n", argv[i], value, min,
                    max);
        else if (r->rank == 0)
            fprintf(stderr, "embed_mpi: unknown argument \"%s\"\n", argv[i]);
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct rank r = {.comm = MPI_COMM_WORLD, .cells_count = 2400, .steps_count = 100};
    int provided, status = 0;

    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(r.comm, &r.rank);
    MPI_Comm_size(r.comm, &r.ranks_count);
    if (provided < MPI_THREAD_FUNNELED) {
        fprintf(stderr, "embed_mpi: mw needs an MPI with MPI_THREAD_FUNNELED\n");
        MPI_Abort(r.comm, 1);
    }
    if (!read_options(&r, argc, argv)) {
        status = 2;
    } else if (!set_up(&r)) {
        fprintf(stderr, "embed_mpi: out of memory\n");
        MPI_Abort(r.comm, 1);
    } else {
        run(&r);
        print_checksum(&r);
        if (r.ranks_count > 1)
            fprintf(stderr, "rank %d has analysed %ld pieces\n", r.rank, r.analysed_count);
    }
    tear_down(&r);
    MPI_Finalize();
    return status;
}

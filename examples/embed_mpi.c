/* SPDX-License-Identifier: Apache-2.0
 *
 * A farm inside an MPI program: embed_mpi [--cells N] [--steps N]
 *
 * The program is a simulation like many others: heat flows along a rod whose cells are divided
 * among the ranks, and neighbours exchange the cells at their edges. Every ten steps the rod is
 * cut into pieces and each piece is analysed, which takes much longer for some pieces than for
 * others. So the same ranks become a farm, with rank 0 as master, for as long as the analysis
 * lasts. Its values heat the rod anew, and the simulation goes on.
 *
 * The output is the same with any number of ranks. On a single rank, the tasks run in it.
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

/* The state of one rank. The farm hands it to the algorithms as their user pointer, so that every
 * phase has it. */
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

static int piece_begin(const struct rank *rank, int piece)
{
    return (int)((long)rank->cells_count * piece / PIECES_COUNT);
}

/* The expensive analysis: how many steps each cell needs to settle, the more the hotter it is. */
static double analyse(const double *cells, int count)
{
    double sum = 0;
    for (int i = 0; i < count; i++) {
        double heat = cells[i];
        long steps_count = 0;
        while (heat > 1e-9 && steps_count < 20000) {
            heat -= heat * heat / (1000 + heat);
            steps_count++;
        }
        sum += (double)steps_count * 1e-6 + heat;
    }
    return sum / count;
}

/* The task algorithm. Its argument is a piece of the rod, as raw bytes. */
static void analyse_piece(mw_call *call)
{
    struct rank *rank = mw_call_user(call);
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
    rank->analysed_count++;
}

/* The master algorithm, on rank 0. Results come in any order; the tag is the number of the
 * piece. */
static int analyse_rod(mw_master *farm, int argc, char **argv)
{
    struct rank *rank = mw_master_user(farm);
    const mw_result *result;
    int left_count = PIECES_COUNT;
    (void)argc, (void)argv;

    for (int i = 0; i < PIECES_COUNT; i++)
        mw_master_submit_bytes(
            farm, &(mw_task){.algorithm = "analyse", .tag = i}, &rank->rod[piece_begin(rank, i)],
            (size_t)(piece_begin(rank, i + 1) - piece_begin(rank, i)) * sizeof *rank->rod);
    while ((result = mw_master_next(farm)) != NULL)
        if (result->outcome == MW_DONE &&
            mw_result_get(result, "d", &rank->found[result->tag]) == MW_OK)
            left_count--;
    return left_count == 0 ? 0 : 1;
}

/* Runs the farm. All ranks call this together. */
static void analyse_together(struct rank *rank)
{
    static const mw_algorithm algorithms[] = {{"analyse", analyse_piece}, {0}};
    const mw_program program = {.algorithms = algorithms, .master = analyse_rod, .user = rank};
    mw_options *options;
    int status = 255;
    if (mw_options_create(&options) != MW_OK) {
        fprintf(stderr, "embed_mpi: out of memory\n");
        MPI_Abort(rank->comm, 1);
    }
    mw_error error = mw_options_set(options, "quiet", "1");
    if (error == MW_OK)
        error = mw_mpi_run(rank->comm, 0, &program, options, 0, NULL, &status);
    if (error != MW_OK || status != 0) {
        fprintf(stderr, "embed_mpi: rank %d: the analysis failed: %s\n", rank->rank,
                error == MW_OK ? "a piece is missing" : mw_options_error(options));
        MPI_Abort(rank->comm, 1);
    }
    mw_options_destroy(options);
}

/* One step of the explicit scheme; the ends of the rod are cold. */
static void step(struct rank *rank)
{
    int count = rank->counts[rank->rank];
    int left = rank->rank > 0 ? rank->rank - 1 : MPI_PROC_NULL;
    int right = rank->rank + 1 < rank->ranks_count ? rank->rank + 1 : MPI_PROC_NULL;
    rank->cells[0] = 0;
    rank->cells[count + 1] = 0;
    MPI_Sendrecv(&rank->cells[1], 1, MPI_DOUBLE, left, 0, &rank->cells[count + 1], 1, MPI_DOUBLE,
                 right, 0, rank->comm, MPI_STATUS_IGNORE);
    MPI_Sendrecv(&rank->cells[count], 1, MPI_DOUBLE, right, 0, &rank->cells[0], 1, MPI_DOUBLE, left,
                 0, rank->comm, MPI_STATUS_IGNORE);
    for (int i = 1; i <= count; i++)
        rank->next[i] =
            rank->cells[i] + FLOW * (rank->cells[i - 1] - 2 * rank->cells[i] + rank->cells[i + 1]);
    double *swapped = rank->cells;
    rank->cells = rank->next;
    rank->next = swapped;
}

static void gather(struct rank *rank)
{
    MPI_Gatherv(&rank->cells[1], rank->counts[rank->rank], MPI_DOUBLE, rank->rod, rank->counts,
                rank->offsets, MPI_DOUBLE, 0, rank->comm);
}

/* Analyses the rod, and adds to each cell the value that was found for its piece. */
static void analyse_and_heat(struct rank *rank)
{
    gather(rank);
    analyse_together(rank);
    MPI_Bcast(rank->found, PIECES_COUNT, MPI_DOUBLE, 0, rank->comm);
    for (int i = 0; i < rank->counts[rank->rank]; i++) {
        int cell = rank->offsets[rank->rank] + i;
        int piece = 0;
        while (piece + 1 < PIECES_COUNT && piece_begin(rank, piece + 1) <= cell)
            piece++;
        rank->cells[i + 1] += rank->found[piece];
    }
}

static void run(struct rank *rank)
{
    for (int i = 1; i <= rank->steps_count; i++) {
        step(rank);
        if (i % STEPS_PER_ANALYSIS == 0)
            analyse_and_heat(rank);
    }
}

/* The checksum is the FNV-1a hash (G. Fowler, L. C. Noll, P. Vo) of the bits of all cells. */
static void print_checksum(struct rank *rank)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    double heat = 0;
    gather(rank);
    if (rank->rank != 0)
        return;
    for (int i = 0; i < rank->cells_count; i++) {
        uint64_t bits;
        memcpy(&bits, &rank->rod[i], sizeof bits);
        for (int byte = 0; byte < 8; byte++)
            hash = (hash ^ (bits >> 8 * byte & 0xff)) * UINT64_C(0x100000001b3);
        heat += rank->rod[i];
    }
    printf("%d cells, %d steps: heat %.12g, checksum %016llx\n", rank->cells_count,
           rank->steps_count, heat, (unsigned long long)hash);
}

/* The rod is hot near one end, so the pieces there take longest to analyse. */
static bool set_up(struct rank *rank)
{
    rank->counts = malloc((size_t)rank->ranks_count * sizeof *rank->counts);
    rank->offsets = malloc((size_t)rank->ranks_count * sizeof *rank->offsets);
    if (rank->counts == NULL || rank->offsets == NULL)
        return false;
    for (int i = 0; i < rank->ranks_count; i++) {
        rank->offsets[i] = (int)((long)rank->cells_count * i / rank->ranks_count);
        rank->counts[i] =
            (int)((long)rank->cells_count * (i + 1) / rank->ranks_count) - rank->offsets[i];
    }
    size_t count = (size_t)rank->counts[rank->rank];
    rank->cells = calloc(count + 2, sizeof *rank->cells);
    rank->next = calloc(count + 2, sizeof *rank->next);
    rank->rod = rank->rank == 0 ? calloc((size_t)rank->cells_count, sizeof *rank->rod) : NULL;
    if (rank->cells == NULL || rank->next == NULL || (rank->rank == 0 && rank->rod == NULL))
        return false;
    for (size_t i = 0; i < count; i++) {
        double place = (rank->offsets[rank->rank] + (double)i) / rank->cells_count;
        rank->cells[i + 1] = 1000 * exp(-50 * (place - 0.2) * (place - 0.2));
    }
    return true;
}

static void tear_down(struct rank *rank)
{
    free(rank->counts);
    free(rank->offsets);
    free(rank->cells);
    free(rank->next);
    free(rank->rod);
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

static bool read_options(struct rank *rank, int argc, char **argv)
{
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        bool is_cells = strcmp(argv[i], "--cells") == 0;
        bool is_steps = strcmp(argv[i], "--steps") == 0;
        int min = is_cells ? CELLS_MIN : 1, max = is_cells ? CELLS_MAX : STEPS_MAX;
        if ((is_cells || is_steps) &&
            read_number(value, min, max, is_cells ? &rank->cells_count : &rank->steps_count))
            continue;
        if (rank->rank == 0 && (is_cells || is_steps))
            fprintf(stderr, "embed_mpi: %s \"%s\" is not a number in %d..%d\n", argv[i], value, min,
                    max);
        else if (rank->rank == 0)
            fprintf(stderr, "embed_mpi: unknown argument \"%s\"\n", argv[i]);
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct rank rank = {.comm = MPI_COMM_WORLD, .cells_count = 2400, .steps_count = 100};
    int provided, status = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_rank(rank.comm, &rank.rank);
    MPI_Comm_size(rank.comm, &rank.ranks_count);
    if (provided < MPI_THREAD_FUNNELED) {
        fprintf(stderr, "embed_mpi: mw needs an MPI with MPI_THREAD_FUNNELED\n");
        MPI_Abort(rank.comm, 1);
    }
    if (!read_options(&rank, argc, argv)) {
        status = 2;
    } else if (!set_up(&rank)) {
        fprintf(stderr, "embed_mpi: out of memory\n");
        MPI_Abort(rank.comm, 1);
    } else {
        run(&rank);
        print_checksum(&rank);
        fprintf(stderr, "rank %d has analysed %ld pieces\n", rank.rank, rank.analysed_count);
    }
    tear_down(&rank);
    MPI_Finalize();
    return status;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Each example prints the right output, and the same in every mode that it supports. Only times,
 * and the order of hello_world's greetings, may differ. A new example gets a row in the table of
 * main. test_mandelbrot.c tests the example that writes a file.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "hello.h"
#include "mwt_folder.h"
#include "mwt_run.h"

/* Open MPI itself does not free all its memory. */
#define NO_LEAK_CHECK "ASAN_OPTIONS=detect_leaks=0"

#define ARGUMENTS_MAX 8
#define ARGV_MAX 24
#define SLAVES_COUNT 3

struct example {
    const char *name;
    const char *arguments[ARGUMENTS_MAX];
    /* Checks the standard output of the master and of `slaves_count` slaves. */
    void (*check)(struct mwt_process *process, unsigned slaves_count);
    int crashes_count; /* slaves that crash on purpose */
};

static void check_argument_processing(struct mwt_process *process, unsigned slaves_count)
{
    (void)slaves_count;
    CU_ASSERT_STRING_EQUAL(
        mwt_output(process, MWT_OUT),
        "required got name=apples count=3\n"
        "optional got name=pears count=1 unit=pieces\n"
        "optional got name=pears count=4 unit=pieces\n"
        "optional got name=pears count=4 unit=boxes\n"
        "named got depth=10 is_talkative=0\n"
        "named got depth=10 is_talkative=1\n"
        "named got depth=2 is_talkative=1\n"
        "rest got name=plums numbers=0 sum=0\n"
        "rest got name=plums numbers=3 sum=321\n"
        "all got name=figs first=7 numbers=0 label=none\n"
        "all got name=figs first=1 numbers=2 label=ripe\n"
        "required failed: expected 2 arguments, got 1\n"
        "required failed: argument 2: expected an integer of 32 bits, got a string\n"
        "named failed: there is no argument named \"speed\"\n");
}

/* The compiler chooses the words of the last lines. */
static void check_higher_order(struct mwt_process *process, unsigned slaves_count)
{
    static const char good[] = "square: 0 1 4 39.0625 100\n"
                               "half: 0 0.5 1 3.125 5\n"
                               "factorial: 1 1 2 1019.75 3.6288e+06\n"
                               "root: 0 1 1.41421 2.5 3.16228\n"
                               "misspelt failed: ";
    const char *output = mwt_output(process, MWT_OUT);
    (void)slaves_count;
    CU_ASSERT_EQUAL(strncmp(output, good, sizeof good - 1), 0);
    CU_ASSERT_EQUAL(mwt_count(output, "\n"), 7);
    CU_ASSERT_PTR_NOT_NULL(strstr(output, ":3: error: 'y' undeclared\nnameless failed: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "the source does not define a function \"f\"\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "\nhomeless failed: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(output, "'far_away'\n"));
}

/* Another program computed these numbers for the same arguments. Its Philox gives the numbers that
 * the authors of Philox published. */
static void check_monte_carlo_pi(struct mwt_process *process, unsigned slaves_count)
{
    (void)slaves_count;
    CU_ASSERT_STRING_EQUAL(mwt_output(process, MWT_OUT),
                           "6317 of 8008 darts hit.\n"
                           "Pi is about 3.155344655, standard error 0.018243205.\n");
}

/* Another program, in Python, counted the same hits in one run of the generator. */
static void check_monte_carlo_pi_fortran(struct mwt_process *process, unsigned slaves_count)
{
    (void)slaves_count;
    CU_ASSERT_STRING_EQUAL(mwt_output(process, MWT_OUT),
                           "6370 of 8008 darts hit.\n"
                           "Pi is about 3.181818182, standard error 0.018030201.\n");
}

/* All squares, after a slave was lost. */
static void check_ordered_database(struct mwt_process *process, unsigned slaves_count)
{
    char text[4096];
    size_t size = 0;
    (void)slaves_count;
    for (int i = 0; i < 300; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%d: %d\n", i, i * i);
    snprintf(text + size, sizeof text - size, "300 queries answered, 0 of them wrong.\n");
    CU_ASSERT_STRING_EQUAL(mwt_output(process, MWT_OUT), text);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(process, MWT_ERR), " is lost.\n"), 1);
}

/* More pings than the target number, so that the master must submit in parts. */
static void check_ping(struct mwt_process *process, unsigned slaves_count)
{
    static const char counts[] = "Got need=150000 good=150000 bad=0 sub=150000 pings.\n";
    const char *output = mwt_output(process, MWT_OUT);
    double seconds = 0, rate = 0;
    (void)slaves_count;
    CU_ASSERT_EQUAL(strncmp(output, counts, sizeof counts - 1), 0);
    CU_ASSERT_EQUAL(mwt_count(output, "\n"), 2);
    const char *end = strstr(output, "This took ");
    CU_ASSERT_PTR_NOT_NULL_FATAL(end);
    CU_ASSERT_EQUAL(
        sscanf(end, "This took %lf seconds to compute with %lf tasks per second.", &seconds, &rate),
        2);
    CU_ASSERT_PTR_NOT_NULL(strstr(end, "tasks per second.\n"));
    /* The seconds are printed to the thousandth. */
    CU_ASSERT_DOUBLE_EQUAL(rate * seconds, 150000, rate * 0.0006);
}

static void check_with_task_policy(struct mwt_process *process, unsigned slaves_count)
{
    char text[4096];
    size_t size = 0;
    (void)slaves_count;
    for (int i = 1; i <= 100; i++)
        size += (size_t)snprintf(text + size, sizeof text - size, "%d * 10 = %d\n", i, 10 * i);
    CU_ASSERT_STRING_EQUAL(mwt_output(process, MWT_OUT), text);
}

/* Known numbers of primes. */
static void check_event_loop(struct mwt_process *process, unsigned slaves_count)
{
    (void)slaves_count;
    CU_ASSERT_STRING_EQUAL(mwt_output(process, MWT_OUT), "There are 9592 primes below 100000.\n");
}

static void check_hello_world(struct mwt_process *process, unsigned slaves_count)
{
    check_hello(process, 1, slaves_count);
}

static size_t add_words(const char **argv, size_t count, const char *const *words)
{
    while (*words != NULL && count < ARGV_MAX - 1)
        argv[count++] = *words++;
    return count;
}

/* Starts the example with the words of a launcher, if any, and options for its mode. */
static struct mwt_process *start(struct mwt_crew *crew, const char *const *launcher,
                                 const struct example *example, const char *const *options)
{
    const char *argv[ARGV_MAX] = {NULL};
    const char *path = mwt_format(crew, "%s/%s", MWT_EXAMPLES, example->name);
    size_t count = add_words(argv, 0, launcher);
    count = add_words(argv, count, MWT_ARGV(path, "--mw-quiet"));
    count = add_words(argv, count, options);
    add_words(argv, count, example->arguments);
    return mwt_start(
        crew,
        &(struct mwt_start){.argv = argv,
                            .environment = launcher[0] == NULL ? NULL : MWT_ARGV(NO_LEAK_CHECK)});
}

static void run_local(const struct example *example, unsigned slaves_count)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *count = mwt_format(crew, "%u", slaves_count);

    struct mwt_process *farm = start(crew, MWT_ARGV(NULL), example, MWT_ARGV("--mw-local", count));

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    example->check(farm, slaves_count);
    mwt_crew_destroy(crew);
}

static void run_tcp(const struct example *example)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *file = mwt_path(crew, "m.rsc");
    struct mwt_process *slaves[SLAVES_COUNT];
    int crashes_count = 0;

    struct mwt_process *master =
        start(crew, MWT_ARGV(NULL), example,
              MWT_ARGV("--mw-master", "--mw-master-host", "127.0.0.1", "--mw-resource-file", file));
    for (size_t i = 0; i < SLAVES_COUNT; i++)
        slaves[i] = start(crew, MWT_ARGV(NULL), example,
                          MWT_ARGV("--mw-slave", "--mw-resource-file", file));

    CU_ASSERT_EQUAL(mwt_await_end(master), 0);
    example->check(master, 0);
    for (size_t i = 0; i < SLAVES_COUNT; i++) {
        int status = mwt_await_end(slaves[i]);
        CU_ASSERT(status == 0 || status == EXIT_FAILURE);
        crashes_count += status == EXIT_FAILURE;
    }
    CU_ASSERT_EQUAL(crashes_count, example->crashes_count);
    mwt_crew_destroy(crew);
}

/* A slave that crashes ends the whole job under MPI. */
static void run_mpi(const struct example *example)
{
    if (example->crashes_count > 0)
        return;
#ifdef MWT_MPIEXEC
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *job =
        start(crew, MWT_ARGV(MWT_MPIEXEC, "-n", "4"), example, MWT_ARGV(NULL));

    CU_ASSERT_EQUAL(mwt_await_end(job), 0);
    example->check(job, SLAVES_COUNT);
    mwt_crew_destroy(crew);
#else
    mwt_not_run(example->name, "this build has MW_WITH_MPI=OFF");
#endif
}

/* Master and slave in one process, where a slave cannot crash alone. */
static void run_serial(const struct example *example)
{
    if (example->crashes_count > 0)
        return;
    struct mwt_crew *crew = mwt_crew_create();

    struct mwt_process *farm = start(crew, MWT_ARGV(NULL), example, MWT_ARGV("--mw-local", "0"));

    CU_ASSERT_EQUAL(mwt_await_end(farm), 0);
    example->check(farm, 1);
    mwt_crew_destroy(crew);
}

static void run_everywhere(const struct example *example)
{
    run_serial(example);
    run_local(example, 1);
    run_local(example, 3);
    run_tcp(example);
    run_mpi(example);
}

/* Ten greetings, and the last words of the master and of each slave. */
static void test_hello_world(void)
{
    run_everywhere(&(struct example){.name = "hello_world", .check = check_hello_world});
}

/* Every kind of argument arrives, and the wrong ones are failed tasks. */
static void test_argument_processing(void)
{
    run_everywhere(
        &(struct example){.name = "argument_processing", .check = check_argument_processing});
}

/* A farm that SIGTERM stops writes down the tasks that ran, and the next run does the others: all
 * squares are there, once. */
static void test_checkpoint(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const char *path = mwt_path(crew, "squares");
    const char *program = mwt_format(crew, "%s/checkpoint", MWT_EXAMPLES);

    struct mwt_process *first =
        mwt_run_program(crew, program, "--mw-local", "2", path, "--ms", "300", NULL);
    mwt_await_line(first, MWT_ERR, "-> 1 results");
    mwt_kill(first, SIGTERM);
    CU_ASSERT_EQUAL(mwt_await_end(first), 128 + SIGTERM);
    struct mwt_process *second =
        mwt_run_program(crew, program, "--mw-local", "2", path, "--ms", "1", NULL);
    CU_ASSERT_EQUAL(mwt_await_end(second), 0);

    mwt_await_line(second, MWT_OUT, " new, 0 left");
    CU_ASSERT_PTR_NULL(strstr(mwt_output(second, MWT_OUT), "0 known"));
    char *squares = mwt_file_read(path);
    const char *lines = mwt_format(crew, "\n%s", squares == NULL ? "" : squares);
    for (int number = 1; number <= 20; number++)
        CU_ASSERT_EQUAL(mwt_count(lines, mwt_format(crew, "\n%d %d\n", number, number * number)),
                        1);
    CU_ASSERT_EQUAL(mwt_count(lines, "\n"), 21);
    free(squares);
    mwt_crew_destroy(crew);
}

/* The farm in an event loop, which over MPI has no descriptor. */
static void test_event_loop(void)
{
    run_everywhere(&(struct example){
        .name = "event_loop", .arguments = {"--limit", "100000"}, .check = check_event_loop});
}

/* The loop serves the clock while the farm works, and the signal that ends both. */
static void test_event_loop_signal(void)
{
    struct mwt_crew *crew = mwt_crew_create();
    const struct example example = {.name = "event_loop", .arguments = {"--limit", "1000000000"}};

    struct mwt_process *farm = start(crew, MWT_ARGV(NULL), &example,
                                     MWT_ARGV("--mw-local", "1", "--mw-shutdown-timeout", "0"));
    mwt_await_line(farm, MWT_ERR, " of 200 ranges, 1 slaves");
    mwt_kill(farm, SIGINT);

    CU_ASSERT_EQUAL(mwt_await_end(farm), 128 + SIGINT);
    CU_ASSERT_STRING_EQUAL(mwt_output(farm, MWT_OUT), "");
    mwt_await_line(farm, MWT_ERR, "event_loop: stopped");
    mwt_crew_destroy(crew);
}

/* Functions are compiled and applied in the slaves. Functions that do not compile are failed
 * tasks. */
static void test_higher_order(void)
{
#ifdef MWT_HAS_TCC
    run_everywhere(&(struct example){.name = "higher_order", .check = check_higher_order});
#else
    mwt_not_run("higher_order", "this build has no libtcc");
    (void)check_higher_order;
#endif
}

/* The estimate depends on the arguments alone. */
static void test_monte_carlo_pi(void)
{
    run_everywhere(
        &(struct example){.name = "monte_carlo_pi",
                          .arguments = {"--max-trial-sets", "8", "--trials", "1001", "--seed", "7"},
                          .check = check_monte_carlo_pi});
}

/* The same in Fortran. Its result does not depend on the number of sets either. */
static void test_monte_carlo_pi_fortran(void)
{
    struct example example = {
        .name = "monte_carlo_pi_fortran",
        .arguments = {"--max-trial-sets", "8", "--trials", "1001", "--seed", "7"},
        .check = check_monte_carlo_pi_fortran};
#ifdef MWT_HAS_FORTRAN
    run_everywhere(&example);
    example.arguments[1] = "1001";
    example.arguments[3] = "8";
    run_local(&example, 2);
#else
    mwt_not_run(example.name, "this build has no Fortran module");
#endif
}

/* All queries are answered although a slave says goodbye in the middle. If it was the only slave,
 * the local farm starts another. */
static void test_ordered_database(void)
{
    run_everywhere(&(struct example){.name = "ordered_database", .check = check_ordered_database});
}

/* The same if it crashes. */
static void test_ordered_database_crash(void)
{
    run_everywhere(&(struct example){.name = "ordered_database",
                                     .arguments = {"--lose", "crash"},
                                     .check = check_ordered_database,
                                     .crashes_count = 1});
}

/* Every ping is answered once, and the last two lines say so. */
static void test_ping(void)
{
    run_everywhere(
        &(struct example){.name = "ping", .arguments = {"--pings", "150000"}, .check = check_ping});
}

/* A hundred tasks under one policy. */
static void test_with_task_policy(void)
{
    run_everywhere(&(struct example){.name = "with_task_policy", .check = check_with_task_policy});
}

/* Wrong arguments are one line that names them, nothing on standard output, and status 2. */
static void test_wrong_usage(void)
{
    static const struct {
        const char *name;
        const char *arguments[2];
        const char *complaint;
    } cases[] = {
        {"argument_processing", {"--loud"}, "argument_processing: unknown argument \"--loud\""},
        {"event_loop", {"--limit", "1e6"}, "event_loop: --limit \"1e6\" is not a number in 1..10"},
        {"event_loop", {"--speed", "1"}, "event_loop: unknown argument \"--speed\""},
        {"genetic", {"--evaluations", "0"}, "genetic: --evaluations \"0\" is not a number"},
        {"genetic", {"--mutations", "1"}, "genetic: unknown argument \"--mutations\""},
        {"long_simulation", {"--steps", "1e9"}, "long_simulation: --steps \"1e9\" is not a number"},
        {"long_simulation", {"--ends", "1"}, "long_simulation: unknown argument \"--ends\""},
        {"mandelbrot", {"--width", "0"}, "mandelbrot: --width \"0\" is not a number in 1..30000"},
        {"mandelbrot", {"--height", "30001"}, "mandelbrot: --height \"30001\" is not a number"},
        {"mandelbrot", {"--iterations", "1e3"}, "--iterations \"1e3\" is not a number"},
        {"mandelbrot", {"--output"}, "mandelbrot: --output wants the name of a file"},
        {"mandelbrot", {"--size", "3"}, "mandelbrot: unknown argument \"--size\""},
        {"monte_carlo_pi", {"--trials", "0"}, "monte_carlo_pi: --trials \"0\" is not a number"},
        {"monte_carlo_pi", {"--seed", "-1"}, "monte_carlo_pi: --seed \"-1\" is not a number"},
        {"monte_carlo_pi", {"--seed"}, "monte_carlo_pi: --seed \"\" is not a number"},
        {"monte_carlo_pi", {"--max-trial-sets", "9x"}, "--max-trial-sets \"9x\" is not a number"},
        {"monte_carlo_pi", {"--darts", "1"}, "monte_carlo_pi: unknown argument \"--darts\""},
        {"ordered_database", {"--lose", "x"}, "ordered_database: --lose \"x\" is not leave"},
        {"ordered_database", {"lose"}, "ordered_database: unknown argument \"lose\""},
        {"ping", {"--pings", "many"}, "ping: --pings \"many\" is not a number"},
        {"ping", {"--pings", "99999999999999999999"}, "\"99999999999999999999\" is not a number"},
        {"ping", {"--pongs", "1"}, "ping: unknown argument \"--pongs\""},
        {"with_task_policy", {"7"}, "with_task_policy: unknown argument \"7\""},
#ifdef MWT_HAS_FORTRAN
        {"monte_carlo_pi_fortran", {"--trials", "9x"}, "--trials \"9x\" is not a number in 1..10"},
        {"monte_carlo_pi_fortran", {"--trials", "1000000000001"}, "1\" is not a number"},
        {"monte_carlo_pi_fortran", {"--seed"}, "--seed \"\" is not a number in 0..99"},
        {"monte_carlo_pi_fortran", {"--darts", "1"}, "_fortran: unknown argument \"--darts\""},
#endif
#ifdef MWT_HAS_TCC
        {"higher_order", {"f.c"}, "higher_order: unknown argument \"f.c\""},
#endif
    };
    struct mwt_crew *crew = mwt_crew_create();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct example example = {
            .name = cases[i].name, .arguments = {cases[i].arguments[0], cases[i].arguments[1]}};
        struct mwt_process *farm =
            start(crew, MWT_ARGV(NULL), &example, MWT_ARGV("--mw-local", "1"));

        CU_ASSERT_EQUAL(mwt_await_end(farm), 2);
        CU_ASSERT_STRING_EQUAL(mwt_output(farm, MWT_OUT), "");
        CU_ASSERT_PTR_NOT_NULL(strstr(mwt_output(farm, MWT_ERR), cases[i].complaint));
        CU_ASSERT_EQUAL(mwt_count(mwt_output(farm, MWT_ERR), "\n"), 1);
    }
    mwt_crew_destroy(crew);
}

/* Only the master complains and sets the status, also in an MPI job; its slaves do nothing. */
static void test_wrong_usage_elsewhere(void)
{
    const struct example ping = {.name = "ping", .arguments = {"--pings", "many"}};
    struct mwt_crew *crew = mwt_crew_create();
    const char *file = mwt_path(crew, "m.rsc");

    struct mwt_process *slave =
        start(crew, MWT_ARGV(NULL), &ping, MWT_ARGV("--mw-slave", "--mw-resource-file", file));
    struct mwt_process *master =
        start(crew, MWT_ARGV(NULL), &ping,
              MWT_ARGV("--mw-master", "--mw-master-host", "127.0.0.1", "--mw-resource-file", file));

    CU_ASSERT_EQUAL(mwt_await_end(master), 2);
    CU_ASSERT_EQUAL(mwt_await_end(slave), 0);
    const char *said = strstr(mwt_output(slave, MWT_ERR), MWT_WARNING("SLAVE "));
    CU_ASSERT_PTR_NOT_NULL_FATAL(said);
    CU_ASSERT_STRING_EQUAL(said, MWT_WARNING("SLAVE "));
#ifdef MWT_MPIEXEC
    struct mwt_process *job = start(crew, MWT_ARGV(MWT_MPIEXEC, "-n", "3"), &ping, MWT_ARGV(NULL));
    CU_ASSERT_EQUAL(mwt_await_end(job), 2);
    CU_ASSERT_EQUAL(mwt_count(mwt_output(job, MWT_ERR), "ping: --pings \"many\""), 1);
#endif
    mwt_crew_destroy(crew);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"hello_world", test_hello_world},
        {"argument_processing", test_argument_processing},
        {"event_loop", test_event_loop},
        {"event_loop and a signal", test_event_loop_signal},
        {"higher_order", test_higher_order},
        {"monte_carlo_pi", test_monte_carlo_pi},
        {"monte_carlo_pi_fortran", test_monte_carlo_pi_fortran},
        {"ordered_database", test_ordered_database},
        {"ordered_database with a crash", test_ordered_database_crash},
        {"ping", test_ping},
        {"with_task_policy", test_with_task_policy},
        {"checkpoint", test_checkpoint},
        {"wrong usage", test_wrong_usage},
        {"wrong usage elsewhere", test_wrong_usage_elsewhere},
        CU_TEST_INFO_NULL,
    };
    return mwt_run("examples", tests);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * A database that lies in the slaves: ordered_database [--lose leave|crash]
 *
 * The database is cut into shards. A slave loads each shard that the master gives it once, and
 * keeps it in memory. The master sends each query to the slave that holds the shard, as an ordered
 * task. One slave is lost on purpose: it leaves, or it crashes, which over MPI would end the whole
 * job. Its queries come back unrunnable, the master gives its shards to other slaves, and asks
 * again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <mw/mw.h>

#define SHARDS_COUNT 3
#define RECORDS_COUNT 100 /* in each shard */
#define QUERIES_COUNT 300 /* one for each record */
#define QUERIES_AT_A_TIME 30
#define SLAVES_MAX 16
#define PATIENCE_S 30

/* The slave's side. */

/* The shards that a slave has loaded. The task algorithms get it as the slave's user data. */
struct memory {
    int *shards[SHARDS_COUNT];
    bool is_leaving;
};

/* Stands for reading a large file. Record 0 of shard 1 has the key 1, record 1 the key 4, and so
 * on. */
static int *read_shard(int shard)
{
    int *records = malloc(RECORDS_COUNT * sizeof *records);
    for (int i = 0; records != NULL && i < RECORDS_COUNT; i++) {
        int key = i * SHARDS_COUNT + shard;
        records[i] = key * key;
    }
    return records;
}

/* The master may give a slave a shard that the slave has loaded before. */
static void load(mw_call *call)
{
    struct memory *memory = mw_call_user(call);
    int shard;
    if (mw_call_args(call, "i", &shard) != MW_OK)
        return;
    if (memory->shards[shard] == NULL)
        memory->shards[shard] = read_shard(shard);
    if (memory->shards[shard] == NULL)
        mw_call_fail(call, "out of memory for shard %d", shard);
}

/* A slave runs its ordered tasks in the order in which they were submitted, so the shard was loaded
 * before, unless loading failed. */
static void query(mw_call *call)
{
    const struct memory *memory = mw_call_user(call);
    int key;
    if (mw_call_args(call, "i", &key) != MW_OK)
        return;
    const int *records = memory->shards[key % SHARDS_COUNT];
    if (records != NULL)
        mw_call_return(call, "i", records[key / SHARDS_COUNT]);
    else
        mw_call_fail(call, "shard %d is not loaded", key % SHARDS_COUNT);
}

/* The slave algorithm reads is_leaving after each task. */
static void leave(mw_call *call)
{
    struct memory *memory = mw_call_user(call);
    memory->is_leaving = true;
}

static void crash(mw_call *call)
{
    (void)call;
    _exit(EXIT_FAILURE);
}

/* Runs in each slave. When it returns, the slave says goodbye to the master. */
static int slave(mw_slave *self, int argc, char **argv)
{
    struct memory memory = {.is_leaving = false};
    mw_slave_counts counts;
    mw_error error;
    (void)argc, (void)argv;

    mw_slave_set_user(self, &memory);
    do
        error = mw_slave_loop_iterate(self, -1, &counts);
    while (error == MW_OK && !counts.master_gone && !memory.is_leaving);
    for (size_t i = 0; i < SHARDS_COUNT; i++)
        free(memory.shards[i]);
    return counts.shutdown || memory.is_leaving ? 0 : 255;
}

/* The master's side. */

struct database {
    mw_master *farm;
    const char *slaves[SLAVES_MAX];
    size_t slaves_count;
    const char *holders[SHARDS_COUNT]; /* the slave that has the shard; NULL: nobody */
    enum { OPEN, ASKED, ANSWERED } queries[QUERIES_COUNT];
    int answers[QUERIES_COUNT];
    int answers_count;
    const char *lose; /* the task that makes a slave be lost; NULL once it was sent */
};

/* Submits an ordered task. */
static void submit(struct database *database, const char *sid, const char *algorithm, int number)
{
    const mw_policy policy = {.sid = sid};
    const mw_task task = {.algorithm = algorithm, .tag = number, .policy = &policy};
    mw_master_submit(database->farm, &task, "i", number);
}

static size_t count_shards(const struct database *database, const char *sid)
{
    size_t count = 0;
    for (size_t shard = 0; shard < SHARDS_COUNT; shard++)
        count += database->holders[shard] != NULL && strcmp(database->holders[shard], sid) == 0;
    return count;
}

/* The slave with the fewest shards. There must be one. */
static const char *find_freest(const struct database *database)
{
    const char *freest = database->slaves[0];
    for (size_t i = 1; i < database->slaves_count; i++)
        if (count_shards(database, database->slaves[i]) < count_shards(database, freest))
            freest = database->slaves[i];
    return freest;
}

/* Gives the shards that no slave holds to slaves, and moves shards from slaves with many to slaves
 * with few. A slave keeps a shard that moved away, so it can still answer earlier queries. */
static void distribute(struct database *database)
{
    for (int shard = 0; shard < SHARDS_COUNT && database->slaves_count > 0; shard++) {
        const char *holder = database->holders[shard], *freest = find_freest(database);
        if (holder != NULL && count_shards(database, holder) <= count_shards(database, freest) + 1)
            continue;
        database->holders[shard] = freest;
        submit(database, freest, "load", shard);
        fprintf(stderr, "Shard %d is given to %s.\n", shard, freest);
    }
}

/* A slave beyond SLAVES_MAX gets no shard, which does no harm. */
static void add_slave(struct database *database, const char *sid)
{
    if (database->slaves_count < SLAVES_MAX)
        database->slaves[database->slaves_count++] = sid;
}

static void remove_slave(struct database *database, const char *sid)
{
    size_t kept_count = 0;
    for (size_t i = 0; i < database->slaves_count; i++)
        if (strcmp(database->slaves[i], sid) != 0)
            database->slaves[kept_count++] = database->slaves[i];
    database->slaves_count = kept_count;
    for (size_t shard = 0; shard < SHARDS_COUNT; shard++)
        if (database->holders[shard] != NULL && strcmp(database->holders[shard], sid) == 0)
            database->holders[shard] = NULL;
    fprintf(stderr, "%s is lost.\n", sid);
}

/* A slave may have come and gone since the last call, so slaves that came are taken first. */
static void update_slaves(struct database *database)
{
    const char *sid;
    while ((sid = mw_master_next_connected(database->farm)) != NULL)
        add_slave(database, sid);
    while ((sid = mw_master_next_disconnected(database->farm)) != NULL)
        remove_slave(database, sid);
    distribute(database);
}

/* Submits queries that are open and whose shard has a holder. It submits a few at a time, so that a
 * slave that comes later gets its share too. */
static void ask(struct database *database)
{
    int64_t upto = mw_master_upto(database->farm, "query");
    for (int key = 0; key < QUERIES_COUNT && upto > 0; key++) {
        const char *holder = database->holders[key % SHARDS_COUNT];
        if (database->queries[key] != OPEN || holder == NULL)
            continue;
        submit(database, holder, "query", key);
        database->queries[key] = ASKED;
        upto--;
    }
}

/* Once a third is answered, the slave of the first shard is lost. */
static void lose_slave(struct database *database)
{
    if (database->lose == NULL || database->holders[0] == NULL ||
        database->answers_count < QUERIES_COUNT / 3)
        return;
    submit(database, database->holders[0], database->lose, 0);
    database->lose = NULL;
}

/* False if a task failed. */
static bool take_results(struct database *database)
{
    const mw_result *result;
    while ((result = mw_master_next_result(database->farm)) != NULL) {
        if (result->outcome == MW_FAILED) {
            fprintf(stderr, "%s: %s\n", result->algorithm, result->message);
            return false;
        }
        if (strcmp(result->algorithm, "query") != 0)
            continue;
        if (mw_result_get(result, "i", &database->answers[result->tag]) != MW_OK)
            return false;
        database->queries[result->tag] = ANSWERED;
        database->answers_count++;
    }
    return true;
}

/* Unrunnable queries belonged to a slave that was lost. They are open again, for another slave. */
static void take_unrunnable(struct database *database)
{
    const mw_result *result;
    while ((result = mw_master_next_unrunnable(database->farm)) != NULL)
        if (strcmp(result->algorithm, "query") == 0)
            database->queries[result->tag] = OPEN;
}

/* Waits without limit for the first slave. Later it gives up if nothing happens for PATIENCE_S. */
static bool serve(struct database *database)
{
    mw_master_counts counts;
    double timeout_s = database->answers_count == 0 ? -1 : PATIENCE_S;
    if (mw_master_loop(database->farm, timeout_s, &counts) != MW_OK) {
        fprintf(stderr, "%s\n", mw_master_error(database->farm));
        return false;
    }
    if (counts.unrunnable + counts.results + counts.connected + counts.disconnected == 0) {
        fprintf(stderr, "No slave for %d s.\n", PATIENCE_S);
        return false;
    }
    return true;
}

static int print_answers(const struct database *database)
{
    int wrong_count = 0;
    for (int key = 0; key < QUERIES_COUNT; key++) {
        printf("%d: %d\n", key, database->answers[key]);
        wrong_count += database->answers[key] != key * key;
    }
    printf("%d queries answered, %d of them wrong.\n", database->answers_count, wrong_count);
    return wrong_count == 0 ? 0 : 1;
}

/* mw_main has taken mw's own options out; the arguments that are left are the program's. */
static bool read_options(int argc, char **argv, const char **lose)
{
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--lose") != 0) {
            fprintf(stderr, "ordered_database: unknown argument \"%s\"\n", argv[i]);
            return false;
        }
        if (strcmp(value, "leave") != 0 && strcmp(value, "crash") != 0) {
            fprintf(stderr, "ordered_database: --lose \"%s\" is not leave or crash\n", value);
            return false;
        }
        *lose = value;
    }
    return true;
}

static int master(mw_master *farm, int argc, char **argv)
{
    struct database database = {.farm = farm, .lose = "leave"};
    if (!read_options(argc, argv, &database.lose))
        return 2;
    mw_master_allocate(farm, SHARDS_COUNT, MW_ORDERED);
    mw_master_set_target(farm, "query", QUERIES_AT_A_TIME);
    while (database.answers_count < QUERIES_COUNT) {
        if (!serve(&database) || !take_results(&database))
            return 1;
        take_unrunnable(&database);
        update_slaves(&database);
        lose_slave(&database);
        ask(&database);
    }
    return print_answers(&database);
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {
        {"load", load}, {"query", query}, {"leave", leave}, {"crash", crash}, {0}};
    mw_program program = {.algorithms = algorithms, .master = master, .slave = slave};
    return mw_main(&program, argc, argv);
}

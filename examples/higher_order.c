/* SPDX-License-Identifier: Apache-2.0
 *
 * Tasks that bring their own function: the master sends C source and numbers, the slave compiles
 * the source in memory, with libtcc, and applies the function to each number.
 *
 * Such a slave runs any code that its master sends, with all the rights of its user. Nobody else
 * can pose as its master: before anything else, both prove that they hold a key that only this user
 * can read, and all that they say is encrypted. With --mw-insecure that is not so, and anybody who
 * reaches the slave's connection runs code in it.
 */
#include <stdio.h>
#include <string.h>

#include <libtcc.h>

#include <mw/mw.h>

#define MESSAGE_SIZE 300
#define LINE_SIZE 400

/* The type of the function that a source must define, by the name "f". */
typedef double function(double x);

/* Keeps the compiler's message. Of several messages it keeps the last: warnings come before the
 * error that ends the compilation. */
static void keep_message(void *message, const char *text)
{
    snprintf(message, MESSAGE_SIZE, "%s", text);
}

/* Compiles the source. The function that is returned lives until tcc is deleted. Returns NULL and
 * writes the message if the source does not compile. */
static function *compile(TCCState *tcc, const char *source, char message[MESSAGE_SIZE])
{
    function *compiled = NULL;
    tcc_set_error_func(tcc, message, keep_message);
    /* Without this option tcc needs files that only its own package has. */
    tcc_set_options(tcc, "-nostdlib");
    tcc_set_output_type(tcc, TCC_OUTPUT_MEMORY);
    if (tcc_compile_string(tcc, source) != 0 || tcc_relocate(tcc, TCC_RELOCATE_AUTO) != 0)
        return NULL;
    void *symbol = tcc_get_symbol(tcc, "f");
    if (symbol == NULL)
        snprintf(message, MESSAGE_SIZE, "the source does not define a function \"f\"");
    /* ISO C has no cast from an object's address to a function's. */
    memcpy(&compiled, &symbol, sizeof compiled);
    return compiled;
}

/* Returns one value for each number. */
static void apply(mw_call *call, function *apply_one, const msgpack_object *numbers, size_t count)
{
    msgpack_packer *packer = mw_call_packer(call);
    for (size_t i = 0; i < count; i++)
        msgpack_pack_double(packer, apply_one(numbers[i].via.f64));
}

static bool are_numbers(const msgpack_object *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (values[i].type != MSGPACK_OBJECT_FLOAT64)
            return false;
    return true;
}

/* Runs in a slave. A compiler's state remembers the functions that it has compiled, so each source
 * gets a new state, which is deleted at the end. */
static void map(mw_call *call)
{
    const char *source;
    const msgpack_object *numbers;
    size_t count;
    char message[MESSAGE_SIZE] = "the compiler gave no reason";
    if (mw_call_args(call, "s*", &source, &numbers, &count) != MW_OK)
        return;
    TCCState *tcc = tcc_new();
    if (tcc == NULL) {
        mw_call_fail(call, "out of memory for a compiler");
        return;
    }
    function *compiled = compile(tcc, source, message);
    if (compiled == NULL)
        mw_call_fail(call, "%s", message);
    else if (!are_numbers(numbers, count))
        mw_call_fail(call, "expected floating point numbers behind the source");
    else
        apply(call, compiled, numbers, count);
    tcc_delete(tcc);
}

/* The functions that are sent. The last three are wrong, each in its own way. */
static const struct {
    const char *name, *source;
} functions[] = {
    {"square", "double f(double x) { return x * x; }"},
    {"half", "double f(double x) { return x / 2; }"},
    {"factorial", "double f(double x) { return x < 2 ? 1 : x * f(x - 1); }"},
    {"root", "double f(double x)\n"
             "{\n"
             "    double y = x;\n"
             "    for (int i = 0; i < 60 && y > 0; i++)\n"
             "        y = (y + x / y) / 2;\n"
             "    return y;\n"
             "}\n"},
    {"misspelt", "double f(double x)\n"
                 "{\n"
                 "    return x * y;\n"
                 "}\n"},
    {"nameless", "double g(double x) { return x; }"},
    {"homeless", "double far_away(double x);\n"
                 "double f(double x) { return far_away(x); }\n"},
};

#define FUNCTIONS_COUNT (sizeof functions / sizeof functions[0])

/* The numbers go out as the arguments behind the source; as many values come back. */
#define NUMBERS 0.0, 1.0, 2.0, 6.25, 10.0
#define NUMBERS_COUNT 5

static void submit_functions(mw_master *farm)
{
    /* Somebody else wrote the functions, so they may run for ever. */
    const mw_policy policy = {.time_limit_s = 30, .max_attempts = 1};
    for (size_t i = 0; i < FUNCTIONS_COUNT; i++)
        mw_master_submit(farm, &(mw_task){.algorithm = "map", .tag = (int64_t)i, .policy = &policy},
                         "sddddd", functions[i].source, NUMBERS);
}

static void write_line(char line[LINE_SIZE], const mw_result *result)
{
    const char *name = functions[result->tag].name;
    int size = snprintf(line, LINE_SIZE, "%s:", name);
    if (result->outcome != MW_DONE) {
        snprintf(line, LINE_SIZE, "%s failed: %s", name, result->message);
        return;
    }
    for (size_t i = 0; i < NUMBERS_COUNT && i < mw_result_values_count(result); i++)
        size += snprintf(line + size, LINE_SIZE - (size_t)size, " %.6g",
                         mw_result_value(result, i)->via.f64);
}

static int master(mw_master *farm, int argc, char **argv)
{
    char lines[FUNCTIONS_COUNT][LINE_SIZE] = {{0}};
    const mw_result *result;
    if (argc > 1) {
        fprintf(stderr, "higher_order: unknown argument \"%s\", it takes none\n", argv[1]);
        return 2;
    }
    submit_functions(farm);
    while ((result = mw_master_next(farm)) != NULL)
        write_line(lines[result->tag], result);
    for (size_t i = 0; i < FUNCTIONS_COUNT; i++)
        printf("%s\n", lines[i]);
    return 0;
}

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"map", map}, {0}};
    return mw_main(&(mw_program){.algorithms = algorithms, .master = master}, argc, argv);
}

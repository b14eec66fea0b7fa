// SPDX-License-Identifier: Apache-2.0
//
// A farm in C++17: tables, tasks, policies and results as C++ code writes them. Exits 0 if all is
// right, else says what is not.
#include <cstdint>
#include <cstring>
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

#include <mw/embed.h>
#include <mw/mw.h>
#include <mw/sim.h>
#include <mw/transport.h>

namespace
{

constexpr int tasks_count = 20;

// What the algorithms share, by way of mw_program's user.
struct Settings {
    double factor;
};

// No exception may leave an algorithm: the library is of C.
void scale(mw_call *call)
{
    const auto *settings = static_cast<const Settings *>(mw_call_user(call));
    std::string name;
    const char *text;
    std::int64_t number;
    if (mw_call_args(call, "sl", &text, &number) != MW_OK)
        return;
    try {
        name = std::string(text) + "!";
        if (number == 13)
            throw std::string("thirteen");
        mw_call_return(call, "sd", name.c_str(), static_cast<double>(number) * settings->factor);
    } catch (const std::string &problem) {
        mw_call_fail(call, "no %s here", problem.c_str());
    }
}

void sum(mw_call *call)
{
    void *data;
    std::size_t size;
    if (mw_call_bytes(call, &data, &size) != MW_OK)
        return;
    const auto *bytes = static_cast<const unsigned char *>(data);
    const int total = std::accumulate(bytes, bytes + size, 0);
    mw_call_return_bytes(call, &total, sizeof total);
}

bool is_right(const mw_result *result)
{
    const char *name;
    double value;
    int total;
    if (result->tag == tasks_count) {
        if (result->outcome != MW_DONE || result->size != sizeof total)
            return false;
        std::memcpy(&total, result->data, sizeof total); // it may be anywhere, not aligned
        return total == 6;
    }
    if (result->tag == 13)
        return result->outcome == MW_FAILED && std::string(result->message) == "no thirteen here";
    return mw_result_get(result, "sd", &name, &value) == MW_OK && std::string(name) == "task!" &&
           value == static_cast<double>(result->tag) * 0.5;
}

int master(mw_master *farm, int argc, char **argv)
{
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    const std::vector<unsigned char> bytes = {1, 2, 3};
    mw_policy policy = {};
    policy.priority = 1;
    policy.retry = MW_YES;
    mw_task task = {};
    task.policy = &policy;
    task.algorithm = "scale";
    for (task.tag = 0; task.tag < tasks_count; task.tag++)
        mw_master_submit(farm, &task, "sl", "task", task.tag);
    task.algorithm = "sum";
    mw_master_submit_bytes(farm, &task, bytes.data(), bytes.size());

    int right_count = 0;
    while (const mw_result *result = mw_master_next(farm))
        if (is_right(result))
            right_count++;
        else
            std::cerr << "task " << result->tag << ": " << mw_master_error(farm) << '\n';
    return right_count == tasks_count + 1 && arguments == std::vector<std::string>{"own"} ? 0 : 1;
}

} // namespace

int main(int argc, char **argv)
{
    static const mw_algorithm algorithms[] = {{"scale", scale}, {"sum", sum}, {}};
    Settings settings = {0.5};
    mw_program program = {};
    program.algorithms = algorithms;
    program.master = master;
    program.user = &settings;
    return mw_main(&program, argc, argv);
}

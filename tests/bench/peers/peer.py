# SPDX-License-Identifier: Apache-2.0
"""What the peers in Python do alike: the options of bench.h, its line of JSON, and the run."""

import argparse
import json
import statistics
import sys
import time


def parse_arguments(program):
    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--bytes", type=int, default=64)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--mode", choices=("throughput", "latency"), default="throughput")
    return parser.parse_args()


def echo(data):
    """The task: its result is its arguments."""
    return data


def arguments_of(number, size):
    return number.to_bytes(8, "little") + bytes(size - 8)


def run(program, arguments, workers, run_all, run_one):
    """run_all(list of arguments) gives all results, run_one(arguments) one. Prints the JSON."""
    tasks = [arguments_of(number, arguments.bytes) for number in range(arguments.tasks)]
    run_all([arguments_of(0, arguments.bytes)] * (20 * workers))
    latencies = []
    begin = time.perf_counter()
    if arguments.mode == "latency":
        results = []
        for task in tasks:
            since = time.perf_counter()
            results.append(run_one(task))
            latencies.append(time.perf_counter() - since)
    else:
        results = run_all(tasks)
    seconds = time.perf_counter() - begin
    if results != tasks:
        sys.exit(f"{program}: the results are not the arguments")
    latencies.sort()
    print(json.dumps({
        "program": program, "mode": arguments.mode, "tasks": arguments.tasks,
        "bytes": arguments.bytes, "workers": workers, "seconds": seconds,
        "tasks_per_s": arguments.tasks / seconds,
        "latency_median_us": 1e6 * statistics.median(latencies) if latencies else None,
        "latency_p99_us": 1e6 * latencies[len(latencies) * 99 // 100] if latencies else None,
    }), flush=True)

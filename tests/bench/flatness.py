#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that a task costs the same in a small farm and in a large one.

Simulated farms with few and with many slaves, and with few and with many tasks queued, run in full
swing with groups of the same size. valgrind's callgrind counts the instructions for a task: those of
the master, and those of the whole world with all slaves. Each count may be at most 20 % above that
of the smallest farm. The exit status is 77, "skipped", without valgrind.
"""

from dataclasses import dataclass

from instructions import instructions, make_parser, run

TOLERANCE = 0.20
GROUP = 8
WINDOW_MIN = 20_000
TIMEOUT_S = 1500
WINDOWS_BEFORE = 4  # so that each slave has learned how short the tasks are
# Callgrind looks at the window alone; before it, the world runs ten times as fast.
WINDOW = ("--instr-atstart=no",)
MASTER = ("--part", "4")  # of enum mwt_sim_part_kind in sim_part.h
MARKED = ("--collect-atstart=no",)


@dataclass(frozen=True)
class Farm:
    slaves: int
    queued: int
    is_soak: bool = False


SMALLEST = Farm(10, 1000)
FARMS = (
    SMALLEST,
    Farm(10, 10 ** 6),
    Farm(10, 10 ** 7, is_soak=True),
    # Four groups for each slave, so that all have their share.
    Farm(1000, 4 * GROUP * 1000),
    Farm(10_000, 4 * GROUP * 10_000),
    Farm(100_000, 4 * GROUP * 100_000, is_soak=True),
)


def per_task(folder, farm, what=(), counting=()):
    """Over a window in which each slave gets a group at least."""
    window = max(WINDOW_MIN, GROUP * farm.slaves)
    command = ("sim_tasks", "--workers", str(farm.slaves), "--ahead", str(farm.queued),
               "--group", str(GROUP), "--window", str(window),
               "--before", str(WINDOWS_BEFORE * window)) + what
    return instructions(folder, command, WINDOW + counting, TIMEOUT_S) / window


def main(arguments):
    print(f"instructions per task, groups of {GROUP}\n")
    print(f"{'slaves':>10}{'queued':>12}{'master':>10}{'':>8}{'all':>10}")
    smallest, failed = None, False
    for farm in FARMS:
        if farm.is_soak and not arguments.soak:
            continue
        counts = (per_task(arguments.programs, farm, MASTER, MARKED),
                  per_task(arguments.programs, farm))
        smallest = smallest or counts
        changes = [count / least - 1 for count, least in zip(counts, smallest)]
        is_too_many = max(changes) > TOLERANCE
        failed = failed or is_too_many
        print(f"{farm.slaves:>10,}{farm.queued:>12,}{counts[0]:>10.0f}{changes[0]:>+8.1%}"
              f"{counts[1]:>10.0f}{changes[1]:>+8.1%}{'  FAILED: too many' * is_too_many}",
              flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    parser = make_parser("Checks that a task costs the same in a small farm and in a large one.")
    parser.add_argument("--soak", action="store_true", help="the largest farms too")
    run(parser, main)

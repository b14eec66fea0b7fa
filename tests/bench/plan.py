# SPDX-License-Identifier: Apache-2.0
"""What is measured: the workloads W1 to W9, and for each the farms, workers and tasks."""

from dataclasses import dataclass, field
from typing import Callable, Optional

import farms

GROUP_1 = ("--mw-slave-task-group", "1", "--mw-slave-result-group", "1")
MEAN_US, SIGMA_PERCENT = 1000, 200
LIGHT_US = 100
BYTES_LARGE = 65536
TASKS_MIN = 1_000_000
SLAVES = (1, 4, 10, 100, 1000, 5000)
DEPTH_MAX = 10 ** 7
DEPTHS = (10 ** 3, 10 ** 4, 10 ** 5, 10 ** 6, DEPTH_MAX)
MEMORY_MIN = 4 << 30  # bytes that must be free for 10^7 tasks


# W8 is measured with W5.
WORKS = ("W1", "W2", "W3", "W4", "W5", "W6", "W7", "W9")


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    name: str
    rounds: int
    seconds: float        # about how long a run of W1, W2, W3 is
    limit_s: int          # after so long nothing new is begun
    run_limit_s: int      # nor a run that would take longer, as far as that can be told
    workers: tuple        # of W1 and the peers
    slaves: tuple = SLAVES
    slaves_tasks: int = 1_000_000
    depths: tuple = DEPTHS
    depth_tasks: int = TASKS_MIN
    queued: tuple = (10 ** 6, 10 ** 7)
    uneven_tasks: int = 2000
    light_tasks: int = 20_000
    idle_s: int = 3
    has_peers: bool = True
    tasks: int = 0        # of W1, W2, W3; 0: as many as take `seconds`


SIZES = {
    "smoke": Size("smoke", 1, 0, 10 ** 6, 10 ** 6, (2,), (1, 4), 400, (10, 100), 400, (1000,), 20,
                  20, 1, False, 100),
    "quick": Size("quick", 3, 0.4, 330, 30, (4,), depth_tasks=200_000),
    "full": Size("full", 5, 1.0, 3600, 240, (1, 2, 4),
                 uneven_tasks=10_000, light_tasks=1_000_000, idle_s=10),
}


@dataclass(frozen=True)
class Cell:
    """One farm on one workload. Those of a workload with the same family are compared."""

    work: str                    # "W1"
    name: str                    # of the farm
    family: str                  # "tcp", "mpi", "peer"
    farm: Callable = field(compare=False)
    workers: int = 1
    options: tuple = ()          # pairs
    fixed_tasks: int = 0         # 0: as many as take Size.seconds
    tasks_first: int = 1000
    rounds_max: int = 0          # 0: all
    has_seed: bool = False       # another one in each round
    variant: Optional[int] = None  # what is varied in W4, W5

    @property
    def key(self):
        return f"{self.work} {self.name} {self.workers} {self.variant}"


def throughput(size):
    """W1: 64 bytes each way."""
    options = (("bytes", 64), ("mode", "throughput"))
    for workers in size.workers:
        for name, family, farm, more in (
                ("textbook epoll farm", "tcp", farms.plain("textbook_epoll"), ()),
                ("batched libevent farm", "tcp", farms.plain("textbook_libevent"),
                 (("out", 128), ("batch", 64))),
                ("mw, tcp", "tcp", farms.mw_tcp("mw_bench"), ()),
                ("mw, tcp, groups of 1", "tcp", grouped(farms.mw_tcp), ()),
                ("mw, local", "tcp", farms.mw_local("mw_bench"), ()),
                ("textbook MPI farm", "mpi", farms.ranked("textbook_mpi"), ()),
                ("batched MPI farm", "mpi", farms.ranked("textbook_mpi"),
                 (("out", 128), ("batch", 64))),
                ("mw, mpi", "mpi", farms.mw_mpi("mw_bench"), ()),
                ("mw, mpi, groups of 1", "mpi", grouped(farms.mw_mpi), ())):
            yield Cell("W1", name, family, farm, workers, options + more,
                       fixed_tasks=size.tasks)


def grouped(start):
    """mw_bench with nothing but one task and one result a message."""
    def run(bench, workers, options):
        return start("mw_bench", *GROUP_1, *farms.no_prefetch(bench))(bench, workers, options)
    return run


# A program that makes its tasks as it goes has a few MiB of them waiting, not the 64 of mw_bench.
LARGE_AHEAD = (("ahead", 128),)


def large(size):
    """W2: 64 KiB each way."""
    options = (("bytes", BYTES_LARGE), ("mode", "throughput"))
    for name, family, farm, more in (
            ("textbook epoll farm", "tcp", farms.plain("textbook_epoll"), ()),
            ("batched recv() farm", "tcp", farms.plain("textbook_libevent"),
             (("out", 8), ("batch", 4))),
            ("mw, tcp", "tcp", farms.mw_tcp("mw_bench"), LARGE_AHEAD),
            ("mw, local", "tcp", farms.mw_local("mw_bench"), LARGE_AHEAD),
            ("textbook MPI farm", "mpi", farms.ranked("textbook_mpi"), ()),
            ("prefetching MPI farm", "mpi", farms.ranked("textbook_mpi"), (("out", 4),)),
            ("mw, mpi", "mpi", farms.mw_mpi("mw_bench"), LARGE_AHEAD)):
        yield Cell("W2", name, family, farm, size.workers[-1], options + more,
                   fixed_tasks=size.tasks)


def latency(size):
    """W3: one task at a time."""
    options = (("bytes", 64), ("mode", "latency"))
    for name, family, farm in (
            ("textbook epoll farm", "tcp", farms.plain("textbook_epoll")),
            ("mw, tcp", "tcp", farms.mw_tcp("mw_bench")),
            ("mw, local", "tcp", farms.mw_local("mw_bench")),
            ("textbook MPI farm", "mpi", farms.ranked("textbook_mpi")),
            ("mw, mpi", "mpi", farms.mw_mpi("mw_bench"))):
        yield Cell("W3", name, family, farm, 1, options, fixed_tasks=size.tasks)


def queue(size):
    """W4: memory per waiting task, and what a task costs with so many of them."""
    for tasks in size.queued:
        yield Cell("W4", "memory", "tcp", alone("mw_queue"), 0, fixed_tasks=tasks, variant=tasks,
                   rounds_max=1)
    for depth in size.depths:
        yield Cell("W4", "rate", "tcp", farms.mw_tcp("mw_bench"), size.workers[-1],
                   (("bytes", 64), ("ahead", depth)), fixed_tasks=max(depth, size.depth_tasks),
                   variant=depth, rounds_max=1 if depth == DEPTH_MAX else 0)


def alone(name):
    """A master that has no slaves."""
    def run(bench, workers, options):
        return farms.mw_tcp(name, has_workers=False)(bench, 0, options)
    return run


def many(size):
    """W5 and W8: light slaves."""
    for slaves in size.slaves:
        yield Cell("W5", "mw, tcp", "tcp", farms.mw_many(), slaves, (("bytes", 64),),
                   fixed_tasks=size.slaves_tasks, variant=slaves)


def computing(size):
    """W6 and W7: tasks that compute."""
    for work, tasks, mean_us, sigma_percent in (
            ("W6", size.uneven_tasks, MEAN_US, SIGMA_PERCENT),
            ("W7", size.light_tasks, LIGHT_US, 0)):
        options = (("mean-us", mean_us), ("sigma-percent", sigma_percent))
        for name, family, farm in (
                ("without a farm", "tcp", farms.plain("pure_work")),
                ("mw, tcp", "tcp", farms.mw_tcp("mw_work")),
                ("mw, mpi", "mpi", farms.mw_mpi("mw_work"))):
            yield Cell(work, name, family, farm, 2, options, fixed_tasks=tasks, has_seed=True,
                       rounds_max=2 if tasks > 100_000 else 0)


def idle(size):
    """W9: a farm that has nothing to do."""
    options = (("quiets", 0), ("seconds", size.idle_s))
    for name, family, farm in (
            ("mw, tcp", "tcp", farms.mw_tcp("mw_wait", has_workers=False)),
            ("mw, mpi", "mpi", farms.mw_mpi("mw_wait", has_workers=False))):
        yield Cell("W9", name, family, farm, 1, options, fixed_tasks=10, rounds_max=1)


def peers(size):
    """W1 and W3 on other people's farms."""
    for name, farm, tasks_first in (
            ("Gearman", farms.gearman, 1000), ("Work Queue", farms.work_queue, 100),
            ("mpi4py.futures", farms.mpi4py, 1000), ("dask.distributed", farms.dask, 200)):
        for workers in size.workers:
            yield Cell("W1", name, "peer", farm, workers, (("bytes", 64), ("mode", "throughput")),
                       tasks_first=tasks_first)
        yield Cell("W3", name, "peer", farm, 1, (("bytes", 64), ("mode", "latency")),
                   tasks_first=100)


def cells(size, families):
    found = [cell for part in (throughput, large, latency, queue, many, computing, idle)
             for cell in part(size)]
    if size.has_peers:
        found += list(peers(size))
    return [cell for cell in found if cell.family in families + ["peer"]]

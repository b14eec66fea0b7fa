# SPDX-License-Identifier: Apache-2.0
"""What is measured: the workloads W1 to W14, and for each the farms, workers and tasks."""

from dataclasses import dataclass, field
from typing import Callable, Optional

import farms
import instructions

GROUP_1 = ("--mw-slave-task-group", "1", "--mw-slave-result-group", "1")
MEAN_US, SIGMA_PERCENT = 1000, 200
LIGHT_US = (100, 20)
BYTES_LARGE = 65536
TASKS_MIN = 1_000_000
SLAVES = (1, 4, 10, 100, 1000, 5000, 10_000)
DEPTHS = (10 ** 3, 10 ** 4, 10 ** 5, 10 ** 6, 10 ** 7)
DEPTH_DEEP = 10 ** 7  # from here on, one run suffices and memory is asked for first
MEMORY_PER_TASK = 120  # bytes, with the 64 of the arguments and room to spare
# Of W10, in nanoseconds. METG(50 %) lies between the first ones.
GRAINS = (100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000)
GRAINS_SHORT = (100, 200, 500, 1000, 2000)
GRAIN_OVERHEAD_NS = 300  # about what a task takes besides
GRAIN_WORKERS = 2
# Of W11: tasks, their length in nanoseconds, steps in a second.
STEPS = ((8, 100_000, 2000), (64, 500, 8000), (8, 2_000_000, 120))
STEP_GROUPS = (256, 20_000, 300)
SLAVES_CONNECTED = 1000  # of W13
RECORD_BYTES = 92  # of a result of 64 bytes in a journal
MEMORY_PER_RESULT = 250  # in W14, with the file in the cache


# W8 is measured with W5.
WORKS = ("W1", "W2", "W3", "W4", "W5", "W6", "W7", "W9", "W10", "W11", "W12", "W13", "W14")


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
    grains: tuple = GRAINS
    grain_s: float = 0.2   # about how long a run of W10, W11 is
    has_instructions: bool = True
    idle_s: int = 3
    has_peers: bool = True
    recorded: int = 10 ** 7  # of W14
    tasks: int = 0        # of W1, W2, W3; 0: as many as take `seconds`


SIZES = {
    "smoke": Size("smoke", 1, 0, 10 ** 6, 10 ** 6, (2,), (1, 4), 400, (10, 100), 400, (1000,), 20,
                  20, (100, 10_000), 0.001, False, 1, False, 100, 100),
    "quick": Size("quick", 3, 0.4, 420, 30, (4,), depth_tasks=200_000),
    "full": Size("full", 5, 1.0, 1440, 240, (1, 2, 4), depths=DEPTHS + (10 ** 8,),
                 uneven_tasks=10_000, light_tasks=500_000, grain_s=0.4, idle_s=10),
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
    variant: Optional[int] = None  # what is varied in W4, W5, W7, W10
    memory: int = 0              # bytes that must be free

    @property
    def key(self):
        return f"{self.work} {self.name} {self.workers} {self.variant}"

    @property
    def pace_key(self):
        """Equal for cells whose tasks take about as long."""
        return self.work, self.name, dict(self.options).get("task-ns")


def throughput(size):
    """W1: 64 bytes each way."""
    options = (("bytes", 64), ("mode", "throughput"))
    for workers in size.workers:
        for name, family, farm, more in (
                ("textbook epoll farm", "tcp", farms.plain("textbook_epoll"), ()),
                ("batched libevent farm", "tcp", farms.plain("textbook_libevent"),
                 (("out", 128), ("batch", 64))),
                ("threads and rings", "tcp", farms.plain("textbook_threads"), ()),
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
            ("spinning Unix socket", "tcp", farms.plain("textbook_unix")),
            ("mw, local, --mw-wait spin", "tcp", farms.mw_local("mw_bench", "--mw-wait", "spin")),
            ("threads and rings", "tcp", farms.plain("textbook_threads")),
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
                   variant=depth, rounds_max=1 if depth >= DEPTH_DEEP else 0,
                   memory=depth * MEMORY_PER_TASK if depth >= DEPTH_DEEP else 0)


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
            *(("W7", size.light_tasks, light_us, 0) for light_us in LIGHT_US)):
        options = (("mean-us", mean_us), ("sigma-percent", sigma_percent))
        for name, family, farm in (
                ("without a farm", "tcp", farms.plain("pure_work")),
                ("mw, tcp", "tcp", farms.mw_tcp("mw_work")),
                ("mw, mpi", "mpi", farms.mw_mpi("mw_work"))):
            yield Cell(work, name, family, farm, 2, options, fixed_tasks=tasks, has_seed=True,
                       rounds_max=3 if tasks > 100_000 else 0, variant=mean_us)


def idle(size):
    """W9: a farm that has nothing to do."""
    options = (("quiets", 0), ("seconds", size.idle_s))
    for name, family, farm in (
            ("mw, tcp", "tcp", farms.mw_tcp("mw_wait", has_workers=False)),
            ("mw, mpi", "mpi", farms.mw_mpi("mw_wait", has_workers=False))):
        yield Cell("W9", name, family, farm, 1, options, fixed_tasks=10, rounds_max=1)


MW_STARTS = (("mw, local", "tcp", farms.mw_local), ("mw, tcp", "tcp", farms.mw_tcp),
             ("mw, mpi", "mpi", farms.mw_mpi))


def grains(size):
    """W10: METG, how short tasks may be."""
    def tasks_of(task_ns):
        return int(GRAIN_WORKERS * size.grain_s * 1e9 / (task_ns + GRAIN_OVERHEAD_NS)) + 2

    yield Cell("W10", "without a farm", "tcp", farms.plain("peak_work"), GRAIN_WORKERS,
               (("task-ns", GRAINS[-1]),), fixed_tasks=tasks_of(GRAINS[-1]))
    for values, words in enumerate(("", ", values")):
        for name, family, start in MW_STARTS:
            for task_ns in size.grains:
                if not values or task_ns in GRAINS_SHORT:
                    yield Cell("W10", name + words, family, start("mw_grain"), GRAIN_WORKERS,
                               (("task-ns", task_ns), ("values", values)),
                               fixed_tasks=tasks_of(task_ns), variant=task_ns)


def steps(size):
    """W11: the next tasks only when all results are there."""
    one_by_one = ("--mw-slave-task-group", "1", "--mw-slave-result-group", "1")
    found = [(name, family, start("mw_steps"), workers, shape)
             for shape in STEPS
             for name, family, start, workers in (
                 *((*mw, 2) for mw in MW_STARTS),
                 ("mw, local, one slave", "tcp", farms.mw_local, 1))]
    found += [("mw, local", "tcp", farms.mw_local("mw_steps"), 2, STEP_GROUPS),
              ("mw, local, groups of 1", "tcp", farms.mw_local("mw_steps", *one_by_one), 2,
               STEP_GROUPS)]
    for name, family, farm, workers, (tasks, task_ns, steps_per_s) in found:
        yield Cell("W11", name, family, farm, workers,
                   (("task-ns", task_ns), ("steps", int(steps_per_s * size.grain_s * 1.25) + 10)),
                   fixed_tasks=tasks, variant=task_ns)


def counted(size):
    """W12: instructions, in the simulator."""
    def farm_of(row):
        def run(bench, workers, options):
            return {"instructions": farms.instructions_of(bench, row)}
        return run

    if size.has_instructions:
        for row in instructions.FARMS:
            if "simulated" in row:
                yield Cell("W12", row, "tcp", farm_of(row), 4, rounds_max=1, fixed_tasks=1)


def encrypted(size):
    """W13: W1, W2, W3 and the registration of W8 over TLS, each beside the same without."""
    workers = size.workers[-1]
    slaves = min(SLAVES_CONNECTED, size.slaves[-1])
    for kind, count, options, more in (
            ("64 bytes", workers, (("bytes", 64),), {}),
            ("64 KiB", workers, (("bytes", BYTES_LARGE), *LARGE_AHEAD), {}),
            ("one at a time", 1, (("bytes", 64), ("mode", "latency")), {}),
            ("slaves", slaves, (), {"variant": slaves, "fixed_tasks": 10 * slaves})):
        start = farms.mw_many if kind == "slaves" else \
            lambda is_encrypted: farms.mw_tcp("mw_bench", is_encrypted=is_encrypted)
        more = {"fixed_tasks": size.tasks, **more}
        for is_encrypted, words in ((False, "plain"), (True, "TLS")):
            yield Cell("W13", f"{kind}, {words}", "tls", start(is_encrypted=is_encrypted), count,
                       options, **more)
    yield Cell("W13", "64 KiB, bare TLS streams", "tls", farms.plain("textbook_tls"), workers,
               (("bytes", BYTES_LARGE),), fixed_tasks=size.tasks)


def reliable(size):
    """W14: what it costs that a task may crash, with one slave, and that a master may."""
    isolated = "--mw-slave-isolate"
    for words, settings in (("plain", ()), ("isolated", (isolated,))):
        yield Cell("W14", f"64 bytes, {words}", "tcp", farms.mw_local("mw_bench", *settings), 1,
                   (("bytes", 64),), fixed_tasks=size.tasks)
    options = (("mean-us", MEAN_US), ("sigma-percent", 0))
    for name, farm in (("without a farm", farms.plain("pure_work")),
                       ("1 ms, plain", farms.mw_local("mw_work")),
                       ("1 ms, isolated", farms.mw_local("mw_work", isolated))):
        yield Cell("W14", name, "tcp", farm, 1, options, fixed_tasks=size.uneven_tasks,
                   variant=MEAN_US)
    workers = size.workers[-1]
    for name, farm, data in (("without a journal", farms.mw_local("mw_bench"), 64),
                             ("with a journal", farms.mw_journal("mw_bench", 1), 64),
                             ("an append-only file", farms.plain("append_log"), RECORD_BYTES)):
        yield Cell("W14", name, "tcp", farm, workers, (("bytes", data),), fixed_tasks=size.tasks)
    yield Cell("W14", "an append-only file, 1,000 records a sync", "tcp",
               farms.plain("append_log"), workers, (("bytes", RECORD_BYTES), ("sync", 1000)),
               fixed_tasks=size.tasks)
    yield Cell("W14", "restart", "tcp", farms.mw_journal("mw_restart", 2), 1, (("bytes", 64),),
               fixed_tasks=size.recorded, rounds_max=1, memory=size.recorded * MEMORY_PER_RESULT)


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
    found = [cell for part in (throughput, large, latency, queue, many, computing, idle, grains,
                               steps, counted, encrypted, reliable)
             for cell in part(size)]
    if size.has_peers:
        found += list(peers(size))
    return [cell for cell in found if cell.family in families + ["peer"]]

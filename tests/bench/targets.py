# SPDX-License-Identifier: Apache-2.0
"""The figures of a measurement, and what they were meant to be."""

import statistics
from dataclasses import dataclass
from typing import Callable

BYTES_LARGE = 65536
EFFICIENT = 0.5
GB_MAX = 16  # for the tasks of W4


class Results:
    """The cells of a measurement; what was not measured is None everywhere."""

    def __init__(self, data):
        self.cells = data["cells"]
        self.workers_most = max((cell["workers"] for cell in self.of("W1")), default=0)

    def of(self, work):
        work = "W5" if work == "W8" else work
        return [cell for cell in self.cells if cell["work"] == work]

    def cell(self, work, name, workers=None, variant=None):
        if work == "W1" and workers is None:
            workers = self.workers_most
        for cell in self.of(work):
            if (cell["name"] == name and workers in (None, cell["workers"])
                    and variant in (None, cell["variant"]) and cell["runs"]):
                return cell
        return None


def all_of(cell, value):
    return [value(run) for run in cell["runs"]]


def median(cell, value):
    return statistics.median(all_of(cell, value)) if cell and cell["runs"] else None


def over(above, below):
    return above / below if above is not None and below else None


def rate(run):
    return run["tasks_per_s"]


def megabytes(run):
    return run["tasks_per_s"] * run["bytes"] / 1e6


def alone_us(run):
    return run["latency_median_us"]


def p99_us(run):
    return run["latency_p99_us"]


def stretch(run):
    """The makespan over that of list scheduling."""
    return run["seconds"] / run["ideal_s"]


def rounds(run):
    return run["rounds_per_s"]


def registered(run):
    return run.get("registered_s")


UNITS = {"W1": rate, "W2": megabytes, "W3": alone_us}


def ratio(work, name, other):
    """Of the medians of two farms."""
    def value(results):
        return over(median(results.cell(work, name), UNITS[work]),
                    median(results.cell(work, other), UNITS[work]))
    return value


def memory(results):
    found = [median(cell, lambda run: run["resident_per_task"]) for cell in results.of("W4")
             if cell["name"] == "memory" and cell["runs"]]
    return max(found, default=None)


def memory_at(cell):
    return median(cell, lambda run: run["resident_max_gb"])


def depths(results):
    return [(cell["variant"], median(cell, rate)) for cell in results.of("W4")
            if cell["name"] == "rate" and cell["runs"]]


def flatness(results):
    found = depths(results)
    return over(found[-1][1], found[0][1]) if len(found) > 1 else None


def ran_deepest(results):
    """The most that ran in GB_MAX."""
    return max((cell["variant"] for cell in results.of("W4")
                if cell["name"] == "rate" and cell["runs"] and memory_at(cell) <= GB_MAX),
               default=None)


def disturbance(results):
    """How much longer than list scheduling's the makespan is without a farm: what else ran."""
    return median(results.cell("W6", "without a farm"), stretch)


def crowd(results):
    return [(cell["variant"], median(cell, rate)) for cell in results.of("W5") if cell["runs"]]


def crowd_ratio(results):
    found = dict(crowd(results))
    return over(found.get(1000), found.get(4))


def crowd_most(results):
    return max((slaves for slaves, _ in crowd(results)), default=None)


def registration(results):
    return median(results.cell("W5", "mw, tcp", variant=1000), registered)


def makespan(name):
    return lambda results: median(results.cell("W6", name), stretch)


def efficiency_of(results, cell):
    """Pure computation's time over the farm's, round by round, since both ran one after the other."""
    pure = results.cell(cell["work"], "without a farm", variant=cell["variant"]) if cell else None
    if not pure:
        return None
    return statistics.median(pure_s / here_s for pure_s, here_s in
                             zip(all_of(pure, stretch), all_of(cell, stretch)))


def efficiency(name, length_us):
    return lambda results: efficiency_of(results, results.cell("W7", name, variant=length_us))


def grain_names(results):
    return list(dict.fromkeys(cell["name"] for cell in results.of("W10")
                              if cell["runs"] and cell["variant"]))


def grains(results, name):
    """For tasks of each length: the length, the granularity, both in us, and the efficiency. As in
    Task Bench, the granularity is the time that a task takes of a worker, all in all, and the
    efficiency is what was computed in a second over the most that the machine has computed without
    a farm."""
    alone = results.cell("W10", "without a farm")
    peak = max(all_of(alone, rounds)) if alone else None
    return [(cell["variant"] / 1e3,
             median(cell, lambda run: 1e6 * run["workers"] / run["tasks_per_s"]),
             median(cell, rounds) / peak)
            for cell in results.of("W10")
            if peak and cell["name"] == name and cell["runs"] and cell["variant"]]


def metg(name):
    """The smallest granularity at which the farm is still EFFICIENT, in us; between two lengths it
    is interpolated. If the shortest tasks are efficient enough, theirs."""
    def value(results):
        points = grains(results, name)
        good = [place for place, (_, _, share) in enumerate(points) if share >= EFFICIENT]
        if not good:
            return None
        _, above_us, above = points[good[0]]
        if good[0] == 0:
            return above_us
        _, below_us, below = points[good[0] - 1]
        return below_us + (above_us - below_us) * (EFFICIENT - below) / (above - below)
    return value


def step_us(run):
    return run["step_median_us"]


def step(name, task_ns):
    return lambda results: median(results.cell("W11", name, variant=task_ns), step_us)


ENCRYPTED_UNITS = {"64 bytes": rate, "64 KiB": megabytes, "one at a time": alone_us,
                   "slaves": registered}


def encrypted(results, kind, words):
    return median(results.cell("W13", f"{kind}, {words}"), ENCRYPTED_UNITS[kind])


def encrypted_over(kind, words):
    """TLS beside another row of W13: the median of the ratios of all rounds, since both ran one
    after the other."""
    def value(results):
        pair = [results.cell("W13", f"{kind}, {name}") for name in ("TLS", words)]
        if None in pair:
            return None
        above, below = (all_of(cell, ENCRYPTED_UNITS[kind]) for cell in pair)
        return statistics.median(map(over, above, below))
    return value


def proved(results):
    return median(results.cell("W13", "slaves, TLS", variant=1000), registered)


def journal_share(results):
    """Of what the farm does without a journal, or a file that is synced like one takes, whichever
    is less: the median of the ratios of all rounds."""
    found = [results.cell("W14", name)
             for name in ("with a journal", "without a journal", "an append-only file")]
    if None in found:
        return None
    return statistics.median(here / min(farm, file) for here, farm, file in
                             zip(*(all_of(cell, rate) for cell in found)))


def restart(figure):
    return lambda results: median(results.cell("W14", "restart"), lambda run: run[figure])


def isolated_efficiency(results):
    return efficiency_of(results, results.cell("W14", "1 ms, isolated"))


def instructions(name):
    return lambda results: median(results.cell("W12", name), lambda run: run["instructions"])


def times(value):
    return f"{value:.2f} x"


def percent(value):
    return f"{100 * value:.1f} %"


def whole(value):
    return f"{value:,.0f}"


def micros(value):
    return f"{value:,.2f} us"


@dataclass(frozen=True)
class Target:
    work: str
    what: str
    limit: float
    is_least: bool
    value: Callable
    form: Callable = times

    def row(self, results):
        value = self.value(results)
        sign = "at least" if self.is_least else "at most"
        if value is None:
            shown, verdict = "-", "not measured"
        else:
            shown, verdict = self.form(value), self.verdict(value)
        return self.work, self.what, f"{sign} {self.form(self.limit)}", shown, verdict

    def verdict(self, value):
        short = 1 - value / self.limit if self.is_least else value / self.limit - 1
        if short <= 0:
            return "reached"
        return f"**missed by {100 * short:.1f} %**" if short < 0.1 else \
            f"**missed by {100 * short:.0f} %**"


TARGETS = (
    Target("W1", "mw, tcp, defaults / textbook epoll farm", 25, True,
           ratio("W1", "mw, tcp", "textbook epoll farm")),
    Target("W1", "mw, tcp, defaults / batched libevent farm", 1.6, True,
           ratio("W1", "mw, tcp", "batched libevent farm")),
    Target("W1", "mw, local, defaults / batched libevent farm", 1.6, True,
           ratio("W1", "mw, local", "batched libevent farm")),
    Target("W1", "mw, mpi, defaults / textbook MPI farm", 4, True,
           ratio("W1", "mw, mpi", "textbook MPI farm")),
    Target("W1", "mw, mpi, defaults / batched MPI farm", 0.6, True,
           ratio("W1", "mw, mpi", "batched MPI farm")),
    Target("W1", "mw, tcp, groups of 1 / textbook epoll farm", 0.95, True,
           ratio("W1", "mw, tcp, groups of 1", "textbook epoll farm")),
    Target("W1", "mw, mpi, groups of 1 / textbook MPI farm", 0.8, True,
           ratio("W1", "mw, mpi, groups of 1", "textbook MPI farm")),
    Target("W2", "mw, tcp / batched recv() farm", 0.95, True,
           ratio("W2", "mw, tcp", "batched recv() farm")),
    Target("W2", "mw, mpi / prefetching MPI farm", 0.9, True,
           ratio("W2", "mw, mpi", "prefetching MPI farm")),
    Target("W3", "mw, tcp / textbook epoll farm, median", 1.15, False,
           ratio("W3", "mw, tcp", "textbook epoll farm")),
    Target("W3", "mw, local, --mw-wait spin / spinning Unix socket, median", 1.1, False,
           ratio("W3", "mw, local, --mw-wait spin", "spinning Unix socket")),
    Target("W3", "mw, mpi, median", 0.6, False,
           lambda results: median(results.cell("W3", "mw, mpi"), alone_us), micros),
    Target("W4", "memory per queued task beyond its arguments", 64, False, memory,
           lambda value: f"{value:.1f} bytes"),
    Target("W4", f"tasks queued at once and run in {GB_MAX} GB", 10 ** 8, True, ran_deepest, whole),
    Target("W4", "tasks/s with the most tasks queued / with 1,000", 0.8, True, flatness),
    Target("W5", "tasks/s with 1,000 slaves / with 4", 0.9, True, crowd_ratio),
    Target("W5", "slaves connected and served", 10_000, True, crowd_most, whole),
    Target("W6", "mw, tcp, makespan / list scheduling", 1.05, False, makespan("mw, tcp"),
           lambda value: f"{value:.3f} x"),
    Target("W6", "mw, mpi, makespan / list scheduling", 1.05, False, makespan("mw, mpi"),
           lambda value: f"{value:.3f} x"),
    *(Target("W7", f"{name}, efficiency at {length_us} us against pure computation", limit, True,
             efficiency(name, length_us), percent)
      for length_us, limit in ((100, 0.99), (20, 0.95)) for name in ("mw, tcp", "mw, mpi")),
    Target("W8", "1,000 slaves registered", 1, False, registration,
           lambda value: f"{value:.3f} s"),
    *(Target("W10", f"{name}, METG(50 %)", 0.4, False, metg(name), micros)
      for name in ("mw, tcp", "mw, mpi")),
    *(Target("W11", f"{name}, a step of 8 tasks of 100 us", 500, False, step(name, 100_000), micros)
      for name in ("mw, local", "mw, tcp", "mw, mpi")),
    Target("W12", "instructions for a task of W1, simulated", 1200, False,
           instructions("W1, simulated, defaults"), whole),
    Target("W13", "64 bytes over TLS, tasks/s / plain", 0.75, True,
           encrypted_over("64 bytes", "plain")),
    Target("W13", "64 KiB over TLS, MB/s / bare TLS streams", 0.8, True,
           encrypted_over("64 KiB", "bare TLS streams")),
    Target("W13", "one task at a time over TLS, median / plain", 1.15, False,
           encrypted_over("one at a time", "plain")),
    Target("W13", "1,000 slaves connected and proved", 1, False, proved,
           lambda value: f"{value:.3f} s"),
    Target("W14", "64 bytes, an isolated slave, tasks/s", 50_000, True,
           lambda results: median(results.cell("W14", "64 bytes, isolated"), rate), whole),
    Target("W14", "an isolated slave, efficiency at 1 ms against pure computation", 0.97, True,
           isolated_efficiency, percent),
    Target("W14", "tasks/s with a journal / without, or an append-only file synced alike", 0.7,
           True, journal_share),
    Target("W14", "s until a master with 10^7 recorded results is there again", 10, False,
           restart("open_s"), lambda value: f"{value:.2f} s"),
    Target("W14", "memory for a recorded result", 32, False, restart("resident_per_result"),
           lambda value: f"{value:.1f} bytes"),
)

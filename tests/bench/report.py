# SPDX-License-Identifier: Apache-2.0
"""Writes performance.md and its plots from the figures of a measurement. What a person has to say
about them is in performance_notes.md, which goes in as it is."""

import pathlib

import svg
from targets import (TARGETS, UNITS, Results, all_of, alone_us, crowd, depths, disturbance,
                     efficiency_of, encrypted, encrypted_over, grain_names, grains, median,
                     memory_at, metg, over, p99_us, rate, registered, stretch)

NOTES = pathlib.Path(__file__).resolve().parent / "performance_notes.md"
BUSY = 1.05
BASELINES = {
    "W1": {"tcp": ("textbook epoll farm", "batched libevent farm"),
           "mpi": ("textbook MPI farm", "batched MPI farm"),
           "peer": ("textbook epoll farm", "batched libevent farm")},
    "W2": {"tcp": ("textbook epoll farm", "batched recv() farm"),
           "mpi": ("textbook MPI farm", "prefetching MPI farm")},
    "W3": {"tcp": ("textbook epoll farm", None), "mpi": ("textbook MPI farm", None),
           "peer": ("textbook epoll farm", None)},
}


def amount(value):
    if value is None:
        return "-"
    return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


def factor(value):
    if value is None:
        return "-"
    return f"{value:.4f}" if value < 0.01 else f"{value:.2f}"


def markdown(heads, rows, words=1):
    """A table whose first so many columns are words, the others numbers."""
    lines = ["| " + " | ".join(heads) + " |",
             "|" + " --- |" * words + " ---: |" * (len(heads) - words)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def table(data):
    """The targets of the workloads that ran as plain text, and what could not be measured."""
    results = Results(data)
    rows = [target.row(results) for target in TARGETS if results.of(target.work)]
    lines = [f"{work:<4}{what:<64}{limit:>22}{shown:>14}  {verdict.replace('*', '')}"
             for work, what, limit, shown, verdict in rows]
    return "\n".join(lines + [f"NOT MEASURED: {line}" for line in left_out(data)])


def left_out(data):
    return [f"{cell['work']}, {cell['name']}"
            + (f", {cell['workers']} workers" if cell["workers"] else "")
            + f": {cell['missing'].strip().splitlines()[0]}"
            for cell in data["cells"] if cell["missing"]]


def compared(results, work, extra=()):
    """A table of farms, each beside the baselines of its family."""
    value = UNITS[work]
    rows = []
    for cell in results.of(work):
        if not cell["runs"]:
            continue
        here = median(cell, value)
        textbook, batched = (
            median(results.cell(work, name, cell["workers"]), value) if name else None
            for name in BASELINES[work][cell["family"]])
        ours = median(results.cell(work, "mw, tcp", cell["workers"]), value)
        values = all_of(cell, value)
        row = [cell["name"], str(cell["workers"]), amount(here), amount(min(values)),
               amount(max(values))]
        row += [amount(median(cell, field)) for field in extra]
        row.append(factor(over(here, textbook)))
        if work != "W3":
            row.append(factor(over(here, batched)))
        if any(other["family"] == "peer" for other in results.of(work)):
            row.append(factor(over(ours, here) if cell["family"] == "peer" else None))
        rows.append(row)
    heads = ["farm", "workers", "median", "min", "max", *["p99"] * len(extra), "/ textbook"]
    if work != "W3":
        heads.append("/ batched")
    if any(other["family"] == "peer" for other in results.of(work)):
        heads.append("mw, tcp / it")
    return markdown(heads, rows)


def kind(cell):
    if cell["family"] == "peer":
        return "peer"
    return "mw" if cell["name"].startswith("mw") else "other"


def bars(results, work, title, is_logarithmic):
    workers = results.workers_most if work == "W1" else None
    rows = [(cell["name"], kind(cell), median(cell, UNITS[work])) for cell in results.of(work)
            if cell["runs"] and workers in (None, cell["workers"])]
    return svg.bars(title, rows, is_logarithmic) if rows else None


def plots(results):
    """Name and picture; None of nothing."""
    workers = results.workers_most
    yield "tasks", bars(results, "W1", f"W1: no-op tasks/s, 64 bytes each way, {workers} workers "
                        "(logarithmic)", True)
    yield "large", bars(results, "W2", f"W2: MB/s one way, 64 KiB tasks, {workers} workers",
                        False)
    yield "latency", bars(results, "W3", "W3: one task at a time, median, us (logarithmic)", True)
    yield "queue", (svg.curve("W4: tasks/s with so many tasks queued", "tasks queued",
                              depths(results)) if depths(results) else None)
    yield "slaves", (svg.curve("W5: no-op tasks/s with so many slaves", "slaves",
                               crowd(results)) if crowd(results) else None)
    yield "grain", grain_plot(results)


def grain_plot(results):
    lines = [(name, [(length_us, 100 * share) for length_us, _, share in grains(results, name)])
             for name in grain_names(results)]
    lines = [(name, points) for name, points in lines if points]
    return svg.curves("W10: efficiency, %, 2 slaves", "length of a task, us", lines, 100) \
        if lines else None


def memory_rows(results):
    for cell in results.of("W4"):
        if cell["name"] == "memory" and cell["runs"]:
            yield (f"{cell['variant']:,}",
                   amount(median(cell, lambda run: run["resident_per_task"])),
                   amount(median(cell, lambda run: run["malloc_per_task"])),
                   amount(median(cell, lambda run: run["submit_ns"])))


def depth_rows(results):
    for cell in results.of("W4"):
        if cell["name"] == "rate" and cell["runs"]:
            yield (f"{cell['variant']:,}", amount(median(cell, rate)), amount(memory_at(cell)))


def grain_table(results):
    """A row for each farm, and in it the efficiency for each length of a task."""
    lengths = sorted({cell["variant"] for cell in results.of("W10") if cell["variant"]})
    rows = []
    for name in grain_names(results):
        shares = {length_us: share for length_us, _, share in grains(results, name)}
        rows.append([name, amount(metg(name)(results))]
                    + [f"{100 * shares[length / 1e3]:.0f}" if length / 1e3 in shares else "-"
                       for length in lengths])
    heads = ["farm", "METG(50 %), us", *(f"{length / 1e3:g} us" for length in lengths)]
    return markdown(heads, rows)


def step_rows(results):
    for cell in results.of("W11"):
        if cell["runs"]:
            run = cell["runs"][0]
            yield (cell["name"], f"{run['tasks']} x {run['task_ns'] / 1e3:g} us",
                   *(amount(median(cell, lambda run, name=name: run[name])) for name in
                     ("step_median_us", "step_p90_us", "step_mean_us", "ideal_us")))


def instruction_rows(results):
    for cell in results.of("W12"):
        if cell["runs"]:
            yield (cell["name"], f"{median(cell, lambda run: run['instructions']):,.0f}")


def encrypted_rows(results):
    for kind, words, form in (("64 bytes", "tasks/s, 64 bytes each way", amount),
                              ("64 KiB", "MB/s one way, 64 KiB each way", amount),
                              ("one at a time", "us, one task at a time", amount),
                              ("slaves", "s, until all slaves are accepted",
                               lambda value: "-" if value is None else f"{value:.3f}")):
        yield (words, *(form(encrypted(results, kind, name))
                        for name in ("plain", "TLS", "bare TLS streams")),
               *(factor(encrypted_over(kind, name)(results))
                 for name in ("plain", "bare TLS streams")))


def reliable_rows(results):
    for cell in results.of("W14"):
        if cell["runs"] and cell["variant"] is None:
            yield cell["name"], amount(median(cell, UNITS["W1"])), "-"
        elif cell["runs"]:
            efficiency = efficiency_of(results, cell)
            yield cell["name"], "-", f"{100 * efficiency:.1f}" if efficiency else "-"


def computing_rows(results):
    for work in ("W6", "W7"):
        for cell in results.of(work):
            if cell["runs"]:
                here = median(cell, stretch)
                efficiency = efficiency_of(results, cell)
                yield (f"{work}, {cell['variant']:,} us, {cell['name']}",
                       f"{cell['runs'][0]['tasks']:,}",
                       f"{median(cell, lambda run: run['seconds']):.2f}", f"{here:.3f}",
                       f"{100 * efficiency:.1f}" if efficiency else "-")


def idle_rows(results):
    for cell in results.of("W9"):
        if cell["runs"]:
            yield (cell["name"], amount(median(cell, lambda run: run["idle_master_percent"])),
                   amount(median(cell, lambda run: run["idle_slave_percent"])))


def machine_text(data):
    machine = data["machine"]
    kind_of = "Virtual machine" if machine["is_virtual"] else "Machine"
    return (f"{kind_of} with {machine['processors']} processors ({machine['processor']}), "
            f"{machine['memory_gib']} GiB; {machine['system']}, {machine['kernel']}; "
            f"{machine['compiler']}; {machine['mpi'] or 'no MPI'}. Load before the run: "
            f"{machine['load']:.2f}. Source: {machine['commit']}. One run of "
            f"`tests/bench/performance.py --{data['size']}` on {data['date']}: {data['rounds']} "
            f"rounds, {data['took_s']:,} s.")


def warning(results):
    busy = disturbance(results)
    if busy is None or busy < BUSY:
        return ""
    return (f"**The machine was not left alone:** the tasks of W6 took {busy:.2f} of list "
            "scheduling's makespan without any farm. Measure again before believing a figure.")


def page(data, names):
    results = Results(data)

    def plot(name, words):
        return f"![{words}](performance-{name}.svg)\n" if name in names else ""

    targets = markdown(("", "what", "target", "measured", ""),
                       [target.row(results) for target in TARGETS], 5)
    missing = left_out(data)
    notes = NOTES.read_text("utf-8").strip() if NOTES.exists() else ""
    parts = [
        "# Performance",
        "`cmake --build build --target bench` (or `bench_full`) writes this page, except [what limits "
        "it](#what-limits-it), which is `tests/bench/performance_notes.md`. "
        "[tests/bench/README.md](../tests/bench/README.md) describes the workloads and the programs. "
        "Compare only ratios within one run: the figures are those of this machine on that day.",
        machine_text(data), warning(results),
        "## Targets", targets,
        "Not measured:\n\n" + "\n".join(f"- {line}" for line in missing) if missing else "",
        "## What limits it\n\n" + notes if notes else "",
        "## W1: no-op tasks, 64 bytes each way, tasks/s", plot("tasks", "tasks per second"),
        compared(results, "W1"),
        "## W2: 64 KiB each way, MB/s one way", plot("large", "megabytes per second"),
        compared(results, "W2"),
        "## W3: one task at a time, microseconds", plot("latency", "latency"),
        compared(results, "W3", (p99_us,)),
        "## W4: tasks that wait", plot("queue", "tasks per second over tasks queued"),
        markdown(("tasks", "bytes a task, resident", "malloc", "ns to submit one"),
                 memory_rows(results)),
        "Beyond the 64 bytes of arguments.",
        markdown(("queued at once", "tasks/s", "memory of the master at most, GB"),
                 depth_rows(results)),
        "## W5 and W8: many slaves", plot("slaves", "tasks per second over slaves"),
        markdown(("slaves", "tasks/s", "registered in, s"),
                 [(f"{cell['variant']:,}", amount(median(cell, UNITS["W1"])),
                   f"{median(cell, registered):.4f}") for cell in results.of("W5")
                  if cell["runs"]]),
        "All slaves are in one process beside the master's.",
        "## W6 and W7: tasks that compute, 2 slaves",
        markdown(("farm", "tasks", "makespan, s", "/ list scheduling", "efficiency, %"),
                 computing_rows(results)),
        "W6: lengths log-normal, mean 1 ms, sigma 2, another seed in each round. W7: all alike. "
        "List scheduling's makespan is computed from the same lengths and costs nothing; efficiency "
        "is against the same tasks without a farm, on the same processors in the same round.",
        "## W9: nothing to do, % of a processor",
        markdown(("farm", "master", "slave"), idle_rows(results)),
        "## W10: short tasks, METG(50 %), 2 slaves", plot("grain", "efficiency over length"),
        grain_table(results),
        "Efficiency in % for tasks of each length: the computation done in a second, over the most "
        "that the same two processors have computed without a farm. METG(50 %) is as Task Bench defines it: the "
        "smallest granularity at which the efficiency is 50 % or more. The granularity is the time "
        "that a worker spends for a task, all in all (time x workers / tasks), so at 50 % it is "
        "twice the length of the task. \"values\": arguments and results are written and read by "
        "a format string; else they are raw bytes.",
        "## W11: steps with a barrier, 2 slaves, us a step",
        markdown(("farm", "a step", "median", "90 %", "mean", "ideal"), step_rows(results), 2),
        "A step is submitted when all results of the one before are there. The ideal is the time of "
        "the tasks alone, if each slave has a processor to itself.",
        "## W12: instructions for a task, in the simulator",
        markdown(("", "instructions"), instruction_rows(results)),
        "Master, slaves and the simulated network together; then the parts of the first row.",
        *((f"## W13: encryption, {results.workers_most} slaves",
           markdown(("", "plain", "TLS", "bare TLS streams", "TLS / plain", "TLS / bare"),
                    encrypted_rows(results)),
           "Plain is with `--mw-insecure`. One task at a time goes to one slave; the slaves that are "
           "accepted are 1,000 in one process. A bare TLS stream carries messages of 64 KiB to a "
           "process that sends them back, without a farm.")
          if results.of("W13") else ()),
        *(("## W14: isolated tasks, 1 slave; a journal",
           markdown(("", "tasks/s", "efficiency, %"), reliable_rows(results)),
           "Efficiency is against the same tasks without a farm, in the same round. A farm with a "
           "journal has as many slaves as in W1. \"Restart\": all results come from the journal.")
          if results.of("W14") else ()),
    ]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def write(data, folder):
    folder.mkdir(parents=True, exist_ok=True)
    names = set()
    for name, picture in plots(Results(data)):
        if picture:
            (folder / f"performance-{name}.svg").write_text(picture, "utf-8")
            names.add(name)
    (folder / "performance.md").write_text(page(data, names), "utf-8")

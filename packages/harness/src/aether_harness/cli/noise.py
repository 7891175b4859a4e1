"""`aether-bench noise`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from aether_harness.cli.options import (
    EXIT_FAILED,
    EXIT_OK,
    Commands,
    add_command,
    add_measurement_options,
    ensure_output_folder,
    percentage,
    plan_from_options,
    print_run_header,
)
from aether_harness.cli.progress import NullObserver, aligned_table, progress_counter
from aether_harness.discovery.isolated import targets_of
from aether_harness.measure.aa_study import GATES, RULES, NoiseReport, Recording, assess, record
from aether_harness.measure.plan import DEFAULT_PROFILE
from aether_harness.measure.runner import run_benches
from aether_schema import UNIT_OF_METRIC, write_atomically

if TYPE_CHECKING:
    import argparse

    from aether_harness.discovery.locator import RunTarget
    from aether_harness.measure.plan import RunPlan
    from aether_harness.measure.runner import RoundResult

DEFAULT_FOLDER = "target/noise"
MIN_RUNS = 2
EXIT_INTERRUPTED = 130

EXAMPLE = """example:
  aether-bench noise packaging --runs 40 --plot noise.png
    runs the bench 40 times against itself, prints the rate of false alarms of
    each gate, draws the runs, and writes target/noise/noise-pack.json (the
    table) and .jsonl (every run)

exit status:
  0    done
  1    the bench failed
  2    usage
  130  interrupted; the finished runs are reported and kept
"""


def register(commands: Commands[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    about = "run benches against themselves, to see this machine's noise"
    parser = add_command(commands, "noise", about, EXAMPLE, run)
    parser.add_argument("benches", nargs="*", metavar="BENCH", help="a bench's id or short name; all, if none is given")
    parser.add_argument("--runs", type=int, default=20, metavar="K", help="how often each is run; %(default)s")
    parser.add_argument(
        "--rate", type=percentage, default=0.005, metavar="0.5%", help="the share of false alarms that is wished for"
    )
    parser.add_argument(
        "--slowdown", type=percentage, default=0.3, metavar="30%", help="the slowdown that gates are to find"
    )
    parser.add_argument("--plot", metavar="FILE", help="a picture of the runs (needs the extra `plot`)")
    add_measurement_options(parser, default_profile=DEFAULT_PROFILE, default_out=DEFAULT_FOLDER)


def run(options: argparse.Namespace) -> int:
    """Run the bench, report, and keep the recording."""
    from aether_harness.errors import UsageError

    if options.runs < MIN_RUNS:
        raise UsageError(f"--runs takes at least {MIN_RUNS}")
    targets = targets_of(options.benches, options.param, options.timeout)
    if options.plot is not None:
        from aether_harness.sweep.plot import check_plot_path

        check_plot_path(options.plot)
    plan = plan_from_options(options)
    ensure_output_folder(options.out)
    if not options.quiet:
        print_run_header(plan)
    runs: dict[str, list[tuple[RoundResult, ...]]] = {target.bench_id: [] for target in targets}
    failed = interrupted = False
    try:
        with progress_counter("run", options.runs, quiet=options.quiet) as advance:
            for number in range(options.runs):
                failed = not _run_once(targets, replace(plan, seed=plan.seed + number), runs)
                if failed:
                    break
                advance()
    except KeyboardInterrupt:
        interrupted = True
        print("aether-bench: interrupted; the report covers the finished runs", file=sys.stderr)
    for target in targets:
        finished = runs[target.bench_id]
        if len(finished) >= MIN_RUNS:
            _tell(target, finished, options, picture=_picture(options.plot, target, targets))
    return EXIT_INTERRUPTED if interrupted else EXIT_FAILED if failed else EXIT_OK


def _run_once(targets: list[RunTarget], plan: RunPlan, runs: dict[str, list[tuple[RoundResult, ...]]]) -> bool:
    """Run every target once more; return whether all went well."""
    outcomes = run_benches(targets, plan, NullObserver())
    for outcome in outcomes:
        if outcome.error is not None:
            print(f"aether-bench: {outcome.error}", file=sys.stderr)
            return False
    for outcome in outcomes:
        runs[outcome.target.bench_id].append(outcome.rounds)
    return True


def _picture(path: str | None, target: RunTarget, targets: list[RunTarget]) -> str | None:
    """Return where a target's runs are drawn: each of several has a file of its own."""
    if path is None or len(targets) == 1:
        return path
    stem, ending = os.path.splitext(path)
    return f"{stem}-{target.name}{ending}"


def _tell(
    target: RunTarget, runs: list[tuple[RoundResult, ...]], options: argparse.Namespace, picture: str | None
) -> None:
    report = assess(
        target.bench_id,
        runs,
        lower_is_better=target.metric == "duration_ms",
        slowdown=options.slowdown,
        target_rate=options.rate,
    )
    path = os.path.join(options.out, f"noise-{target.name}")
    recordings = [record(rounds) for rounds in runs]
    lines = [
        msgspec.json.encode({"bench_id": target.bench_id, "metric": target.metric, **_line(recording, rounds)})
        for recording, rounds in zip(recordings, runs, strict=True)
    ]
    write_atomically(f"{path}.json", msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
    write_atomically(f"{path}.jsonl", b"\n".join(lines) + b"\n")
    print(render(report))
    print(f"{target.bench_id}: written to {path}.json and {path}.jsonl\n")
    if picture is not None:
        from aether_harness.sweep.plot import plot_runs

        plot_runs(picture, target.bench_id, UNIT_OF_METRIC[target.metric], recordings)


def _line(recording: Recording, rounds: tuple[RoundResult, ...]) -> dict[str, object]:
    return {
        "samples": recording.raw,
        "reference": [[t.required_reference_ms for t in round_.attempts[: round_.wanted]] for round_ in rounds],
        "involuntary_switches": [
            [t.evidence.involuntary_switches for t in round_.attempts[: round_.wanted]] for round_ in rounds
        ],
        "kept": {"samples": recording.samples, "reference": recording.reference},
        "cross_reference": [[round_.usage.required_cross_reference_ms] for round_ in rounds],
    }


def render(report: NoiseReport) -> str:
    """Return the report as text: false alarms and power by gate, and the smallest gate, a row a rule."""
    found = f"finds {report.slowdown:.0%}".replace("%", " %")
    lines = [
        f"{report.bench_id}: {report.runs} runs of unchanged code, {report.pairs} ordered pairs",
        "share of pairs called a regression, one way; and with a slowdown put in",
        "",
    ]
    head = ["", "rule", *(f"{gate:.0%}".replace("%", " %") for gate in GATES), "smallest gate", f"{found} at 20 %"]
    rows = [head]
    for name, smallest in report.smallest_gates.items():
        for rule in RULES:
            rates = [rate for rate in report.rates if rate.quantile == name and rate.rule == rule]
            rows.append(
                [
                    name,
                    rule,
                    *(f"{rate.false_alarms * 100:.2f} %" for rate in rates),
                    f"{smallest[rule] * 100:.1f} %",
                    f"{rates[-1].power * 100:.1f} %",
                ]
            )
    lines.append(aligned_table(rows, right=range(2, len(head))))
    lines += ["", *(f"{rule}: {about}" for rule, about in RULES.items())]
    lines += [
        f"smallest gate: with at most {report.target_rate * 100:g} % false alarms",
        (
            f"the references took {report.reference_share * 100:.1f} % of the sampling time; "
            f"the second agreed with the first within {report.cross_check_spread * 100:.1f} %"
        ),
    ]
    return "\n".join(lines)

"""``smartstream bench streams``: a keyed as-of join and a windowed count, the whole dataflow with recovery on.

Vehicles cross the lines of 200 junctions, each junction repeats the phase of its signals every second. Asked is how
many crossings fell into each phase, by junction and second. Everyone gets the same columns from memory and must give
the same counts. Peers run as they are; a peer that needs another Python is named with ``--python``.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from smartstream.bench.report import gate, json_option, print_gates, print_table, write_json
from smartstream.bench.streams_flow import CountByPhase, phase_rows, run_flow
from smartstream.model.time import NS
from smartstream.streams.columns import Rows

T0: Final = 1_790_000_000 * NS
JUNCTIONS: Final = 200
PHASES: Final = 4
GOAL: Final = 2_000_000
TIMES_PEER: Final = 10
OF_BOUND: Final = 0.5
_WORKER: Final = Path(__file__).with_name("streams_peers.py")
_PATIENCE_S: Final = 240
_BATCH: Final = ("duckdb", "polars")
_PEERS: Final = ("duckdb", "polars", "bytewax", "pathway", "pyflink", "quixstreams")


class _PeerPython(click.ParamType[tuple[str, str]]):
    name = "PEER=PATH"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        peer, sign, path = str(value).partition("=")
        if not sign or peer not in _PEERS:
            self.fail(f"expected PEER=PATH with one of {', '.join(_PEERS)}, found {value!r}", param, ctx)
        return peer, path


@click.command(name="streams")
@click.option("--peers", is_flag=True, help="Also run what users would pick instead, and batch engines as the bound.")
@click.option(
    "--rows", type=click.IntRange(10_000, 100_000_000), default=4_000_000, show_default=True, help="Of input."
)
@click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True, help="Median of so many.")
@click.option("--python", "pythons", multiple=True, type=_PeerPython(), help="The Python that has a peer.")
@json_option("streams")
def bench(*, peers: bool, rows: int, rounds: int, pythons: tuple[tuple[str, str], ...], output: Path) -> None:
    """Rows per CPU-second through source, join, windows and sink, with recovery on; state over a day."""
    where = dict(pythons)
    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="smartstream-bench-") as name:
        data = Path(name) / "rows.npz"
        write_data(data, rows)
        small = Path(name) / "few.npz"
        write_data(small, min(rows, 200_000))
        names = ("smartstream", *_PEERS) if peers else ("smartstream",)
        for peer in names:
            slow = peer in ("bytewax", "pathway", "pyflink")
            click.echo(f"{peer} …", err=True)
            python = where.get(peer, sys.executable)
            runs = [_run(python, peer, small if slow else data) for _ in range(1 if slow else rounds)]
            results.append(_median(peer, runs))
        reference = _median("smartstream", [_run(sys.executable, "smartstream", small)])
    _agree([*results, reference])
    day = day_of_state(rows)
    ours = results[0]["per_cpu_s"]
    gates = [gate("rows per CPU-second, recovery on", ours, GOAL)]
    streaming = [r for r in results[1:] if "per_cpu_s" in r and r["name"] not in _BATCH]
    gates += [gate(f"times {r['name']}", ours / r["per_cpu_s"], TIMES_PEER) for r in streaming]
    bound = next((r["per_cpu_s"] for r in results if r["name"] == "duckdb" and "per_cpu_s" in r), None)
    if bound is not None:
        gates.append(gate("of DuckDB's batch bound (what we aim for)", ours / bound, OF_BOUND))
    gates.append(gate("largest state after the first hour over that within it", 1.5 - day["growth"], 0.0))
    table = [
        (
            r["name"],
            r.get("version", ""),
            "batch" if r["name"] in _BATCH else "stream",
            f"{r['rows']:,}" if "rows" in r else "",
            f"{r['per_cpu_s']:,.0f}" if "per_cpu_s" in r else r["why"],
            f"{r['per_s']:,.0f}" if "per_s" in r else "",
        )
        for r in results
    ]
    print_table(("engine", "version", "kind", "rows", "rows per CPU-s", "rows per s"), table)
    click.echo(
        f"state over 24 h of event time ({day['rows']:,} rows, windows of a minute): "
        f"{day['first_hour']:,} bytes at most in the first hour, {day['rest']:,} after it"
    )
    print_gates(gates)
    write_json(output, "streams", {"rows": rows, "rounds": rounds, "engines": results, "day": day, "gates": gates})


def write_data(path: Path, rows: int, *, per_second: int = 20_000) -> None:
    """Crossings in event-time order with their junction, and a phase per junction and second."""
    rng = np.random.default_rng(5)
    seconds = max(1, rows // per_second)
    time = np.sort(rng.integers(0, seconds * NS, rows))
    key = rng.integers(0, JUNCTIONS, rows).astype(np.uint32)
    phase_time = np.repeat(np.arange(seconds, dtype=np.int64) * NS, JUNCTIONS)
    phase_key = np.tile(np.arange(JUNCTIONS, dtype=np.uint32), seconds)
    phase = rng.integers(0, PHASES, len(phase_time))
    np.savez(path, time=T0 + time, key=key, phase_time=T0 + phase_time, phase_key=phase_key, phase=phase)


def _run(python: str, peer: str, data: Path) -> dict[str, Any]:
    command = [python, str(_WORKER), peer, str(data)]
    if peer == "smartstream":
        command = [sys.executable, "-m", "smartstream.bench.streams", str(data)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired:
        return {"why": f"not done within {_PATIENCE_S} s"}
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        said = [line for line in done.stderr.strip().splitlines() if line.strip()]
        return {"why": f"did not run: {said[-1][:100] if said else 'no message'}"}
    result: dict[str, Any] = json.loads(lines[-1])
    return result


def _median(name: str, runs: list[dict[str, Any]]) -> dict[str, Any]:
    if any("why" in run for run in runs):
        return {"name": name, **next(run for run in runs if "why" in run)}
    rates = sorted(run["rows"] / run["cpu_s"] for run in runs)
    walls = sorted(run["rows"] / run["wall_s"] for run in runs)
    middle = len(runs) // 2
    same = {key: runs[0][key] for key in ("version", "rows", "answer", "what")}
    spread = {"slowest": round(rates[0]), "fastest": round(rates[-1])}
    return {"name": name, **same, "per_cpu_s": round(rates[middle]), "per_s": round(walls[middle]), **spread}


def _agree(results: list[dict[str, Any]]) -> None:
    """Whoever counted the same rows must have counted the same."""
    by_rows: dict[int, dict[str, str]] = {}
    for r in results:
        if "answer" in r:
            by_rows.setdefault(r["rows"], {})[r["name"]] = r["answer"]
    for rows, answers in by_rows.items():
        if len(set(answers.values())) > 1:
            click.echo(f"answers to {rows:,} rows differ: {answers}", err=True)
            raise SystemExit(1)


def day_of_state(rows: int) -> dict[str, Any]:
    """The largest snapshot of the join and its windows within the first hour of a day, and in the rest of it."""
    rng = np.random.default_rng(6)
    step, flow = CountByPhase(JUNCTIONS, PHASES, 60 * NS), 0
    largest = {True: 0, False: 0}
    per_turn = max(1, rows // (24 * 60))
    for minute in range(24 * 60):
        begin, end = T0 + minute * 60 * NS, T0 + (minute + 1) * 60 * NS
        phases = phase_rows(begin + np.repeat(np.arange(0, 60, 5) * NS, JUNCTIONS), rng, JUNCTIONS, PHASES)
        step.take("right", phases, end - 1 - 2 * NS)
        crossings = Rows(
            np.sort(rng.integers(begin, end, per_turn)),
            rng.integers(0, JUNCTIONS, per_turn).astype(np.uint32),
            np.ones(per_turn, np.int64),
        )
        step.take("left", crossings, end - 1 - 2 * NS)
        flow += per_turn
        first_hour = minute < 60
        largest[first_hour] = max(largest[first_hour], len(pickle.dumps(step.snapshot())))
    return {
        "rows": flow,
        "first_hour": largest[True],
        "rest": largest[False],
        "growth": round(largest[False] / largest[True], 3),
    }


def _main(data: str) -> None:
    """One measured run of ours, alone in its process."""
    loaded = np.load(data)
    rows = Rows(loaded["time"], loaded["key"], np.zeros(len(loaded["time"]), np.int64))
    phases = Rows(loaded["phase_time"], loaded["phase_key"], loaded["phase"])
    with tempfile.TemporaryDirectory() as folder:
        cpu_s, wall_s, answer = run_flow(rows, phases, JUNCTIONS, PHASES, Path(folder))
    click.echo(
        json.dumps(
            {
                "version": version("smartstream"),
                "rows": len(rows),
                "cpu_s": cpu_s,
                "wall_s": wall_s,
                "answer": answer,
                "what": "Bytewax dataflow, columnar as-of join and windows, recovery on, an epoch every 0.1 s",
            }
        )
    )


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    _main(sys.argv[1])

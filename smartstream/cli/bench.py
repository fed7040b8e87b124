"""``smartstream bench NAME``: each benchmark is a module of ``smartstream.bench`` with a command of its name."""

from __future__ import annotations

import importlib

import click

BENCHMARKS = {
    "decode": "file to luma frames: CPU beside bare ffmpeg, PyAV, OpenCV",
    "vision": "file to tracks: CPU beside bare ffmpeg and the usual chain",
    "track": "tracker: accuracy and speed on recorded detections",
    "rules": "rule engine: observations per second",
    "accuracy": "every rule kind on simulated cases and near misses: false, missed, undecided",
    "streams": "event-time joins and windows: rows per CPU-second, state over a day",
    "soak": "many cameras at once, one broken: memory, drops counted, harm to the others",
    "intake": "reports over HTTP: latency, and nothing lost while engine and broker are killed",
    "e2e": "a live camera to a subscriber: how late events are, what the whole run costs",
    "gpu": "cameras that one GPU holds at 8 looks a second, and how late their tracks are",
    "fanout": "broker: events acknowledged per second, latency of live subscribers",
}
"""Benchmark to its line in the overview; ``smartstream.bench.<name>`` has a click command called ``bench``."""


class _Benchmarks(click.Group):
    """Loads a benchmark's module only when it is wanted: each needs libraries of its own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(BENCHMARKS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in BENCHMARKS:
            return None
        command = importlib.import_module(f"smartstream.bench.{cmd_name}").bench
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Benchmarks"):
            formatter.write_dl(list(BENCHMARKS.items()))


@click.group(cls=_Benchmarks)
def bench() -> None:
    """Measure the engine; `--peers` runs what users would pick instead on the same work, in the same run."""

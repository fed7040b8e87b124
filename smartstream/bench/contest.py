"""What `bench decode` and `bench vision` share: options, the clip, the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from smartstream.bench.clip import SOURCE, given_clip, made_clip, require_ffmpeg
from smartstream.bench.cpu import Program, contest
from smartstream.bench.report import json_option, print_gates, print_table, write_json
from smartstream.options import FloatRange

Gates = Callable[[dict[str, float], dict[str, float]], list[dict[str, object]]]
"""Goals from frames per CPU-second and ratio by contestant."""


def camera_options(name: str, *, recipes: Sequence[str]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The options of a benchmark that decodes a clip."""
    path = click.Path(path_type=Path)
    options: list[Callable[[Callable[..., None]], Callable[..., None]]] = [
        click.option("--peers", is_flag=True, help="Also run what users would pick instead."),
        click.option("--clip", type=path, help="A video file of yours instead of a made one."),
        click.option(
            "--made", "name", type=click.Choice(recipes), default="h264", show_default=True, help="Which clip."
        ),
        click.option("--source", type=path, default=SOURCE, show_default=True, help="Footage the clip is made from."),
        click.option("--minutes", type=FloatRange(min=0.5), default=5.0, show_default=True, help="Its length."),
        click.option("--rounds", type=click.IntRange(1, 100), default=3, show_default=True, help="Median of so many."),
        json_option(name),
    ]

    def add(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def run_contest(
    benchmark: str,
    programs: Sequence[Program],
    gates: Gates,
    *,
    name: str,
    clip: Path | None,
    source: Path,
    minutes: float,
    rounds: int,
    output: Path,
) -> None:
    """Make or take the clip, let the programs take turns on it, print and write what they needed."""
    require_ffmpeg()
    found = made_clip(name, source, round(60 * minutes)) if clip is None else given_clip(clip)
    click.echo(f"{found.what}; {found.frames} frames, start-up taken off by a clip of {found.short_frames}")
    results = contest(programs, found, rounds)
    header = ("", "frames per CPU-s", "of ffmpeg", "spread", "start-up CPU-s")
    print_table(header, [(r.name, r.fps, f"{r.ratio:.3f}", f"{r.spread:.2f}", r.startup_s) for r in results])
    held = gates({r.name: r.fps for r in results}, {r.name: r.ratio for r in results})
    print_gates(held)
    body: dict[str, Any] = {
        "clip": {"what": found.what, "frames": found.frames, "mbit_s": round(found.mbit_s, 3)},
        "rounds": rounds,
        "results": [msgspec.structs.asdict(r) for r in results],
        "gates": held,
    }
    write_json(output, benchmark, body)

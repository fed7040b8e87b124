"""Frames per CPU-second of programs that decode one clip, start-up taken off.

CPU time (user and system, all threads, children included) hardly feels the neighbours on a busy machine, and the
contestants take turns, so what they feel they feel alike.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
import msgspec

from smartstream.bench.clip import Clip
from smartstream.errors import InvalidInputError


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """One contestant.

    Attributes:
        name: As in the table.
        command: The program; the clip's path is put in for ``{clip}``.
        ours: Whether it is smartstream's.
    """

    name: str
    command: tuple[str, ...]
    ours: bool = False


FFMPEG: Final = Program(
    name="ffmpeg -threads 1 -f null",
    command=("ffmpeg", "-v", "error", "-threads", "1", "-i", "{clip}", "-an", "-f", "null", "-"),
)


def worker(name: str, title: str, *arguments: str, ours: bool = False) -> Program:
    """A contestant of ``smartstream.bench.vision_worker``, with what follows the clip on its command line."""
    command = (sys.executable, "-m", "smartstream.bench.vision_worker", name, "{clip}", *arguments)
    return Program(name=title, command=command, ours=ours)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one contestant needed.

    Attributes:
        name: As in the table.
        fps: Frames per CPU-second, the median of the rounds.
        ratio: Over the first contestant's, the median of the rounds' own ratios.
        spread: Largest over smallest of the rounds.
        startup_s: CPU seconds before and after decoding.
    """

    name: str
    fps: float
    ratio: float
    spread: float
    startup_s: float


def contest(programs: Sequence[Program], clip: Clip, rounds: int) -> list[Result]:
    """Let ``programs`` take turns on ``clip``; ratios are to the first of them."""
    rates: list[list[float]] = [[] for _ in programs]
    startups: list[list[float]] = [[] for _ in programs]
    frames = clip.frames - clip.short_frames
    turns = [i for _ in range(rounds) for i in range(len(programs))]
    with click.progressbar(turns, label=f"{len(programs)} programs", file=sys.stderr) as progress:
        for i in progress:
            short = _cpu_s(programs[i], clip.short)
            whole = _cpu_s(programs[i], clip.path)
            per_frame = (whole - short) / frames
            rates[i].append(1 / per_frame)
            startups[i].append(short - per_frame * clip.short_frames)
    return [
        Result(
            name=program.name,
            fps=round(statistics.median(rates[i]), 1),
            ratio=round(statistics.median(a / b for a, b in zip(rates[i], rates[0], strict=True)), 3),
            spread=round(max(rates[i]) / min(rates[i]), 3),
            startup_s=round(statistics.median(startups[i]), 2),
        )
        for i, program in enumerate(programs)
    ]


def _cpu_s(program: Program, clip: Path) -> float:
    """CPU seconds of one run."""
    command = [part.format(clip=clip) for part in program.command]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        said = process.stderr.read() if process.stderr else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        last = said.strip().splitlines()[-1:] or ["no message"]
        raise InvalidInputError(f"{program.name}: failed on {clip.name}: {last[0]}")
    return usage.ru_utime + usage.ru_stime

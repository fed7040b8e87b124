"""``smartstream bench decode``: from file to luma frames with event times, beside bare ffmpeg, PyAV and OpenCV."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from smartstream.bench.clip import RECIPES
from smartstream.bench.contest import camera_options, run_contest
from smartstream.bench.cpu import FFMPEG, worker
from smartstream.bench.report import gate

BARE: Final = 1.0
"""Least share of bare ffmpeg's frames per CPU-second."""


@click.command(name="decode")
@camera_options("decode", recipes=list(RECIPES))
def bench(
    *, peers: bool, name: str, clip: Path | None, source: Path, minutes: float, rounds: int, output: Path
) -> None:
    """Decode alone in frames per CPU-second, beside `ffmpeg -threads 1 -f null` on the same clip.

    `--peers` adds PyAV and cv2.VideoCapture, neither converting pictures (extra `bench`).
    """
    ours = worker("decode", "smartstream: luma and times", ours=True)
    others = [worker("pyav", "PyAV"), worker("opencv_grab", "OpenCV, grab only")]
    programs = [FFMPEG, ours, *(others if peers else [])]

    def gates(_fps: dict[str, float], ratio: dict[str, float]) -> list[dict[str, object]]:
        return [gate("of bare ffmpeg", ratio[ours.name], BARE)]

    run_contest(
        "decode", programs, gates, name=name, clip=clip, source=source, minutes=minutes, rounds=rounds, output=output
    )

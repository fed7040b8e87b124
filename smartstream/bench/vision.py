"""``smartstream bench vision``: from file to tracks, beside bare ffmpeg and the chain users pick."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from smartstream.bench.clip import RECIPES
from smartstream.bench.contest import camera_options, run_contest
from smartstream.bench.cpu import FFMPEG, worker
from smartstream.bench.report import gate

BARE: Final = 0.85
"""Least share of bare decoding's frames per CPU-second, with the system's FFmpeg."""
USUAL: Final = 2.5
"""How many times the frames of the usual chain."""


@click.command(name="vision")
@camera_options(default_json=Path("bench-vision.json"), recipes=list(RECIPES))
def bench(
    *, peers: bool, name: str, clip: Path | None, source: Path, minutes: float, rounds: int, output: Path
) -> None:
    """Decode, detect and track in frames per CPU-second, beside ``ffmpeg -threads 1 -f null`` on the same clip.

    ``--peers`` adds cv2.VideoCapture, MOG2, contours and Roboflow's ByteTrack (extra `bench`).
    """
    ours = worker("smartstream", "smartstream: decode, detect, track", ours=True)
    usual = worker("usual_chain", "OpenCV, MOG2, contours, ByteTrack")
    programs = [FFMPEG, ours, *([usual] if peers else [])]

    def gates(fps: dict[str, float], ratio: dict[str, float]) -> list[dict[str, object]]:
        found = [gate("of bare ffmpeg", ratio[ours.name], BARE)]
        if peers:
            found.append(gate("times the usual chain", fps[ours.name] / fps[usual.name], USUAL))
        return found

    run_contest(
        "vision", programs, gates, name=name, clip=clip, source=source, minutes=minutes, rounds=rounds, output=output
    )

"""``smartstream bench vision``: from file to verdicts, beside bare ffmpeg and the chain users pick."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from smartstream.bench.clip import RECIPES
from smartstream.bench.contest import camera_options, run_contest
from smartstream.bench.cpu import FFMPEG, worker
from smartstream.bench.report import gate

BARE: Final = 0.85
"""Least share of bare decoding's frames per CPU-second on real footage, with the system's FFmpeg."""
USUAL: Final = 2.5
"""How many times the frames of the usual chain on real footage."""
USUAL_RENDERED: Final = 4.0
"""The same on rendered scenes."""
ROAD: Final = Path(__file__).parent / "road.toml"
"""What is judged on the made clips."""
RENDERED: Final = ROAD.parents[1] / "demo" / "clip" / "site.toml"
"""The demo's scene."""


@click.command(name="vision")
@camera_options("vision", recipes=[*RECIPES, "rendered"])
@click.option(
    "--site",
    type=click.Path(path_type=Path),
    help="Judge --clip by the first camera of this site file and its signals.",
)
def bench(
    *,
    peers: bool,
    name: str,
    clip: Path | None,
    source: Path,
    minutes: float,
    rounds: int,
    output: Path,
    site: Path | None,
) -> None:
    """Decode, detect, track and judge in frames per CPU-second, beside `ffmpeg -threads 1 -f null` on the same clip.

    `--peers` adds cv2.VideoCapture, MOG2, contours, Roboflow's ByteTrack and two of the rules by hand (extra
    `bench`). `--made rendered` is the demo's scene.
    """
    rendered = clip is None and name == "rendered"
    if rendered:
        clip, site = RENDERED.with_name("scene.mp4"), RENDERED
    elif clip is None:
        site = ROAD
    judged = () if site is None else (str(site),)
    ours = worker("smartstream", "smartstream: decode, detect, track, judge", *judged, ours=True)
    usual = worker("usual_chain", "OpenCV, MOG2, contours, ByteTrack, rules", *judged)
    programs = [FFMPEG, ours, *([usual] if peers else [])]

    def gates(fps: dict[str, float], ratio: dict[str, float]) -> list[dict[str, object]]:
        found = [] if rendered else [gate("of bare ffmpeg", ratio[ours.name], BARE)]
        if peers:
            times = USUAL_RENDERED if rendered else USUAL
            found.append(gate("times the usual chain", fps[ours.name] / fps[usual.name], times))
        return found

    run_contest(
        "vision", programs, gates, name=name, clip=clip, source=source, minutes=minutes, rounds=rounds, output=output
    )

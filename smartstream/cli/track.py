"""``smartstream track``: the tracker alone on a MOT Challenge detection file."""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np

from smartstream._core import Tracker
from smartstream.options import FloatRange
from smartstream.vision.mot import read_mot_detections, write_mot_result


@click.command()
@click.argument("detections", type=click.Path(path_type=Path))
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Result file to write.")
@click.option(
    "--preset",
    type=click.Choice(["vehicle", "vehicle_stable", "pedestrian", "motion"]),
    default="vehicle",
    show_default=True,
    help="Thresholds for what is tracked.",
)
@click.option(
    "--fps",
    type=FloatRange(0.001, 1e6),
    help="Frames per second.  [default: what the preset is stated for]",
)
@click.option("--ignore-scores", is_flag=True, help="Take every detection as certain.")
def track(detections: Path, output: Path, preset: str, fps: float | None, ignore_scores: bool) -> None:  # noqa: FBT001
    """Track the boxes of DETECTIONS, a MOT Challenge file, and write the result in the same format."""
    found = read_mot_detections(detections, ignore_scores=ignore_scores)
    tracker = Tracker(preset)
    frame, tracks = tracker.track_clip(found.frame, found.box, found.score, fps=fps)
    write_mot_result(output, frame, tracks)
    counts = tracker.counts
    unused = ", ".join(f"{counts[why]} {why}" for why in ("unusable", "weak", "duplicates"))
    click.echo(
        f"{counts['detections']} detections ({unused}) in {len(np.unique(found.frame))} frames: "
        f"{len(np.unique(tracks.track))} tracks, {len(tracks)} boxes",
        err=True,
    )

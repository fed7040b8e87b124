"""``smartstream check``: every mistake of a site file at once, and its geometry on a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click
import numpy as np
import shapely

from pipelines.live_cameras import live_picture
from pipelines.sources import site_sides
from smartstream import _core
from smartstream.cli.installed import not_installed
from smartstream.config.calibration import ground_from_image, residuals_m
from smartstream.config.camera import Camera, Line
from smartstream.config.fields import FEEDS, LIVE_SCHEMES, crosses_itself
from smartstream.config.site import Site, load_site
from smartstream.errors import InvalidInputError
from smartstream.rules.compile import BUILT
from smartstream.vision.overlay import draw_site, first_picture, require_opencv, write_picture

_NEAR: Final = 0.02
"""How far from a line, in pictures, a lane may end that leads over it."""
_BESIDE: Final = 0.15
"""The share of a stop line that kerbs and medians take at most."""


@click.command()
@click.argument("site_file", metavar="SITE.toml", type=Path)
@click.option(
    "--draw",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="Draw lanes, lines and zones on the first picture of each camera, one PNG each.",
)
def check(site_file: Path, draw: Path | None) -> None:
    """Every mistake in SITE.toml at once: its path in the file, what was found, what was expected.

    Exit code 0 when there is none, 2 when there is one; files that the site names must be there.
    """
    if draw is not None:
        require_opencv()
    site = load_site(site_file, open_files=True)
    site_sides(site, live=False)  # opens every source that is at rest once, as a run does
    for line in summary(site):
        click.echo(line)
    for warning in warnings(site):
        click.echo(f"warning: {warning}", err=True)
    if draw is not None:
        for camera in site.camera:
            click.echo(_draw(site, camera, draw))


def summary(site: Site) -> list[str]:
    """What the file describes, a line per thing."""
    of = f"province {site.site.province}, ward {site.site.ward or '_'}, {site.site.timezone}"
    lines = [f"site {site.site.id}: {of}"]
    for junction in site.junction:
        groups = ", ".join(group.id for group in junction.signal) or "none"
        lines.append(f"junction {junction.id} ({junction.title}): signal groups {groups}")
    for camera in site.camera:
        shapes = ", ".join(_count(len(getattr(camera, k)), k) for k in ("lane", "line", "zone"))
        lines.append(f"camera {camera.id} at {camera.junction}: {' '.join(camera.url)}, {camera.detector}, {shapes}")
        lines += [f"  {_video(site, url)}" for url in camera.url if camera.scheme == "file"]
        lines.append(f"  {_calibration(camera)}")
        armed = ", ".join(rule.kind for rule in camera.rule if rule.kind in BUILT)
        lines.append(f"  rules: {armed or 'none, counts crossings only'}")
    for feeds in FEEDS:
        for feed in getattr(site, feeds):
            where = f" of {feed.junction}" if feeds == "signal_feed" else ""
            lines.append(f"{feeds}{where}: {feed.url}, late after {feed.allowed_lateness_s:g} s")
    lines.append(f"events to {site.nats.url}")
    return lines


def warnings(site: Site) -> list[str]:
    """What is no mistake but is hardly meant."""
    found = not_installed(site)
    fed = {feed.junction for feed in site.signal_feed}
    signalled = {"red_light", "yellow_light", "stop_line"}
    for i, camera in enumerate(site.camera):
        if idle := [rule.kind for rule in camera.rule if rule.kind not in BUILT]:
            found.append(f"camera[{i}] ({camera.id}): not armed, this version does not know: {', '.join(idle)}")
        told = camera.junction in fed or bool(site.reads(camera.junction))
        if not told and any(rule.kind in signalled for rule in camera.rule):
            found.append(
                f"camera[{i}] ({camera.id}): no [[signal_feed]] and no signal_head zone tells the states of "
                f"{camera.junction}; unknown never makes a red light"
            )
        found += [
            f"camera[{i}].{word}[{j}].polygon ({shape.id}): its edges cross; are the corners in order?"
            for word in ("lane", "zone")
            for j, shape in enumerate(getattr(camera, word))
            if crosses_itself(shape.polygon)
        ]
        judged = {getattr(rule, "line", None) for rule in camera.rule if rule.kind in signalled}
        found += [
            f"camera[{i}].line[{j}] ({line.id}): {share:.0%} of it lie in no lane; whose light rules there nobody "
            "knows (lane_ambiguous); is a lane missing?"
            for j, line in enumerate(camera.line)
            if line.id in judged and (share := _beside_lanes(camera, line)) > _BESIDE
        ]
        if not camera.line and not camera.rule:
            found.append(f"camera[{i}] ({camera.id}): no line and no rule; nothing will come of it")
    if site.condition_feed and not site.junction:
        found.append("condition_feed: no [[junction]] whose rules it could change; nothing of it is read")
    if not site.camera and not any(getattr(site, feeds) for feeds in FEEDS):
        found.append("no source at all: a run would end at once")
    return found


def _beside_lanes(camera: Camera, line: Line) -> float:
    """The share of a line that no lane leads over."""
    lanes = shapely.union_all([shapely.Polygon(lane.polygon).buffer(_NEAR) for lane in camera.lane])
    whole = shapely.LineString(line.points)
    return float(whole.difference(lanes).length / whole.length)


def _video(site: Site, url: str) -> str:
    path = Path(site.address(url).target)
    video = _core.probe(str(path))
    rate = " (not stated, assumed: its times prove nothing)" if video["fps_assumed"] else ""
    length = "" if video["duration_s"] is None else f", {video['duration_s']:.1f} s"
    return f"{path.name}: {video['codec']} {video['width']}x{video['height']}, {video['fps']:g} frames/s{rate}{length}"


def _count(n: int, word: str) -> str:
    return f"{n} {word}{'' if n == 1 else 's'}"


def _calibration(camera: Camera) -> str:
    if camera.calibration is None:
        return "no calibration: picture units only"
    image, world_m = camera.calibration.image, camera.calibration.world_m
    h = ground_from_image(image, world_m)
    assert h is not None, "validated when the file was read"
    rms = float(np.sqrt(np.mean(residuals_m(h, image, world_m) ** 2)))
    return f"calibration: {len(image)} pairs, {f'they agree within {rms:.2f} m' if len(image) > 4 else 'exact'}"


def _draw(site: Site, camera: Camera, folder: Path) -> str:
    scheme, target = site.address(camera.url[0])
    if scheme in LIVE_SCHEMES:
        rgb = live_picture(site, camera)
        picture = None if rgb is None else np.ascontiguousarray(rgb[:, :, ::-1])
    else:
        picture = None if scheme == "tracks" else first_picture(target)
    note = ""
    if picture is None:
        note = " (tracks have no picture)" if scheme == "tracks" else f" (no picture from {camera.url[0]})"
        picture = np.full((720, 1280, 3), 96, np.uint8)
    path = folder / f"{camera.id}.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        written = write_picture(str(path), draw_site(picture, camera))
    except OSError as e:
        raise InvalidInputError(f"--draw {folder}: {e.strerror or e}") from e
    if not written:
        raise InvalidInputError(f"--draw {path}: cannot be written")
    return f"drawn: {path}{note}"

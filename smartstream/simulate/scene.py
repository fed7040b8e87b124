"""A labelled junction scene from a seed: traffic, what the camera saw, the truth about it, the picture."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from typing import Final, Literal

from smartstream.errors import InvalidInputError
from smartstream.simulate.camera import Camera, hang
from smartstream.simulate.cases import CASES
from smartstream.simulate.files import T0, site_toml, truth, write_conditions, write_signals, write_tracks
from smartstream.simulate.finding import Crossing, Finding
from smartstream.simulate.judge import judge
from smartstream.simulate.phases import SignalPlan, draw_plan
from smartstream.simulate.plot import plan_acts
from smartstream.simulate.sight import Sighting, see
from smartstream.simulate.stage import Case, Condition, Played, play
from smartstream.simulate.traffic import missing_extra, run_traffic, sumo_home
from smartstream.simulate.walkers import pavement_riders, pedestrians


@dataclass(frozen=True)
class SceneOptions:
    """What a scene is made with; with the seed it decides every byte.

    Attributes:
        density: Factor on the volumes of traffic.
        offences: Factor on how often somebody offends; 0: nobody on purpose.
        noise: Sensor noise in grey levels; None: 3 by day, 6 at night.
        shake_px: How far the camera swings.
        jumps: Exposure jumps per minute.
        video: Whether a picture is made at all.
        cases: Rule kinds whose cases are played, one after the other, instead of traffic.
    """

    seed: int
    seconds: float = 60.0
    scene: Literal["day", "night"] = "day"
    camera: str = "standard"
    size: tuple[int, int] = (1280, 720)
    fps: float = 25.0
    codec: str = "h264"
    bitrate_kbps: int | None = None
    noise: float | None = None
    shake_px: float = 0.0
    jumps: float = 0.0
    density: float = 1.0
    offences: float = 1.0
    video: bool = True
    cases: tuple[str, ...] = ()


Progress = Callable[[str, float], None]


def make_scene(options: SceneOptions, out: Path, progress: Progress) -> dict[str, int]:
    """Write ``scene.mp4``, ``signals.ndjson``, ``tracks.ndjson.gz``, ``truth.json`` and ``site.toml``.

    With cases also ``conditions.ndjson``.

    Args:
        options: What to make.
        out: Folder, made if absent.
        progress: Called with a stage and the fraction of it that is done.

    Returns:
        Offences by kind.

    Raises:
        InvalidInputError: The extra is not installed, or the folder cannot be made.
    """
    if not options.cases:
        sumo_home()
    if options.video and not all(find_spec(name) for name in ("cv2", "av")):
        raise missing_extra()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise InvalidInputError(f"{out}: cannot be made: {e.strerror}") from e
    play = _play_cases if options.cases else _play_traffic
    happened = play(options, progress)
    if (out / "truth.json").exists():  # a scene made before, of which nothing may stand beside this one
        for name in _FILES:
            (out / name).unlink(missing_ok=True)
    site = _write(options, out, happened)
    progress("truth", 1.0)
    if options.video:
        _film(options, out, happened, progress)
    (out / "site.toml").write_text(site, encoding="utf-8")  # last: with it the scene is whole
    kinds: dict[str, int] = {}
    for finding in happened.findings:
        if finding.why is None:
            kinds[finding.kind] = kinds.get(finding.kind, 0) + 1
    return kinds


_FILES: Final = ("site.toml", "truth.json", "signals.ndjson", "tracks.ndjson.gz", "conditions.ndjson", "scene.mp4")


@dataclass(frozen=True)
class _Happened:
    """What happened in front of the camera."""

    seconds: float
    camera: Camera
    plan: SignalPlan
    sightings: list[Sighting]
    findings: list[Finding]
    crossings: list[Crossing]
    cases: Sequence[Played] = ()
    unseen: Sequence[Case] = ()

    @property
    def conditions(self) -> list[Condition]:
        """Of the cases."""
        return [condition for played in self.cases for condition in played.conditions]


def _play_traffic(options: SceneOptions, progress: Progress) -> _Happened:
    """Everyday traffic of SUMO's, with offenders in it."""
    rng = random.Random(f"scene {options.seed}")
    plan = draw_plan(rng)
    acts = plan_acts(rng, plan, seconds=options.seconds, offences=options.offences)
    movers, _ = run_traffic(
        options.seed, plan, acts, seconds=options.seconds, density=options.density,
        progress=lambda part: progress("traffic", part),
    )  # fmt: skip
    movers += pavement_riders(rng, seconds=options.seconds, offences=options.offences)
    camera = hang(rng, options.camera, options.size)
    vehicles = see(camera, movers)
    movers += pedestrians(rng, vehicles, seconds=options.seconds, offences=options.offences)
    sightings = see(camera, movers)
    return _Happened(options.seconds, camera, plan, sightings, *judge(sightings, plan))


def _play_cases(options: SceneOptions, progress: Progress) -> _Happened:
    """Cases one after the other on an empty road; they say how long the scene is."""
    rng = random.Random(f"cases {options.seed}")
    plan = replace(draw_plan(rng), arrow=True)
    camera = hang(rng, options.camera, options.size)
    cases, unseen = play([case for case in CASES if case.kind in options.cases], camera, plan, options.seed)
    if not cases:
        raise InvalidInputError(f"camera {options.camera!r} can show none of the cases")
    progress("traffic", 1.0)
    sightings = sorted((s for played in cases for s in played.sightings), key=lambda s: (s.t_s[0], s.mover.id))
    findings = [finding for played in cases for finding in played.findings]
    crossings = [crossing for played in cases for crossing in played.crossings]
    return _Happened(ceil(cases[-1].end_s) + 5.0, camera, plan, sightings, findings, crossings, cases, unseen)


def _write(options: SceneOptions, out: Path, happened: _Happened) -> str:
    """Everything but the picture and the site file; its text."""
    frames = round(happened.seconds * options.fps)
    made_with = {k: v for k, v in asdict(options).items() if k not in ("seed", "seconds", "fps", "size")}
    content = truth(
        seed=options.seed, camera=happened.camera, fps=options.fps, seconds=happened.seconds,
        findings=happened.findings, crossings=happened.crossings, made_with=made_with,
    )  # fmt: skip
    if happened.cases:
        content["lifted"] = [finding.as_json(T0) for played in happened.cases for finding in played.lifted]
        content["cases"] = [played.as_json(T0) for played in happened.cases]
        content["unseen"] = [{"kind": case.kind, "case": case.name} for case in happened.unseen]
        write_conditions(out / "conditions.ndjson", happened.conditions)
    (out / "truth.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    write_signals(out / "signals.ndjson", happened.plan, happened.seconds)
    write_tracks(out / "tracks.ndjson.gz", happened.sightings, options.fps, frames)
    video = "scene.mp4" if options.video else None
    return site_toml(content, site=_token(out.resolve().name), video=video, cases=bool(happened.cases))


def _film(options: SceneOptions, out: Path, happened: _Happened, progress: Progress) -> None:
    """The picture."""
    from smartstream.simulate.render import Look, Renderer
    from smartstream.simulate.video import encode

    night = options.scene == "night"
    noise = options.noise if options.noise is not None else (6.0 if night else 3.0)
    look = Look(night, noise, options.shake_px, options.jumps)
    renderer = Renderer(happened.camera, happened.sightings, happened.plan, look, options.seed)
    frames = round(happened.seconds * options.fps)

    def counted() -> Iterator[object]:
        for k, frame in enumerate(renderer.frames(options.fps, frames)):
            yield frame
            progress("picture", (k + 1) / frames)

    encode(
        out / "scene.mp4", counted(), fps=options.fps, size=options.size, codec=options.codec,  # type: ignore[arg-type]
        bitrate_kbps=options.bitrate_kbps,
    )  # fmt: skip


def _token(name: str) -> str:
    """A folder's name as one NATS token."""
    token = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in name)
    return token.strip("-") or "scene"

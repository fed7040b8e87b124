"""A labelled junction scene from a seed: traffic, what the camera saw, the truth about it, the picture."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from smartstream.errors import InvalidInputError
from smartstream.simulate.camera import hang
from smartstream.simulate.files import site_toml, truth, write_signals, write_tracks
from smartstream.simulate.judge import judge
from smartstream.simulate.phases import draw_plan
from smartstream.simulate.plot import plan_acts
from smartstream.simulate.sight import see
from smartstream.simulate.traffic import NEEDS_EXTRA, run_traffic, sumo_home
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


Progress = Callable[[str, float], None]


def make_scene(options: SceneOptions, out: Path, progress: Progress) -> dict[str, int]:
    """Write ``scene.mp4``, ``signals.ndjson``, ``tracks.ndjson.gz``, ``truth.json`` and ``site.toml``.

    Args:
        options: What to make.
        out: Folder, made if absent.
        progress: Called with a stage and the fraction of it that is done.

    Returns:
        Offences by kind.

    Raises:
        InvalidInputError: The extra is not installed, or the folder cannot be made.
    """
    sumo_home()
    if options.video and not all(find_spec(name) for name in ("cv2", "av")):
        raise InvalidInputError(NEEDS_EXTRA)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise InvalidInputError(f"{out}: cannot be made: {e.strerror}") from e
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
    findings, crossings = judge(sightings, plan)

    frames = round(options.seconds * options.fps)
    made_with = {k: v for k, v in asdict(options).items() if k not in ("seed", "seconds", "fps", "size")}
    content = truth(
        seed=options.seed, camera=camera, fps=options.fps, seconds=options.seconds, findings=findings,
        crossings=crossings, made_with=made_with,
    )  # fmt: skip
    (out / "truth.json").write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    write_signals(out / "signals.ndjson", plan, options.seconds)
    write_tracks(out / "tracks.ndjson.gz", sightings, options.fps, frames)
    video = "scene.mp4" if options.video else None
    (out / "site.toml").write_text(site_toml(content, site=_token(out.resolve().name), video=video))
    progress("truth", 1.0)
    if options.video:
        from smartstream.simulate.render import Look, Renderer
        from smartstream.simulate.video import encode

        night = options.scene == "night"
        noise = options.noise if options.noise is not None else (6.0 if night else 3.0)
        look = Look(night, noise, options.shake_px, options.jumps)
        renderer = Renderer(camera, sightings, plan, look, options.seed)

        def counted() -> Iterator[object]:
            for k, frame in enumerate(renderer.frames(options.fps, frames)):
                yield frame
                progress("picture", (k + 1) / frames)

        encode(
            out / "scene.mp4", counted(), fps=options.fps, size=options.size, codec=options.codec,  # type: ignore[arg-type]
            bitrate_kbps=options.bitrate_kbps,
        )  # fmt: skip
    kinds: dict[str, int] = {}
    for finding in findings:
        if finding.why is None:
            kinds[finding.kind] = kinds.get(finding.kind, 0) + 1
    return kinds


def _token(name: str) -> str:
    """A folder's name as one NATS token."""
    token = "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "-" for c in name)
    return token.strip("-") or "scene"

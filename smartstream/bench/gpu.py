"""``smartstream bench gpu``: how many cameras one GPU holds.

Every camera plays the same 1080p clip at its own pace, through everything a live camera passes but the network, and is
looked at by one detector for all. A number of cameras is held when each is looked at 8 times a second or more and, of
all the pictures looked at, 95 % are tracks within 200 ms of when the camera sent them. The number is doubled until it
is not held, then halved in.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
import msgspec
import numpy as np

from smartstream import _core
from smartstream.bench.clip import SOURCE, given_clip, made_clip, require_ffmpeg
from smartstream.bench.report import gate, json_option, print_gates, print_table, write_json
from smartstream.errors import InvalidInputError
from smartstream.model.tracks import TrackBatch
from smartstream.options import FloatRange
from smartstream.vision.detector import DetectorSettings
from smartstream.vision.gpu.cuda import Device
from smartstream.vision.service import DetectorService, detector_service, look_config

LOOKS_S: Final = 8.0
P95_MS: Final = 200.0
GOAL: Final = 100
"""Cameras: twice the 50 that NVIDIA names for its own real-time pipeline."""
WARM_S: Final = 3.0
CLIP_S: Final = 120


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen with so many cameras.

    Attributes:
        cameras: How many.
        looks_s: Looks a second at the camera that had the fewest.
        p50_ms: From a picture's coming in to its tracks, the middle one.
        p95_ms: Of 95 %.
        left_out: Pictures left out because something was behind.
        lost: Cameras that broke off.
    """

    cameras: int
    looks_s: float
    p50_ms: float
    p95_ms: float
    left_out: int
    lost: int

    @property
    def held(self) -> bool:
        """Both goals, for each camera."""
        return self.lost == 0 and self.looks_s >= LOOKS_S and self.p95_ms <= P95_MS


class _Street:
    """Cameras that are opened one after the other, and what comes of them.

    The event time of each is when a picture is due, so how late its tracks are can be told. What it took to open the
    file counts as delay too; therefore nobody is opened while another still is.
    """

    def __init__(self, clip: Path, service: DetectorService, identity: str) -> None:
        self._hub = service.hub
        look = look_config(service, identity, rate_hz=10.0, gate=False, refresh_s=1.0)
        live = {"url": f"file:{clip}", "shed": "latest", "behind_s": 1.0, "ring_s": 2.0}
        self._config = {"live": live, "detector": "bench", "look": look, "tracker_preset": "detector", "batch_ms": 1}
        self.runs: list[_core.CameraRun] = []
        self.late_ns: list[int] = []
        self.lost: set[int] = set()
        self._silent = -1

    def open(self) -> None:
        """One more camera, unless the last one opened has not spoken yet."""
        if self._silent < 0:
            self._silent = len(self.runs)
            config = {"camera": f"cam-{self._silent:04}", "start_time_ns": time.time_ns(), **self._config}
            self.runs.append(_core.CameraRun(json.dumps(config).encode(), hub=self._hub))

    def poll(self) -> None:
        """Take what is ready from each."""
        for i, run in enumerate(self.runs):
            for item in run.poll(64):
                if i == self._silent:
                    self._silent = -1
                if item[0] == "tracks":
                    self.late_ns += (time.time_ns() - TrackBatch.from_bytes(item[3]).frame_ns).tolist()
                elif item[0] == "end" or (item[0] == "health" and item[1] == "lost"):
                    self.lost.add(i)
        time.sleep(0.001)

    def poll_for(self, seconds: float) -> float:
        """Go on for so long; how long it took."""
        begun = time.monotonic()
        while (passed := time.monotonic() - begun) < seconds:
            self.poll()
        return passed

    def counts(self) -> list[dict[str, int]]:
        """Of every camera."""
        return [run.counts() for run in self.runs]


def measure(clip: Path, service: DetectorService, identity: str, cameras: int, seconds: float) -> Measured:
    """Play the clip before ``cameras`` cameras for ``seconds``, after a while of getting under way."""
    street = _Street(clip, service, identity)
    try:
        while len(street.runs) < cameras:
            street.open()
            street.poll()
        street.poll_for(WARM_S)
        street.late_ns.clear()
        before = street.counts()
        taken = street.poll_for(seconds)
        after, late_ns = street.counts(), street.late_ns
    finally:
        for run in street.runs:
            run.close()
    looks = [(b["pictures_asked"] - a["pictures_asked"]) / taken for a, b in zip(before, after, strict=True)]
    left = [
        sum(n - a.get(k, 0) for k, n in b.items() if k.startswith("lost_shed_"))
        for a, b in zip(before, after, strict=True)
    ]
    p50, p95 = np.percentile(late_ns, [50, 95]) / 1e6 if late_ns else (np.inf, np.inf)
    return Measured(
        cameras=cameras,
        looks_s=round(min(looks), 2),
        p50_ms=round(float(p50), 1),
        p95_ms=round(float(p95), 1),
        left_out=sum(left),
        lost=len(street.lost),
    )


def most_held(try_with: Callable[[int], Measured], first: int) -> list[Measured]:
    """Measurements that narrow down the most cameras held, to an eighth of it."""
    tried: list[Measured] = []
    held, failed = 0, None
    cameras = first
    while failed is None or failed - held > max(1, held // 8):
        found = try_with(cameras)
        tried.append(found)
        if found.held:
            held = cameras
        else:
            failed = cameras
        cameras = 2 * held if failed is None else (held + failed) // 2
    return tried


@click.command(name="gpu")
@click.option("--model", required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False), help="ONNX file.")
@click.option(
    "--detector",
    type=click.Choice(["tensorrt", "onnx"]),
    default="tensorrt",
    show_default=True,
    help="onnx: the same measurement where onnxruntime runs the model.",
)
@click.option("--peers", is_flag=True, help="Also what users would pick instead: onnxruntime, on the GPU where it can.")
@click.option("--cameras", type=click.IntRange(1, 10_000), help="Measure with this many only.")
@click.option("--seconds", type=FloatRange(2, CLIP_S / 2), default=15, show_default=True, help="Of each measurement.")
@click.option(
    "--clip", type=click.Path(path_type=Path), help="A 1080p25 clip of two minutes; else one is made of --source."
)
@click.option("--source", default=str(SOURCE), show_default=True, type=click.Path(path_type=Path), help="Footage.")
@json_option("gpu")
def bench(
    model: Path,
    detector: str,
    peers: bool,  # noqa: FBT001 (click)
    cameras: int | None,
    seconds: float,
    clip: Path | None,
    source: Path,
    output: Path,
) -> None:
    """How many 1080p25 cameras are held at 8 looks a second each, 95 % of them tracks within 200 ms."""
    gpu = None
    if detector == "tensorrt":
        try:
            gpu = Device().name
        except InvalidInputError as e:
            raise InvalidInputError(f"bench gpu: {e}") from None
    require_ffmpeg()
    played = given_clip(clip) if clip else made_clip("h264", source, CLIP_S)
    names = [detector, *(["onnx"] if peers and detector != "onnx" else [])]
    measured = {name: _measured(name, model, played.path, cameras, seconds) for name in names}
    rows = [
        (name, m.cameras, m.looks_s, m.p50_ms, m.p95_ms, m.left_out, m.lost, "held" if m.held else "no")
        for name, tried in measured.items()
        for m in sorted(tried, key=lambda m: m.cameras)
    ]
    print_table(("detector", "cameras", "looks/s, least", "p50 ms", "p95 ms", "left out", "lost", ""), rows)
    most = {name: max((m.cameras for m in tried if m.held), default=0) for name, tried in measured.items()}
    gates = [gate("cameras held", most[detector], GOAL)]
    print_gates(gates)
    settings = {"clip": played.what, "model": model.name, "detector": detector, "gpu": gpu, "seconds": seconds}
    write_json(
        output, "gpu", {"settings": settings, "measured": msgspec.to_builtins(measured), "held": most, "gates": gates}
    )


def _measured(detector: str, model: Path, clip: Path, cameras: int | None, seconds: float) -> list[Measured]:
    """So many cameras, or as many as are held, before one detector."""
    service, identity = detector_service(detector, DetectorSettings(model=model))

    def try_with(n: int) -> Measured:
        found = measure(clip, service, identity, n, seconds)
        click.echo(f"{detector}, {n} cameras: {'held' if found.held else 'not held'}", err=True)
        return found

    return [try_with(cameras)] if cameras else most_held(try_with, 1 if detector == "onnx" else 16)

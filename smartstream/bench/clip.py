"""Clips for the benchmarks of decoding and vision: real traffic, coded the way a camera codes it.

Decoding costs what the bits cost, so a clip says its bit rate and must reach it. Real footage is enlarged, given
the noise of a sensor (new in every frame, so that residuals cost what a camera's cost) and coded without B-frames,
one reference, a key frame every two seconds.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import Final

import click
import msgspec

from smartstream.errors import InvalidInputError

SOURCE: Final = Path("../shared/data/video/intel_car_detection.mp4")
FPS: Final = 25
SHORT_S: Final = 10
"""Length of the second clip, whose cost is taken off: it has the same start-up."""
_X264: Final = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "0", "-refs", "1", "-sc_threshold", "0")
_X265: Final = ("-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1")


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How a clip is made.

    Attributes:
        size: Width and height in pixels.
        mbit_s: Bit rate asked for; 0: by quality.
        noise: Strength of the noise, in levels.
        codec: Options of the encoder.
        buffer_s: Seconds over which the rate holds; with one, key frames as large as those of 4K leave a part unused.
        coded_s: So many seconds are coded, and repeated as they are for a longer clip; 0: all of it is coded.
    """

    size: tuple[int, int]
    mbit_s: float
    noise: int
    codec: tuple[str, ...]
    buffer_s: int = 1
    coded_s: int = 0

    def make(self, source: Path, target: Path, seconds: int) -> None:
        """Make ``seconds`` of it at ``target``."""
        if not self.is_repeated(seconds):
            _run(self.command(source, target, seconds))
            return
        once = target.with_suffix(".once")
        _run(self.command(source, once, self.coded_s))
        again = ["ffmpeg", "-v", "error", "-y", "-stream_loop", "-1", "-i", str(once), "-t", str(seconds)]
        _run([*again, "-an", "-c", "copy", "-f", "mp4", str(target)])
        once.unlink()

    def is_repeated(self, seconds: int) -> bool:
        """Whether a clip of ``seconds`` repeats itself."""
        return 0 < self.coded_s < seconds

    def command(self, source: Path, target: Path, seconds: int) -> list[str]:
        """The ffmpeg command that makes ``seconds`` of it."""
        width, height = self.size
        picture = f"scale={width}:{height}:flags=lanczos,noise=c0s={self.noise}:c0f=t:c0_seed=1,format=yuv420p"
        rate, buffer = f"{self.mbit_s:g}M", f"{self.buffer_s * self.mbit_s:g}M"
        rates = ["-b:v", rate, "-minrate", rate, "-maxrate", rate, "-bufsize", buffer] if self.mbit_s else []
        return [
            *("ffmpeg", "-v", "error", "-y", "-stream_loop", "-1", "-r", str(FPS), "-i", str(source)),
            *("-t", str(seconds), "-an", "-vf", picture, *self.codec, *rates, "-g", str(2 * FPS)),
            *("-f", "mp4", str(target)),
        ]


RECIPES: Final = {
    "h264": Recipe(size=(1920, 1080), mbit_s=4, noise=14, codec=_X264),
    "h265": Recipe(
        size=(1920, 1080),
        mbit_s=2.5,
        noise=14,
        codec=(*_X265, "-x265-params", "bframes=0:ref=1:log-level=none"),
        coded_s=60,
    ),
    "mjpeg": Recipe(size=(1280, 720), mbit_s=0, noise=14, codec=("-c:v", "mjpeg", "-q:v", "5", "-pix_fmt", "yuvj420p")),
    "4k": Recipe(size=(3840, 2160), mbit_s=10, noise=14, codec=_X264, buffer_s=4, coded_s=30),
}
"""Clip by name: what a city's cameras send."""


class Clip(msgspec.Struct, frozen=True, kw_only=True):
    """A clip and its beginning, whose cost is start-up.

    Attributes:
        path: The whole.
        short: Its first seconds.
        frames: Frames of the whole.
        short_frames: Frames of its beginning.
        mbit_s: Bit rate that it really has.
        what: In words.
    """

    path: Path
    short: Path
    frames: int
    short_frames: int
    mbit_s: float
    what: str


def cache_folder() -> Path:
    """Where clips are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "smartstream" / "bench"


def require_ffmpeg() -> None:
    """The ffmpeg command is what is measured against."""
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        raise InvalidInputError("ffmpeg and ffprobe are not on the PATH; apt-get install ffmpeg")


def made_clip(name: str, source: Path, seconds: int) -> Clip:
    """The clip called ``name`` in ``RECIPES``, made from ``source`` when it is not kept yet (minutes).

    Raises:
        InvalidInputError: No source, or an encoder that does not reach the bit rate.
    """
    recipe = RECIPES[name]
    buffer = "" if recipe.buffer_s == 1 else f"-b{recipe.buffer_s}"
    repeated = f"-{recipe.coded_s}s" if recipe.is_repeated(seconds) else ""
    kind = f"{name}-{recipe.mbit_s:g}M-n{recipe.noise}{buffer}{repeated}"
    path = cache_folder() / f"{source.stem}-{kind}-{seconds}s.mp4"
    if not path.exists():
        if not source.exists():
            raise InvalidInputError(f"{source}: not there; give footage with --source or a clip with --clip")
        click.echo(f"making {path} (once)", err=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        recipe.make(source, unfinished, seconds)
        unfinished.replace(path)
    clip = given_clip(path)
    if recipe.mbit_s and clip.mbit_s < 0.97 * recipe.mbit_s:
        raise InvalidInputError(f"{path}: has {clip.mbit_s:.2f} Mbit/s, expected {recipe.mbit_s:g}")
    noise = f"{source.name} enlarged, sensor-like noise of strength {recipe.noise}"
    what = f"{clip.what}, {noise}, no B-frames, key frame every {2 * FPS}"
    if repeated:
        what += f", {recipe.coded_s} s again and again"
    return msgspec.structs.replace(clip, what=what)


def given_clip(path: Path) -> Clip:
    """A clip of the user's, with its beginning cut off beside it without coding it again."""
    if not path.is_file():
        raise InvalidInputError(f"{path}: not there, expected a video file")
    stream = _stream(path)
    stat = path.stat()
    mark = zlib.crc32(f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns}".encode())
    short = cache_folder() / f"{path.stem}-{mark:08x}-first{SHORT_S}s.mp4"
    if not short.exists():
        short.parent.mkdir(parents=True, exist_ok=True)
        unfinished = short.with_suffix(".unfinished")
        _run(
            [
                "ffmpeg",
                "-v",
                "error",
                "-y",
                "-i",
                str(path),
                "-t",
                str(SHORT_S),
                "-an",
                "-c",
                "copy",
                "-f",
                "mp4",
                str(unfinished),
            ]
        )
        unfinished.replace(short)
    rate = float(stream.get("bit_rate", 0)) / 1e6
    fps = stream["avg_frame_rate"]
    what = f"{stream['codec_name']} {stream['width']}x{stream['height']} at {fps} frames/s, {rate:.2f} Mbit/s"
    return Clip(
        path=path,
        short=short,
        frames=int(stream["nb_frames"]),
        short_frames=int(_stream(short)["nb_frames"]),
        mbit_s=rate,
        what=what,
    )


def _stream(path: Path) -> dict[str, str]:
    entries = "stream=codec_name,width,height,avg_frame_rate,bit_rate,nb_frames"
    found = _run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", entries, "-of", "json", str(path)]
    )
    streams: list[dict[str, str]] = json.loads(found)["streams"]
    if not streams or not streams[0].get("nb_frames", "").isdecimal():
        raise InvalidInputError(f"{path}: expected a video file that states its number of frames, such as MP4")
    return streams[0]


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InvalidInputError(f"{command[0]}: {done.stderr.strip() or 'failed'}")
    return done.stdout

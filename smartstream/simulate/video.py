"""Encodes frames to a video file."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from smartstream.simulate.scenery import Image
from smartstream.simulate.traffic import missing_extra

CODECS: Final = {"h264": "libx264", "h265": "libx265", "mjpeg": "mjpeg", "mpeg4": "mpeg4"}
"""Name in the options to encoder."""


def encode(
    path: Path,
    frames: Iterable[Image],
    *,
    fps: float,
    size: tuple[int, int],
    codec: str,
    bitrate_kbps: int | None,
) -> None:
    """Write frames (H, W, 3) BGR; without a bit rate at constant, good quality.

    Raises:
        MissingExtraError: The extra is not installed.
    """
    try:
        import av
    except ImportError:
        raise missing_extra() from None
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream(CODECS[codec], rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.gop_size = round(2 * fps)
        stream.codec_context.thread_count = 1  # more threads, other bytes
        stream.options = {
            "h264": {"preset": "veryfast"} | ({} if bitrate_kbps else {"crf": "24"}),
            "h265": {"preset": "ultrafast", "x265-params": "log-level=error:pools=1:frame-threads=1"}
            | ({} if bitrate_kbps else {"crf": "27"}),
            "mjpeg": {"qmin": "4", "qmax": "6"},
            "mpeg4": {} if bitrate_kbps else {"qmin": "4", "qmax": "6"},
        }[codec]
        if bitrate_kbps:
            stream.bit_rate = bitrate_kbps * 1000
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="bgr24")
            container.mux(stream.encode(picture.reformat(format=stream.pix_fmt)))
        container.mux(stream.encode(None))

"""The seam for detectors: what one is, what it is given, and how a site file finds it by its name.

A detector is one class. Cameras stay in Rust: decoding, resizing and tracking happen there; what crosses into
Python is a picture of the size the detector asked for, and what goes back are boxes. A package announces its
detector as an entry point of the group ``smartstream.detectors``; the site file then says ``detector = "name"``.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import numpy as np
import numpy.typing as npt

from smartstream.errors import InvalidInputError, SmartstreamError

GROUP: Final = "smartstream.detectors"
"""Entry points of this group are detectors: each loads to a callable ``(DetectorSettings) -> Detector``."""

_OURS: Final = {
    "onnx": "smartstream.vision.onnx:OnnxDetector",
    "tensorrt": "smartstream.vision.gpu.detector:TensorrtDetector",
}


@dataclass(frozen=True)
class Wants:
    """The picture a detector asks for.

    Attributes:
        form: ``rgb`` or ``bgr``: (3, H, W); ``luma``: (1, H, W); ``nv12``: ``Nv12``, never resized.
        width: Columns; 0 takes the camera's own size.
        height: Rows; 0 takes the camera's own size.
        fit: ``letterbox`` keeps the shape with bars on both sides, ``corner`` with bars right and below,
            ``stretch`` does not keep it.
        pad: Level of the bars, 0–255.
    """

    form: Literal["rgb", "bgr", "luma", "nv12"] = "rgb"
    width: int = 0
    height: int = 0
    fit: Literal["letterbox", "corner", "stretch"] = "letterbox"
    pad: int = 114


class Nv12(np.ndarray[Any, np.dtype[np.uint8]]):
    """A picture as a decoder gives it: (1, H·3/2, W) uint8, luma, then half as many rows of Cb and Cr in turn.

    W and H are even: of an odd size the last column and row are there twice.

    Attributes:
        pixels: Columns and rows of the camera's picture.
        bt709: Its colours are those of BT.709, else of BT.601.
        full_range: Its samples use 0–255 in full, as JPEG does; else luma is 16–235.
    """

    pixels: tuple[int, int]
    bt709: bool
    full_range: bool

    @classmethod
    def of(cls, samples: npt.NDArray[np.uint8], pixels: tuple[int, int], *, bt709: bool, full_range: bool) -> Nv12:
        """``samples`` with what is known of them."""
        picture = samples.view(cls)
        picture.pixels, picture.bt709, picture.full_range = pixels, bt709, full_range
        return picture


@dataclass(frozen=True)
class Detections:
    """What a detector found in one picture.

    Attributes:
        boxes: (N, 4) float32, x1 y1 x2 y2 in pixels of the picture it was given.
        scores: (N,) float32, 0–1.
        classes: (N,) uint8, index into ``smartstream.model.classes.VEHICLE_CLASSES``.
    """

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    classes: npt.NDArray[np.uint8]


class Detector(Protocol):
    """Finds road users in pictures. Called by one thread at a time.

    The same picture must give the same detections whatever else is in its batch, or a replay decides differently.
    """

    @property
    def wants(self) -> Wants:
        """The picture it asks for; the same for as long as it lives."""

    @property
    def batch(self) -> int:
        """Most pictures in one call; 1 when a batch is no faster."""

    @property
    def riders_apart(self) -> bool:
        """Finds a person and a two-wheeler where a rider is: the two are then made one vehicle."""

    def detect(self, pictures: Sequence[npt.NDArray[np.uint8]]) -> Sequence[Detections]:
        """Detections of each picture, in order.

        An exception ends the cameras that asked, with its text as the reason; the others run on.

        Args:
            pictures: 1 to ``batch`` of them, each as ``wants`` says, to be read until this returns.
        """

    def close(self) -> None:
        """Free what it holds; nothing is asked after."""


@dataclass(frozen=True)
class DetectorSettings:
    """What the site file says about a camera's detector.

    Attributes:
        model: The model's file.
        min_score: Detections below this are not worth handing on.
        overlap: Of two boxes of one class that overlap by more than this (IoU) the surer one stays.
        format: Export layout, when it is not to be recognised.
        names: Class names of the model, when it does not carry them.
        provider: ``auto``, ``cpu`` or ``cuda``.
        options: What only this detector knows.
    """

    model: Path | None = None
    min_score: float = 0.2
    overlap: float = 0.45
    format: str = "auto"
    names: tuple[str, ...] = ()
    provider: str = "auto"
    options: Mapping[str, Any] = field(default_factory=dict)

    def identity(self, name: str) -> str:
        """Name and fingerprint of model and settings: a run can only be resumed with the same."""
        said = hashlib.sha256(repr((self.min_score, self.overlap, self.format, self.names)).encode())
        said.update(repr(sorted(self.options.items())).encode())
        if self.model is not None:
            try:
                said.update(self.model.read_bytes())
            except OSError as e:
                raise InvalidInputError(f"{self.model}: cannot be opened ({e.strerror})") from None
        return f"{name}:{said.hexdigest()[:32]}"


def open_detector(name: str, settings: DetectorSettings) -> Detector:
    """The detector of that name.

    Raises:
        InvalidInputError: Nobody knows the name, or it cannot be opened with these settings.
    """
    known = installed()
    if name not in _OURS and name not in known:
        there = ", ".join(sorted({"motion", *_OURS, *known}))
        raise InvalidInputError(f"detector {name!r}: found no such detector, expected one of {there}")
    try:
        factory: Callable[[DetectorSettings], Detector]
        if name in known:
            factory = known[name].load()
        else:
            module, _, attribute = _OURS[name].partition(":")
            factory = getattr(importlib.import_module(module), attribute)
        return factory(settings)
    except SmartstreamError:
        raise
    except Exception as e:
        raise InvalidInputError(f"detector {name!r}: cannot be opened ({type(e).__name__}: {e})") from e


@cache
def installed() -> dict[str, EntryPoint]:
    """Detectors that installed packages announce, by name."""
    return {point.name: point for point in entry_points(group=GROUP)}

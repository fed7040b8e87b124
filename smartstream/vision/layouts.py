"""Export layouts of detection models: recognised by names and shapes, decoded to boxes.

Each trainer exports its own: which colours, which way to fit the picture in, which numbers come out. A layout that
cannot be told for sure is refused, with what was found and what ``format`` may say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from smartstream.errors import InvalidInputError
from smartstream.vision.detector import Wants

F32 = npt.NDArray[np.float32]
Raw = tuple[F32, F32]
"""Boxes (N, 4) in pixels of the picture and class scores (N, C), before any threshold."""


class Port(NamedTuple):
    """An input or output of a model; ``None`` in the shape is a size that may change."""

    name: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class Layout:
    """How a model is fed and read.

    Attributes:
        name: As ``format`` in the site file.
        form: Order of the colours.
        fit: How the picture is fitted in.
        divisor: Samples are divided by it.
        mean: Subtracted after that, by plane.
        std: Divides after that, by plane.
        classes: Columns of class scores.
        suppress: Boxes of one vehicle are still several.
        decode: Outputs of one picture by name, and its (width, height), to boxes and scores.
        size_input: Name of an input that takes the picture's (width, height).
    """

    name: str
    form: Literal["rgb", "bgr"]
    fit: Literal["letterbox", "corner", "stretch"]
    divisor: float
    classes: int
    suppress: bool
    decode: Callable[[Mapping[str, F32], tuple[int, int]], Raw]
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    size_input: str | None = None

    def wants(self, width: int, height: int) -> Wants:
        """The picture to ask for."""
        return Wants(self.form, width, height, self.fit)

    def tensor(self, picture: npt.NDArray[np.uint8]) -> F32:
        """A picture (3, H, W) as the model takes it."""
        samples = picture.astype(np.float32)
        if self.divisor != 1.0:
            samples *= np.float32(1.0 / self.divisor)
        if any(self.mean) or self.std != (1.0, 1.0, 1.0):
            samples -= np.array(self.mean, np.float32)[:, None, None]
            samples /= np.array(self.std, np.float32)[:, None, None]
        return samples


FORMATS: Final = ("yolox", "yolox_decoded", "yolov5", "yolov8", "end2end", "fastestdet", "rtdetr", "detr", "rfdetr")
"""What ``format`` may say besides ``auto``."""

_IMAGENET: Final = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def recognise(
    model: str, inputs: Sequence[Port], outputs: Sequence[Port], size: tuple[int, int], form: str = "auto"
) -> Layout:
    """The layout of a model.

    Args:
        model: What messages call it.
        inputs: Its inputs.
        outputs: Its outputs.
        size: Width and height of its picture.
        form: ``auto``, or one of ``FORMATS`` to insist on.

    Raises:
        InvalidInputError: The layout is not known, or not the one insisted on.
    """
    found = _candidates(inputs, outputs, size)
    if form != "auto":
        found = [layout for layout in found if layout.name == form]
    elif any(layout.name == "yolox" for layout in found):
        found = [layout for layout in found if layout.name != "yolox_decoded"]  # the exporter's default
    if len(found) == 1:
        return found[0]
    shapes = ", ".join(f"{o.name} {_show(o.shape)}" for o in outputs)
    there = f"model {model}: found outputs {shapes} for a picture of {size[0]}x{size[1]}"
    if found:
        raise InvalidInputError(
            f"{there}, which several layouts have; expected `format` in [camera.detect] to say which: "
            f"{', '.join(layout.name for layout in found)}"
        )
    wanted = f"those of format {form}" if form != "auto" else f"those of {', '.join(FORMATS)}"
    raise InvalidInputError(f"{there}, expected {wanted} with one picture")


def picture_size(model: str, inputs: Sequence[Port], asked: object, stated: str | None) -> tuple[int, int]:
    """Width and height of a model's picture.

    Args:
        model: What messages call it.
        inputs: Its inputs; the first takes the picture.
        asked: What the site file says, of a model that leaves them open: width and height.
        stated: The model's own ``imgsz``, as Ultralytics writes it: rows and columns.

    Raises:
        InvalidInputError: The input is no picture's, or the size asked for is none.
    """
    shape = inputs[0].shape if inputs else ()
    if len(shape) != 4 or shape[1] not in (3, None):
        raise InvalidInputError(
            f"model {model}: found an input of shape {list(shape)}, expected [batch, 3, rows, columns]"
        )
    height, width = shape[2], shape[3]
    if height is not None and width is not None:
        return width, height
    if asked is None and stated is not None:
        try:
            rows, columns = (int(n) for n in stated.strip("[] ").split(","))
        except ValueError:
            return 640, 640
        return columns, rows
    asked = asked or [640, 640]
    match asked:
        case [int(columns), int(rows)] if 32 <= columns <= 4096 and 32 <= rows <= 4096:
            return columns, rows
    raise InvalidInputError(f"model {model}: found size {asked}, expected [width, height] in pixels")


def _show(shape: tuple[int | None, ...]) -> str:
    return "[" + ", ".join("?" if n is None else str(n) for n in shape) + "]"


def _candidates(inputs: Sequence[Port], outputs: Sequence[Port], size: tuple[int, int]) -> list[Layout]:
    by_name = {port.name: port.shape for port in outputs}
    if {"labels", "boxes", "scores"} <= by_name.keys() and len(inputs) == 2:
        return [_detr(inputs[1].name)]
    if {"dets", "labels"} <= by_name.keys():
        match by_name["labels"]:
            case [_, _, int(classes)]:
                return [_rfdetr(classes)]
        return []
    if len(outputs) != 1 or not outputs[0].shape:
        return []
    name, (_, *shape) = outputs[0]
    cells = sum((size[0] // s) * (size[1] // s) for s in (8, 16, 32))
    match shape:
        case [int(rows), int(height), int(width)] if rows > 5:
            right = (size[0] // 16, size[1] // 16) == (width, height)
            return [_fastestdet(name, rows - 5, (width, height))] if right else []
        case [count, 6] if count is None or count <= 1000:
            return [_end2end(name)]
        case [int(count), int(columns)] if count == cells and columns > 5:
            return [_yolox(name, columns - 5, decoded=False), _yolox(name, columns - 5, decoded=True)]
        case [int(count), int(columns)] if count == 3 * cells and columns > 5:
            return [_yolov5(name, columns - 5)]
        case [int(rows), int(count)] if count == cells and 4 < rows < count:
            return [_yolov8(name, rows - 4)]
        case [int(count), int(columns)] if count <= 1000 and columns > 4:
            return [_rtdetr(name, columns - 4)]
    return []


def _corners(centre: F32, size: F32) -> F32:
    half = size * np.float32(0.5)
    return np.concatenate([centre - half, centre + half], axis=1)


def _sigmoid(x: F32) -> F32:
    with np.errstate(over="ignore"):
        return (1.0 / (1.0 + np.exp(-x))).astype(np.float32)


def _grid(size: tuple[int, int]) -> tuple[F32, F32]:
    """Column and row of every cell of strides 8, 16, 32, and its stride."""
    cells, strides = [], []
    for stride in (8, 16, 32):
        columns, rows = size[0] // stride, size[1] // stride
        y, x = np.mgrid[:rows, :columns]
        cells.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides.append(np.full((rows * columns, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)


def _yolox(name: str, classes: int, *, decoded: bool) -> Layout:
    """Megvii's export: cells not decoded unless asked for; objectness times class, both already 0–1."""
    grids: dict[tuple[int, int], tuple[F32, F32]] = {}

    def decode(outputs: Mapping[str, F32], size: tuple[int, int]) -> Raw:
        rows = outputs[name]
        centre, extent = rows[:, :2], rows[:, 2:4]
        if not decoded:
            cells, strides = grids.setdefault(size, _grid(size))
            with np.errstate(over="ignore"):
                centre, extent = (centre + cells) * strides, np.exp(extent) * strides
        return _corners(centre, extent), rows[:, 5:] * rows[:, 4:5]

    label = "yolox_decoded" if decoded else "yolox"
    return Layout(label, "bgr", "corner", 1.0, classes, suppress=True, decode=decode)


def _yolov5(name: str, classes: int) -> Layout:
    """YOLOv5 and v7 with their own head: centre and size in pixels, objectness, classes."""

    def decode(outputs: Mapping[str, F32], size: tuple[int, int]) -> Raw:  # noqa: ARG001
        rows = outputs[name]
        return _corners(rows[:, :2], rows[:, 2:4]), rows[:, 5:] * rows[:, 4:5]

    return Layout("yolov5", "rgb", "letterbox", 255.0, classes, suppress=True, decode=decode)


def _yolov8(name: str, classes: int) -> Layout:
    """YOLOv8 to v12: a column for each cell, no objectness."""

    def decode(outputs: Mapping[str, F32], size: tuple[int, int]) -> Raw:  # noqa: ARG001
        rows = outputs[name].T
        return _corners(rows[:, :2], rows[:, 2:4]), rows[:, 4:]

    return Layout("yolov8", "rgb", "letterbox", 255.0, classes, suppress=True, decode=decode)


def _end2end(name: str) -> Layout:
    """YOLOv10, YOLO26 and exports with suppression inside: x1 y1 x2 y2 score class."""

    def decode(outputs: Mapping[str, F32], size: tuple[int, int]) -> Raw:  # noqa: ARG001
        rows = outputs[name]
        return rows[:, :4], _one_hot(rows[:, 5], rows[:, 4])

    return Layout("end2end", "rgb", "letterbox", 255.0, 0, suppress=False, decode=decode)


def _fastestdet(name: str, classes: int, grid: tuple[int, int]) -> Layout:
    """One cell per 16 pixels: objectness, offsets by tanh, size by sigmoid, classes."""
    y, x = np.mgrid[: grid[1], : grid[0]]
    cells = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float32)
    count = np.array(grid, np.float32)

    def decode(outputs: Mapping[str, F32], size: tuple[int, int]) -> Raw:
        rows = outputs[name].reshape(5 + classes, -1).T
        whole = np.array(size, np.float32)
        centre = (cells + np.tanh(rows[:, 1:3])) / count * whole
        return _corners(centre, _sigmoid(rows[:, 3:5]) * whole), rows[:, 5:] * rows[:, 0:1]

    return Layout("fastestdet", "bgr", "stretch", 255.0, classes, suppress=True, decode=decode)


def _rtdetr(name: str, classes: int) -> Layout:
    """RT-DETR as Ultralytics exports it: centre and size as shares of the picture, classes already 0–1."""

    def decode(outputs: Mapping[str, F32], size: tuple[int, int]) -> Raw:
        rows = outputs[name]
        return _corners(rows[:, :2], rows[:, 2:4]) * np.array([*size, *size], np.float32), rows[:, 4:]

    return Layout("rtdetr", "rgb", "stretch", 255.0, classes, suppress=False, decode=decode)


def _detr(size_input: str) -> Layout:
    """RT-DETR and D-FINE of their authors: labels, boxes and scores for the size they are told."""

    def decode(outputs: Mapping[str, F32], size: tuple[int, int]) -> Raw:  # noqa: ARG001
        return outputs["boxes"], _one_hot(outputs["labels"], outputs["scores"])

    return Layout("detr", "rgb", "stretch", 255.0, 0, suppress=False, decode=decode, size_input=size_input)


def _rfdetr(classes: int) -> Layout:
    """RF-DETR: boxes as shares of the picture, one logit a class."""

    def decode(outputs: Mapping[str, F32], size: tuple[int, int]) -> Raw:
        boxes = outputs["dets"]
        corners = _corners(boxes[:, :2], boxes[:, 2:4]) * np.array([*size, *size], np.float32)
        return corners, _sigmoid(outputs["labels"])

    mean, std = _IMAGENET
    return Layout("rfdetr", "rgb", "stretch", 255.0, classes, suppress=False, decode=decode, mean=mean, std=std)


_MOST_CLASSES: Final = 1000


def _one_hot(labels: npt.NDArray[np.generic], scores: F32) -> F32:
    """Scores in the column of their label; of a label that is no class nothing remains."""
    numbers = np.asarray(labels, np.float64)
    sound = np.isfinite(numbers) & (numbers >= 0) & (numbers < _MOST_CLASSES)
    columns = np.where(sound, numbers, 0).astype(np.intp)
    out = np.zeros((len(columns), int(columns.max(initial=0)) + 1), np.float32)
    out[np.arange(len(columns)), columns] = np.where(sound, scores, 0)
    return out

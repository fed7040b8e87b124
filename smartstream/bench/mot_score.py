"""HOTA, IDF1 and identity switches of tracks against labelled boxes, by TrackEval.

Sources: Luiten et al. 2021, HOTA; Ristani et al. 2016, IDF1; Bernardin and Stiefelhagen 2008, CLEAR MOT;
rules of the KITTI tracking benchmark (Geiger et al. 2012) for labels that are neither rewarded nor punished.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from smartstream.errors import InvalidInputError, MissingExtraError

Boxes = npt.NDArray[np.float64]
_SMALL_PX: Final = 25
"""KITTI: unmatched output up to this height is not judged."""
_OCCLUDED: Final = 2
"""KITTI: labels occluded more than this are not judged."""


class LabelledSequence(msgspec.Struct, frozen=True, kw_only=True):
    """One labelled sequence in MOT Challenge layout.

    Attributes:
        name: Folder name.
        detections: Path of ``det.txt``.
        frames: Number of frames.
        fps: Frames per second.
        labels: Per frame: identity, ltwh box, whether it is judged.
        ignored: Per frame: ltwh boxes and their class, KITTI only.
        kitti: Judged by the rules of the KITTI benchmark; otherwise every box counts.
    """

    name: str
    detections: Path
    frames: int
    fps: float
    labels: Mapping[int, Sequence[tuple[int, list[float], bool]]]
    ignored: Mapping[int, Sequence[tuple[list[float], str]]]
    kitti: bool


class Scores(msgspec.Struct, frozen=True):
    """Of one tracker over a whole set, in percent where not a count."""

    hota: float
    deta: float
    assa: float
    mota: float
    idf1: float
    switches: int


def read_set(folder: Path) -> list[LabelledSequence]:
    """Read every sequence of a set: ``kind.txt`` and, per folder, ``info.txt``, ``det.txt``, ``gt.txt``.

    Raises:
        InvalidInputError: The folder or a file of it is missing or malformed; names it.
    """
    if not (folder / "kind.txt").is_file():
        raise InvalidInputError(f"{folder}: no kind.txt; expected a set of sequences in MOT Challenge layout")
    kitti = (folder / "kind.txt").read_text().strip() == "kitti"
    return [_read_sequence(path, kitti=kitti) for path in sorted(folder.iterdir()) if path.is_dir()]


def _read_sequence(folder: Path, *, kitti: bool) -> LabelledSequence:
    try:
        info = dict(line.split("=", 1) for line in (folder / "info.txt").read_text().split())
        labels: dict[int, list[tuple[int, list[float], bool]]] = defaultdict(list)
        for row in _rows(folder / "gt.txt"):
            judged = not (kitti and (float(row[8]) > 0 or float(row[9]) > _OCCLUDED))
            labels[int(float(row[0]))].append((int(float(row[1])), [float(v) for v in row[2:6]], judged))
        ignored: dict[int, list[tuple[list[float], str]]] = defaultdict(list)
        for row in _rows(folder / "ignore.txt") if kitti else []:
            ignored[int(row[0])].append(([float(v) for v in row[1:5]], row[5]))
        return LabelledSequence(
            name=folder.name,
            detections=folder / "det.txt",
            frames=int(info["frames"]),
            fps=float(info["fps"]),
            labels=dict(labels),
            ignored=dict(ignored),
            kitti=kitti,
        )
    except (OSError, ValueError, KeyError, IndexError) as e:
        raise InvalidInputError(f"{folder}: {type(e).__name__}: {e}") from None


def _rows(path: Path) -> list[list[str]]:
    return [line.strip().split(",") for line in path.read_text().splitlines() if line.strip()]


Tracked = Mapping[int, Sequence[tuple[int, Sequence[float]]]]
"""Frame to the identities reported in it, each with its ltwh box."""


def score_set(sequences: Sequence[LabelledSequence], results: Sequence[Tracked]) -> Scores:
    """Score one tracker's output over a set, the sequences combined as TrackEval does.

    Raises:
        MissingExtraError: The library TrackEval is missing.
    """
    for removed, now in (("float", float), ("int", int), ("bool", bool)):
        if removed not in np.__dict__:
            setattr(np, removed, now)  # TrackEval still writes the aliases that NumPy removed
    try:
        from trackeval.metrics import CLEAR, HOTA, Identity
    except ImportError:
        raise MissingExtraError("scoring by TrackEval", "bench") from None
    quiet = {"PRINT_CONFIG": False}
    metrics = [HOTA(), CLEAR(quiet), Identity(quiet)]
    data = [_comparison(sequence, tracked) for sequence, tracked in zip(sequences, results, strict=True)]
    hota, clear, identity = (
        m.combine_sequences({str(i): m.eval_sequence(d) for i, d in enumerate(data)}) for m in metrics
    )
    return Scores(
        hota=100 * float(np.mean(hota["HOTA"])),
        deta=100 * float(np.mean(hota["DetA"])),
        assa=100 * float(np.mean(hota["AssA"])),
        mota=100 * float(clear["MOTA"]),
        idf1=100 * float(identity["IDF1"]),
        switches=int(clear["IDSW"]),
    )


def _comparison(sequence: LabelledSequence, tracked: Tracked) -> dict[str, Any]:
    """The structure TrackEval's metrics take: identities numbered from 0, similarities frame by frame."""
    numbers: tuple[dict[int, int], dict[int, int]] = ({}, {})
    columns: dict[str, list[npt.NDArray[Any]]] = {"gt_ids": [], "tracker_ids": [], "similarity_scores": []}
    for frame in range(1, sequence.frames + 1):
        labels, rows = sequence.labels.get(frame, ()), tracked.get(frame, ())
        truth = _boxes([box for _, box, _ in labels])
        found = _boxes([box for _, box in rows])
        judged = np.array([j for _, _, j in labels], bool)
        keep = np.ones(len(found), bool)
        if sequence.kitti:
            keep = _judged_output(truth, judged, found, sequence.ignored.get(frame, ()))
        columns["gt_ids"].append(_number([i for (i, _, j) in labels if j], numbers[0]))
        columns["tracker_ids"].append(_number([i for (i, _), k in zip(rows, keep, strict=True) if k], numbers[1]))
        columns["similarity_scores"].append(_iou(truth[judged], found[keep]))
    return {
        **columns,
        "num_timesteps": sequence.frames,
        "num_gt_dets": sum(map(len, columns["gt_ids"])),
        "num_tracker_dets": sum(map(len, columns["tracker_ids"])),
        "num_gt_ids": len(numbers[0]),
        "num_tracker_ids": len(numbers[1]),
    }


def _judged_output(
    truth: Boxes, judged: npt.NDArray[np.bool_], found: Boxes, ignored: Sequence[tuple[list[float], str]]
) -> npt.NDArray[np.bool_]:
    """Which output counts: not what matches a label that is not judged, nor small or hidden leftovers."""
    keep = np.ones(len(found), bool)
    from scipy.optimize import linear_sum_assignment

    vans = _boxes([box for box, kind in ignored if kind == "Van"])
    similarity = _iou(np.concatenate([truth, vans]), found)
    similarity[similarity < 0.5 - 1e-9] = 0
    unmatched = np.ones(len(found), bool)
    for i, j in zip(*linear_sum_assignment(-similarity), strict=True):
        if similarity[i, j] > 0:
            unmatched[j] = False
            keep[j] = i < len(truth) and judged[i]
    keep &= ~(unmatched & (found[:, 3] <= _SMALL_PX))
    regions = _boxes([box for box, kind in ignored if kind == "DontCare"])
    if len(regions) and len(found):
        inside = _shared(found, regions) / np.maximum(found[:, 2] * found[:, 3], 1e-9)[:, None]
        keep &= ~(unmatched & (inside.max(axis=1) > 0.5))
    return keep


def _boxes(boxes: Sequence[Sequence[float]]) -> Boxes:
    return np.array(boxes, np.float64).reshape(-1, 4)


def _number(identities: Sequence[int], numbers: dict[int, int]) -> npt.NDArray[np.int64]:
    return np.array([numbers.setdefault(i, len(numbers)) for i in identities], np.int64)


def _shared(a: Boxes, b: Boxes) -> Boxes:
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, :2] + a[:, None, 2:], b[None, :, :2] + b[None, :, 2:])
    area: Boxes = np.prod(np.clip(high - low, 0, None), axis=2)
    return area


def _iou(a: Boxes, b: Boxes) -> Boxes:
    shared = _shared(a, b)
    union: Boxes = (a[:, 2] * a[:, 3])[:, None] + (b[:, 2] * b[:, 3])[None] - shared
    ratio: Boxes = shared / np.maximum(union, 1e-9)
    return ratio

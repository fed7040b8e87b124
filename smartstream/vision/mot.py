"""Detection and result files of the MOT Challenge.

Source: Milan et al. 2016, MOT16: A Benchmark for Multi-Object Tracking, section 4.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from smartstream._core import Tracks
from smartstream.errors import InvalidInputError

_EXPECTED: Final = "frame,id,left,top,width,height[,score,…] with numbers"
_LAST_FRAME: Final = 2**40
"""Frame numbers beyond this are a mistake in the file."""


class MotDetections(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """N detections, ordered by frame; within a frame as in the file.

    Attributes:
        frame: (N,) int64.
        box: (N, 4) float32, x1 y1 x2 y2 in the file's unit.
        score: (N,) float32, 0-1.
    """

    frame: npt.NDArray[np.int64]
    box: npt.NDArray[np.float32]
    score: npt.NDArray[np.float32]


def read_mot_detections(path: Path, *, ignore_scores: bool = False) -> MotDetections:
    """Read ``frame,id,left,top,width,height[,score,…]`` lines, in any order of frames.

    A missing score and the score -1 mean certain. Boxes of no size stay: the tracker drops and counts them.

    Args:
        path: The file.
        ignore_scores: Take every detection as certain, whatever the file says.

    Raises:
        InvalidInputError: The file cannot be read, or a line is not of the format; names the first such line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as e:
        reason = e.strerror if isinstance(e, OSError) else "not a text file"
        raise InvalidInputError(f"{path}: {reason}; expected a MOT Challenge file") from None
    rows: list[tuple[float, float, float, float, float, float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            rows.append(_detection(line, ignore_scores=ignore_scores))
        except ValueError as e:
            raise InvalidInputError(f"{path}:{number}: {e}") from None
    table = np.array(rows, dtype=np.float64).reshape(-1, 6)
    table = table[np.argsort(table[:, 0], kind="stable")]
    corners = np.concatenate([table[:, 1:3], table[:, 1:3] + table[:, 3:5]], axis=1)
    return MotDetections(
        frame=table[:, 0].astype(np.int64),
        box=np.ascontiguousarray(np.clip(corners, -1e30, 1e30), dtype=np.float32),
        score=np.ascontiguousarray(table[:, 5], dtype=np.float32),
    )


def _detection(line: str, *, ignore_scores: bool) -> tuple[float, float, float, float, float, float]:
    fields = line.split(",")
    if len(fields) < 6:
        raise ValueError(f"found {len(fields)} fields in {line[:60]!r}, expected {_EXPECTED}")
    try:
        frame, left, top, width, height = (float(fields[i]) for i in (0, 2, 3, 4, 5))
        score = float(fields[6]) if len(fields) > 6 else 1.0
    except ValueError:
        raise ValueError(f"found {line[:60]!r}, expected {_EXPECTED}") from None
    if not (frame.is_integer() and 0 <= frame <= _LAST_FRAME):
        raise ValueError(f"found frame {fields[0].strip()!r}, expected a whole number from 0")
    if ignore_scores or score == -1:
        score = 1.0
    if not 0 <= score <= 1:
        found = f"found score {fields[6].strip()}, expected 0 to 1 (or -1 for none)"
        raise ValueError(f"{found}; --ignore-scores takes every detection as certain")
    return frame, left, top, width, height, score


def write_mot_result(path: Path, frame: npt.NDArray[np.int64], tracks: Tracks) -> None:
    """Write ``frame,id,left,top,width,height,score,-1,-1,-1`` lines.

    Raises:
        InvalidInputError: The file cannot be written.
    """
    left, top, right, bottom = tracks.box.astype(np.float64).T.tolist()
    lines = (
        f"{f},{i},{x1:.2f},{y1:.2f},{x2 - x1:.2f},{y2 - y1:.2f},{s:.4f},-1,-1,-1\n"
        for f, i, x1, y1, x2, y2, s in zip(
            frame.tolist(),
            tracks.track.tolist(),
            left,
            top,
            right,
            bottom,
            tracks.score.tolist(),
            strict=True,
        )
    )
    try:
        with path.open("w", encoding="ascii") as file:
            file.writelines(lines)
    except OSError as e:
        raise InvalidInputError(f"{path}: {e.strerror}") from None

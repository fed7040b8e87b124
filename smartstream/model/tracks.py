"""Tracks of consecutive frames in columns; twin of ``ss_model::track``.

Wire layout (little endian): magic ``STB1``, u32 frames F, u32 rows R, u32 run, then the columns
i64 frame_ns[F], u64 frame_no[F], u32 row_end[F], u32 track[R], f32 box[4R], f32 score[R], u8 class[R],
u8 flags[R].
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from smartstream.errors import InvalidInputError

_HEADER: Final = struct.Struct("<4sIII")
_MAGIC: Final = b"STB1"
_COLUMNS: Final = (
    ("frame_ns", "<i8", 1, "f"),
    ("frame_no", "<u8", 1, "f"),
    ("row_end", "<u4", 1, "f"),
    ("track", "<u4", 1, "r"),
    ("box", "<f4", 4, "r"),
    ("score", "<f4", 1, "r"),
    ("class_code", "u1", 1, "r"),
    ("flags", "u1", 1, "r"),
)

DOUBTFUL: Final = 1
"""Flag: the identity may have passed to another road user in this frame."""
PREDICTED: Final = 2
"""Flag: no detection in this frame, the box is a prediction."""
CLASS_BY_SIZE: Final = 4
"""Flag: the class comes from the size of a blob, not from a classifier."""


class TrackBatch(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Tracks of F consecutive frames of one camera run, R rows in all.

    Attributes:
        run: Unbroken camera session the frames belong to.
        frame_ns: (F,) int64, event time of each frame, strictly rising.
        frame_no: (F,) uint64, number of each frame in its run.
        row_end: (F,) uint32, end of each frame's rows.
        track: (R,) uint32, number of the track within the run.
        box: (R, 4) float32, normalised x1 y1 x2 y2; may reach beyond the picture.
        score: (R,) float32, 0-1.
        class_code: (R,) uint8, index into ``VEHICLE_CLASSES``.
        flags: (R,) uint8, ``DOUBTFUL | PREDICTED | CLASS_BY_SIZE``.
    """

    run: int
    frame_ns: npt.NDArray[np.int64]
    frame_no: npt.NDArray[np.uint64]
    row_end: npt.NDArray[np.uint32]
    track: npt.NDArray[np.uint32]
    box: npt.NDArray[np.float32]
    score: npt.NDArray[np.float32]
    class_code: npt.NDArray[np.uint8]
    flags: npt.NDArray[np.uint8]

    def to_bytes(self) -> bytes:
        """The wire form."""
        parts = [_HEADER.pack(_MAGIC, len(self.frame_ns), len(self.track), self.run)]
        parts += [np.ascontiguousarray(getattr(self, name), dtype).tobytes() for name, dtype, _, _ in _COLUMNS]
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> TrackBatch:
        """Read the wire form back; the columns are views of ``data``.

        Raises:
            InvalidInputError: The bytes are not a whole batch.
        """
        if len(data) < _HEADER.size or data[:4] != _MAGIC:
            raise InvalidInputError(f"track batch: expected magic STB1 ({len(data)} bytes)")
        _, f, r, run = _HEADER.unpack_from(data)
        if len(data) != _HEADER.size + 20 * f + 26 * r:
            raise InvalidInputError(f"track batch: length does not match its counts ({len(data)} bytes)")
        columns, at = {}, _HEADER.size
        for name, dtype, width, per in _COLUMNS:
            n = (f if per == "f" else r) * width
            columns[name] = np.frombuffer(data, dtype, n, at)
            at += columns[name].nbytes
        columns["box"] = columns["box"].reshape(r, 4)
        return cls(run=run, **columns)

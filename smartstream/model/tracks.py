"""Tracks of consecutive frames in columns; twin of ``ss_model::track``.

Wire layout (little endian): magic ``STB1``, u32 frames F, u32 rows R, u32 run, then the columns
i64 frame_ns[F], u64 frame_no[F], u32 row_end[F], u32 track[R], f32 box[4R], f32 score[R], u8 class[R],
u8 flags[R]. ``STB2``, of live cameras, has both clocks after them: u8 quality, i64 arrival_ns, i64 offset_ns.
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
_MAGIC_CLOCKS: Final = b"STB2"
_CLOCKS: Final = struct.Struct("<Bqq")
_NO_OFFSET: Final = -(2**63)
_QUALITIES: Final = {1: "camera", 2: "arrival", 3: "camera_wrong"}
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


class ClockReading(msgspec.Struct, frozen=True):
    """Both clocks of a live camera at a frame.

    Attributes:
        quality: Where event time comes from: ``camera`` (its own clock by RTCP sender reports, in agreement with
            ours), ``arrival`` (ours: it tells none) or ``camera_wrong`` (ours: its own is too far off).
        arrival_ns: When the frame's packet came, by our clock.
        offset_ns: The camera's clock less ours, where it tells.
    """

    quality: str
    arrival_ns: int
    offset_ns: int | None


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
        clock: Both clocks at the last frame; of a live camera only.
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
    clock: ClockReading | None = None

    def to_bytes(self) -> bytes:
        """The wire form."""
        magic = _MAGIC if self.clock is None else _MAGIC_CLOCKS
        parts = [_HEADER.pack(magic, len(self.frame_ns), len(self.track), self.run)]
        parts += [np.ascontiguousarray(getattr(self, name), dtype).tobytes() for name, dtype, _, _ in _COLUMNS]
        if self.clock is not None:
            code = next(code for code, name in _QUALITIES.items() if name == self.clock.quality)
            offset = _NO_OFFSET if self.clock.offset_ns is None else self.clock.offset_ns
            parts.append(_CLOCKS.pack(code, self.clock.arrival_ns, offset))
        return b"".join(parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> TrackBatch:
        """Read the wire form back; the columns are views of ``data``.

        Raises:
            InvalidInputError: The bytes are not a whole batch.
        """
        if len(data) < _HEADER.size or data[:4] not in (_MAGIC, _MAGIC_CLOCKS):
            raise InvalidInputError(f"track batch: expected magic STB1 or STB2 ({len(data)} bytes)")
        _, f, r, run = _HEADER.unpack_from(data)
        clocks = _CLOCKS.size if data[:4] == _MAGIC_CLOCKS else 0
        if len(data) != _HEADER.size + 20 * f + 26 * r + clocks:
            raise InvalidInputError(f"track batch: length does not match its counts ({len(data)} bytes)")
        columns, at = {}, _HEADER.size
        for name, dtype, width, per in _COLUMNS:
            n = (f if per == "f" else r) * width
            columns[name] = np.frombuffer(data, dtype, n, at)
            at += columns[name].nbytes
        columns["box"] = columns["box"].reshape(r, 4)
        clock = None
        if clocks:
            quality, arrival_ns, offset_ns = _CLOCKS.unpack_from(data, at)
            if quality not in _QUALITIES:
                raise InvalidInputError(f"track batch: unknown clock quality {quality}")
            clock = ClockReading(_QUALITIES[quality], arrival_ns, None if offset_ns == _NO_OFFSET else offset_ns)
        return cls(run=run, clock=clock, **columns)

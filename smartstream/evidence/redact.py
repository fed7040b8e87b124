"""A copy of a case for others: everything but the accused vehicle made unrecognisable."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from smartstream import _core
from smartstream.errors import DataLossError, InvalidInputError, MissingExtraError, SmartstreamError, UnavailableError
from smartstream.evidence.canonical import canonical
from smartstream.evidence.cases import StoredCase
from smartstream.evidence.desk import Sample
from smartstream.evidence.pictures import Rgb, box_at, cv2
from smartstream.model.time import parse_instant

_CELLS: Final = 48
"""Of the picture's width: a face or a plate is less than one."""
_FLAT: Final = 1.0
"""A picture whose brightness deviates less shows nothing."""


def export(case: StoredCase, folder: Path) -> list[Path]:
    """Stills and clip with everything but the accused vehicle blurred, and the manifest without hashes of the rest.

    The clip and the stills as they are stay in the store. A picture in which nobody knows where the vehicle is, is
    blurred altogether.

    Raises:
        MissingExtraError: OpenCV is not installed.
        UnavailableError: It cannot read the clip.
        InvalidInputError: The folder cannot be written.
        DataLossError: A still of the case does not read.
    """
    if cv2 is None:
        raise MissingExtraError("blurring", "draw")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _export(case, folder)
    except OSError as e:
        raise InvalidInputError(f"{e.filename or folder}: cannot be written: {e.strerror}") from None


def _export(case: StoredCase, folder: Path) -> list[Path]:
    files, stills = [], []
    for still in case.manifest["stills"]:
        source, path = case.folder / still["file"], folder / f"{still['role']}.jpg"
        picture = cv2.imread(str(source))
        if picture is None:
            raise DataLossError(f"{source}: does not read; run smartstream verify")
        path.write_bytes(cv2.imencode(".jpg", redact(picture, still.get("box")))[1].tobytes())
        files.append(path)
        stills.append({name: still[name] for name in ("role", "time") if name in still} | {"file": path.name})
    clip = case.manifest.get("clip")
    if clip is not None:
        files.append(folder / "clip.avi")
        samples = [Sample(parse_instant(at), frame, tuple(box)) for at, frame, box in case.manifest["trajectory"]]
        redact_clip(case.folder / clip["file"], files[-1], samples, first_ns=parse_instant(clip["first"]))
    kept = ("evidence_id", "kind", "site", "junction", "camera", "lane", "class", "clocks", "clauses", "explanation")
    told: dict[str, Any] = {name: case.manifest[name] for name in kept} | {"stills": stills, "redacted": True}
    told |= {} if clip is None else {"clip": {"file": "clip.avi", "first": clip["first"], "reencoded": True}}
    manifest = folder / "case.json"
    manifest.write_bytes(msgspec.json.format(canonical(told), indent=2))
    return [*files, manifest]


def redact_clip(source: Path, target: Path, samples: Sequence[Sample], *, first_ns: int) -> int:
    """Write a clip of which only the vehicle of ``samples`` can be recognised; returns its frames.

    Motion JPEG in AVI: OpenCV encodes it in software everywhere, without a codec under patents or the GPL, and a
    frame that is blurred hides nothing in a frame before it.

    Args:
        source: The clip as it came.
        target: An ``.avi``.
        samples: Where the vehicle was, in order of time; no sample within a second: the whole frame is blurred.
        first_ns: Event time of the first frame.

    Raises:
        UnavailableError: The clip cannot be read or written.
    """
    reader = cv2.VideoCapture(str(source))
    reader.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)  # boxes lie in the picture as the camera coded it
    fps, frames = reader.get(cv2.CAP_PROP_FPS), 0
    size = (int(reader.get(cv2.CAP_PROP_FRAME_WIDTH)), int(reader.get(cv2.CAP_PROP_FRAME_HEIGHT)))
    writer = cv2.VideoWriter(str(target), cv2.VideoWriter_fourcc(*"MJPG"), fps if 1 <= fps <= 240 else 25.0, size)
    start_ms: float | None = None
    try:
        while reader.isOpened() and writer.isOpened():
            readable, picture = reader.read()
            if not readable:
                break
            at_ms = reader.get(cv2.CAP_PROP_POS_MSEC)
            start_ms = at_ms if start_ms is None else start_ms
            if not frames and not _is_first(picture, source):
                break
            box = box_at(samples, first_ns + round((at_ms - start_ms) * 1e6))
            writer.write(redact(picture, None if box is None else list(box)))
            frames += 1
    finally:
        reader.release()
        writer.release()
    if not frames:
        target.unlink(missing_ok=True)
        raise UnavailableError(f"{source.name}: this OpenCV cannot read the clip, or not write Motion JPEG")
    return frames


def _is_first(picture: Rgb, source: Path) -> bool:
    """Whether OpenCV shows what our own decoder does: of interlaced H.264 it gives what lay in memory."""
    try:
        luma = _core.still(str(source), 0.0).astype(np.float64)
    except SmartstreamError:
        return False
    if luma.shape != picture.shape[:2]:
        return False
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float64)
    flat = luma.std() < _FLAT
    return bool(flat if grey.std() < _FLAT else not flat and np.corrcoef(luma.ravel(), grey.ravel())[0, 1] > 0.5)


def redact(picture: Rgb, box: list[float] | None) -> Rgb:
    """A copy in which only ``box`` (normalised x1 y1 x2 y2) can be recognised."""
    height, width = picture.shape[:2]
    cells = (_CELLS, max(1, round(_CELLS * height / width)))
    coarse = cv2.resize(cv2.resize(picture, cells, interpolation=cv2.INTER_AREA), (width, height))
    out: Rgb = coarse.copy()
    if box is not None:
        x1, x2 = (int(np.clip(v * width, 0, width)) for v in (box[0], box[2]))
        y1, y2 = (int(np.clip(v * height, 0, height)) for v in (box[1], box[3]))
        out[y1:y2, x1:x2] = picture[y1:y2, x1:x2]
    return out

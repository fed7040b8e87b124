"""A copy of a case for others: everything but the accused vehicle made unrecognisable."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from smartstream.errors import UnavailableError
from smartstream.evidence.canonical import canonical
from smartstream.evidence.cases import StoredCase
from smartstream.evidence.pictures import Rgb, cv2

_CELLS: Final = 48
"""Of the picture's width: a face or a plate is less than one."""


def export(case: StoredCase, folder: Path) -> list[Path]:
    """Stills with everything but the accused vehicle blurred, and the manifest without file hashes of the rest.

    The clip and the stills as they are stay in the store. A still in which nobody knows where the vehicle is, is
    blurred altogether.

    Raises:
        UnavailableError: OpenCV is not installed.
        OSError: The folder cannot be written.
    """
    if cv2 is None:
        raise UnavailableError("blurring needs OpenCV: pip install 'smartstream[draw]'")
    folder.mkdir(parents=True, exist_ok=True)
    files, stills = [], []
    for still in case.manifest["stills"]:
        picture = cv2.imread(str(case.folder / still["file"]))
        path = folder / f"{still['role']}.jpg"
        cv2.imwrite(str(path), redact(picture, still.get("box")))
        files.append(path)
        stills.append({name: still[name] for name in ("role", "time") if name in still} | {"file": path.name})
    kept = ("evidence_id", "kind", "site", "junction", "camera", "lane", "class", "clocks", "clauses", "explanation")
    told: dict[str, Any] = {name: case.manifest[name] for name in kept} | {"stills": stills, "redacted": True}
    manifest = folder / "case.json"
    manifest.write_bytes(msgspec.json.format(canonical(told), indent=2))
    return [*files, manifest]


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

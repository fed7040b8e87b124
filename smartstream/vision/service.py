"""A detector at work: one thread that answers what the cameras of this process ask, batch by batch."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from smartstream import _core
from smartstream.errors import SmartstreamError
from smartstream.vision.detector import Detector, DetectorSettings, Nv12, open_detector

PATIENCE_S: Final = 0.01
"""How long the oldest picture of a batch may wait for others."""

_services: Final[dict[str, DetectorService]] = {}
_lock: Final = threading.Lock()


class DetectorService:
    """Answers from one detector; cameras reach it through ``hub``.

    Args:
        detector: Closed with the service.
        name: For the thread's name.
    """

    def __init__(self, detector: Detector, name: str) -> None:
        self.detector = detector
        self.hub = _core.DetectorHub()
        self._thread = threading.Thread(target=self._work, name=f"detector {name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer what has been taken, then nothing more."""
        self.hub.close()
        self._thread.join()

    def _work(self) -> None:
        try:
            while (questions := self.hub.take(self.detector.batch, PATIENCE_S)) is not None:
                self._answer(questions)
        finally:
            self.hub.close()
            self.detector.close()

    def _picture(self, question: _core.Question) -> npt.NDArray[np.uint8]:
        if self.detector.wants.form != "nv12":
            return question.picture
        return Nv12.of(question.picture, question.size, bt709=question.bt709, full_range=question.full_range)

    def _answer(self, questions: Sequence[_core.Question]) -> None:
        try:
            found = list(self.detector.detect([self._picture(q) for q in questions]))
            if len(found) != len(questions):
                raise ValueError(f"found {len(found)} answers for {len(questions)} pictures")  # noqa: TRY301
        except Exception as e:
            if len(questions) > 1:  # one camera's picture must not end the others
                for question in questions:
                    self._answer([question])
            else:
                questions[0].refuse(f"detector: {e if isinstance(e, SmartstreamError) else f'{type(e).__name__}: {e}'}")
            return
        for question, detections in zip(questions, found, strict=True):
            try:
                question.answer(detections.boxes, detections.scores, detections.classes)
            except Exception as e:
                question.refuse(f"detector: {e}")


def detector_service(name: str, settings: DetectorSettings) -> tuple[DetectorService, str]:
    """The service of a detector, and its identity; cameras with the same settings share one.

    Raises:
        InvalidInputError: The detector cannot be opened.
    """
    identity = settings.identity(name)
    with _lock:
        key = f"{identity}:{settings.provider}"
        if key not in _services:
            if not _services:
                atexit.register(_close_all)
            _services[key] = DetectorService(open_detector(name, settings), name)
        return _services[key], identity


def look_config(
    service: DetectorService, identity: str, *, rate_hz: float, gate: bool, refresh_s: float
) -> dict[str, Any]:
    """The ``look`` of a camera's configuration; see ``CameraRun``."""
    wants = service.detector.wants
    return {
        "picture": {
            "form": wants.form,
            "width": wants.width,
            "height": wants.height,
            "fit": wants.fit,
            "pad": wants.pad,
        },
        "rate_hz": rate_hz,
        "gate": gate,
        "refresh_s": refresh_s,
        "riders": service.detector.riders_apart,
        "identity": identity,
    }


def _close_all() -> None:
    for service in _services.values():
        service.close()
    _services.clear()

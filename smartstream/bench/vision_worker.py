"""One contestant on one clip, in a process of its own: ``python -m smartstream.bench.vision_worker NAME CLIP [SITE]``.

With a site file, what is found in the clip is judged by the rules of its first camera. Peers run as their
documentation shows, one thread where they let it be chosen.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final

from smartstream import _core
from smartstream.bench.judge import ByHand, Case
from smartstream.model.time import NS


def smartstream(path: str, case: Case | None = None) -> int:
    """Decode, detect, track and judge: what `smartstream run` does with a camera."""
    config: dict[str, Any] = {"camera": "bench", "files": [path], "start_time_ns": case.start_ns if case else 0}
    if case and case.camera.calibration:
        config["calibration"] = case.camera.calibration.model_dump(mode="json")
    engine = case.engine() if case else None
    run = _core.CameraRun(json.dumps(config).encode())
    ended = False
    while not ended:
        items = run.poll(100)
        for item in items:
            if engine and item[0] == "tracks":
                engine.tracks(0, item[3])
                engine.advance(item[2])
        ended = ("end",) in items
        time.sleep(0.02)
    if engine:
        engine.finish()
    return run.counts()["frames_seen"]


def decode(path: str, _case: Case | None = None) -> int:
    """Decode luma and times, nothing else."""
    return _core.scan(path)["frames_seen"]


def usual_chain(path: str, case: Case | None = None) -> int:
    """What people build: OpenCV's capture, MOG2 on a small gray picture, contours, ByteTrack, rules by hand."""
    return sum(1 for _ in chain(path, case))


def chain(path: str, case: Case | None, fps: float | None = None) -> Iterator[tuple[int, set[tuple[str, int]]]]:
    """The usual chain: number of each picture, and what was suspected so far (kind, track).

    Args:
        path: A file, or the address of a camera.
        case: What is judged; ``None``: nothing.
        fps: Of a camera that does not say.
    """
    cv2 = _opencv()
    import numpy as np
    import supervision
    from trackers import ByteTrackTracker

    capture = cv2.VideoCapture(path)
    fps = fps or capture.get(cv2.CAP_PROP_FPS)
    tracker = ByteTrackTracker(frame_rate=fps)
    rules = None
    background = cv2.createBackgroundSubtractorMOG2()
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    for number in count():
        read, picture = capture.read()
        if not read:
            return
        height, width = picture.shape[:2]
        if case and rules is None:
            rules = ByHand(case, (640, 640 * height // width))
        small = cv2.cvtColor(cv2.resize(picture, (640, 640 * height // width)), cv2.COLOR_BGR2GRAY)
        # 127 is MOG2's mark for shadow.
        _, mask = cv2.threshold(background.apply(small), 200, 255, cv2.THRESH_BINARY)
        mask = cv2.morphologyEx(cv2.morphologyEx(mask, cv2.MORPH_OPEN, kernel), cv2.MORPH_CLOSE, kernel)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        boxes = [cv2.boundingRect(c) for c in contours if cv2.contourArea(c) >= 100]
        xyxy = np.array([(x, y, x + w, y + h) for x, y, w, h in boxes], np.float32).reshape(-1, 4)
        found = supervision.Detections(
            xyxy=xyxy, confidence=np.ones(len(xyxy), np.float32), class_id=np.zeros(len(xyxy), int)
        )
        tracked = tracker.update(found)
        if case and rules and tracked.tracker_id is not None:
            rules.see(case.start_ns + round(number * NS / fps), tracked.xyxy, tracked.tracker_id)
        yield number, rules.suspected if rules else set()


def opencv_grab(path: str, _case: Case | None = None) -> int:
    """OpenCV's capture, pictures not converted."""
    capture = _opencv().VideoCapture(path)
    frames = 0
    while capture.grab():
        frames += 1
    return frames


def pyav(path: str, _case: Case | None = None) -> int:
    """PyAV, frames not converted."""
    import av

    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        return sum(1 for _ in container.decode(stream))


def _opencv() -> Any:
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = "threads;1"
    import cv2

    cv2.setNumThreads(1)
    return cv2


CONTESTANTS: Final[dict[str, Callable[..., int]]] = {
    f.__name__: f for f in (smartstream, decode, usual_chain, opencv_grab, pyav)
}
"""Frames seen in the clip at a path, judged as a case says where one is given."""

if __name__ == "__main__":
    print(CONTESTANTS[sys.argv[1]](sys.argv[2], *map(Case.load, sys.argv[3:4])))

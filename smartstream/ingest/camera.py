"""A camera, from files or live: the Rust chain (decode, detect, track) as a feed of track batches."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final, cast

from smartstream import _core
from smartstream.model.classes import SignalState
from smartstream.model.items import (
    DeadLetter,
    Gap,
    Health,
    Item,
    Mark,
    SignalChange,
    Signals,
    Tally,
    Tracks,
    lamp_side,
)
from smartstream.model.time import MAX_NS
from smartstream.observe.logging import get_logger
from smartstream.observe.metrics import count_dropped_frames

_log = get_logger("camera")
RINGS: Final[dict[str, _core.PacketRing]] = {}
"""The recent past of every camera that this process reads, by its id."""


class CameraFeed:
    """Track batches of one camera, as its worker thread gets them ready; never blocks.

    Args:
        side: The camera's id.
        config: What ``CameraRun`` wants to know, as JSON fields.
        state_dir: Where the vision state is kept between stops; ``None`` keeps none.
        paced: Hand out one batch a turn, so that the pace is smooth.
        hub: The way to the detector that ``config`` names; ``None`` for the motion detector.
        resume: What ``snapshot`` returned.
    """

    def __init__(
        self,
        *,
        side: str,
        config: dict[str, Any],
        state_dir: Path | None,
        paced: bool,
        hub: _core.DetectorHub | None = None,
        resume: dict[str, Any] | None = None,
    ) -> None:
        state = resume or {}
        self.side = side
        self._lamps = lamp_side(side) if config.get("heads") else None
        self._batches = 1 if paced else 16
        self.position_ns: int = state.get("position_ns", config["start_time_ns"] - 1)
        self.ended: bool = state.get("ended", False)
        self.counts: dict[str, int] = state.get("counts", {})
        self._run = None
        if not self.ended:
            if state_dir is not None:
                state_dir.mkdir(parents=True, exist_ok=True)
            text = json.dumps(config, sort_keys=True).encode()
            self._run = _core.CameraRun(text, state.get("token"), str(state_dir) if state_dir else None, hub)
            RINGS[side] = self._run.ring()

    @property
    def _sides(self) -> tuple[str, ...]:
        return (self.side,) if self._lamps is None else (self.side, self._lamps)

    @property
    def items(self) -> int:
        """Frames decoded so far."""
        return self.counts.get("frames_decoded", 0)

    def read(self) -> list[Item]:
        """What is ready now."""
        if self._run is None:
            return []
        out: list[Item] = []
        for found in self._run.poll(self._batches):
            match found:
                case ("tracks", first_ns, last_ns, batch):
                    out.append(Tracks(self.side, first_ns, last_ns, batch))
                    self.position_ns = last_ns
                case ("lamps", changes, settled_ns) if self._lamps is not None:
                    read = tuple(
                        SignalChange(at, group, cast(SignalState, state), after, sure)
                        for group, state, after, at, sure in changes
                    )
                    out.append(Signals(self._lamps, read, settled_ns))
                case ("dead", stage, reason, at_ns, place, detail, count):
                    out.append(DeadLetter(stage, reason, self.side, at_ns, place, detail, count=count))
                    shed = reason.startswith("shed_")
                    count_dropped_frames(camera=self.side, stage=stage, reason=reason, intentional=shed, count=count)
                case ("gap", run, at_ns, reason):
                    out.append(Gap(self.side, run, at_ns, reason))
                case ("health", what, verb, at_ns, detail):
                    out.append(Health(self.side, what, verb, at_ns, detail))
                    _log.warning("camera health", side=self.side, what=what, verb=verb, detail=detail)
                case ("sight", what, verb, since_ns, found_ns, detail, shift):
                    out.append(Health(self.side, what, verb, since_ns, detail, found_ns, shift))
                    _log.warning("camera health", side=self.side, what=what, verb=verb, detail=detail)
                case ("idle", at_ns):
                    self.position_ns = max(self.position_ns, at_ns)
                    out += [Mark(side, at_ns, idle=True) for side in self._sides]
                case ("note", what, text):
                    _log.warning(what, detail=text)
                case ("end",):
                    self.ended = True
                    out += [Mark(side, MAX_NS) for side in self._sides]
        if out:
            self.counts = self._run.counts()
            out.append(Tally(self.side, dict(self.counts)))
        return out

    def snapshot(self) -> dict[str, Any]:
        """Where to go on after the last batch handed out."""
        return {
            "position_ns": self.position_ns,
            "ended": self.ended,
            "counts": dict(self.counts),
            "token": None if self._run is None else self._run.position(),
        }

    def close(self) -> None:
        """Stop the worker thread."""
        if self._run is not None:
            self._run.close()

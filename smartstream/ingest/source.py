"""Every source of a site as one Bytewax source: a partition each for cameras and feeds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import structlog
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from smartstream.errors import SmartstreamError
from smartstream.ingest.board import Board
from smartstream.model.items import Health, Item, Mark, Tally
from smartstream.model.time import MAX_NS, MIN_NS
from smartstream.observe.metrics import tell_event_time

STOP: Final = threading.Event()
"""Set by a signal handler: every source ends its input, so that Bytewax drains and takes a last snapshot."""

_WAIT: Final = timedelta(milliseconds=5)
_log: Final = structlog.get_logger("ingest")


class Feed(Protocol):
    """A source that is read in turns and can say where it stands."""

    side: str
    ended: bool

    @property
    def position_ns(self) -> int:
        """Newest event time handed out."""

    @property
    def items(self) -> int:
        """Frames or lines so far."""

    @property
    def counts(self) -> dict[str, int]:
        """Running totals, for the ledger."""

    def read(self) -> list[Item]:
        """What is ready now; never blocks."""

    def snapshot(self) -> dict[str, Any]:
        """Where to go on after the last ``read``; a copy."""

    def close(self) -> None:
        """Free files and threads."""


@dataclass(frozen=True)
class SideSpec:
    """One source of a site.

    Attributes:
        side: Its name, also the Bytewax partition.
        junction: Where its items belong, the key of the stream.
        open: Opens it, fresh (``None``) or from a snapshot.
        start_ns: Event time of its first item, for pacing; ``None`` when it does not pace the run.
        beside: Other sides whose items it brings, too.
    """

    side: str
    junction: str
    open: Callable[[dict[str, Any] | None], Feed]
    start_ns: int | None
    beside: tuple[str, ...] = ()


class SiteSource(FixedPartitionedSource[tuple[str, Item], dict[str, Any]]):
    """Sources of a site; items come out as (junction, item)."""

    def __init__(self, sides: Mapping[str, SideSpec], board: Board) -> None:
        self._sides = sides
        self._board = board

    def list_parts(self) -> list[str]:
        """Every side: any worker can open any file."""
        return list(self._sides)

    def build_part(self, step_id: str, for_part: str, resume_state: dict[str, Any] | None) -> _Partition:
        """Open one side."""
        return _Partition(self._sides[for_part], self._board, resume_state)


class _Partition(StatefulSourcePartition[tuple[str, Item], dict[str, Any]]):
    def __init__(self, spec: SideSpec, board: Board, resume: dict[str, Any] | None) -> None:
        self._spec = spec
        self._board = board
        self._awake: datetime | None = None
        self._greeted = False
        self._feed = spec.open(resume)
        begun = resume is not None and self._feed.position_ns != MIN_NS
        start = self._feed.position_ns if begun else spec.start_ns
        board.begin(spec.side, MIN_NS + 1 if start is None else start)
        if self._feed.ended:
            board.finish(spec.side)

    def next_batch(self) -> list[tuple[str, Item]]:
        """What the side has ready, unless it must wait for its time or for slower sides."""
        self._awake = None
        if not self._greeted:  # every side stands in the ledger, even one that has nothing to say any more
            self._greeted = True
            return [(self._spec.junction, Tally(self._spec.side, dict(self._feed.counts)))]
        if STOP.is_set() or self._feed.ended:
            raise StopIteration
        if self._feed.position_ns >= self._board.allowed_ns(self._spec.side):
            self._awake = datetime.now(UTC) + _WAIT
            return []
        try:
            items = self._feed.read()
        except SmartstreamError as e:
            items = self._lost(str(e))
        if not items:
            self._awake = datetime.now(UTC) + _WAIT
        self._board.advance(self._spec.side, self._feed.position_ns, self._feed.items)
        tell_event_time(self._spec.side, self._feed.position_ns)
        if self._feed.ended:
            self._board.finish(self._spec.side)
        return [(self._spec.junction, item) for item in items]

    def _lost(self, why: str) -> list[Item]:
        """A source that fails after it started is a health event; the rest runs on."""
        _log.error("source lost", side=self._spec.side, why=why)
        self._feed.ended = True
        at_ns = max(self._feed.position_ns, 0)
        sides = (self._spec.side, *self._spec.beside)
        return [Health(self._spec.side, "lost", "opened", at_ns, why), *(Mark(side, MAX_NS) for side in sides)]

    def next_awake(self) -> datetime | None:
        return self._awake

    def snapshot(self) -> dict[str, Any]:
        return self._feed.snapshot()

    def close(self) -> None:
        self._feed.close()

"""The ledger: what a run decided, counted so that nothing can be missing unnoticed.

Candidates of a rule are its first verdicts: suspected + undecided + suppressed (+ estimated for speeding).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from bytewax.outputs import StatefulSinkPartition

from smartstream.errors import InvalidInputError, UnavailableError
from smartstream.model.event import CloudEvent
from smartstream.model.items import Tally
from smartstream.model.state import check_version
from smartstream.observe.metrics import count_event
from smartstream.sinks.one_partition import OnePartitionSink

_VERSION: Final = 1
_VERDICTS: Final = ("suspected", "undecided", "suppressed")


class RuleCount(msgspec.Struct):
    """Verdicts of one rule kind."""

    candidates: int = 0
    suspected: int = 0
    undecided: int = 0
    suppressed: int = 0
    estimated: int = 0
    retracted: int = 0
    revised: int = 0


class Ledger(msgspec.Struct):
    """The counts of a run; as JSON it is the ``--summary`` file.

    Attributes:
        site: Site id.
        complete: Whether every source was read to its end; False for a run that was stopped.
        rules: By rule kind.
        not_armed: Rule kinds that did not run, and why.
        crossings: By ``camera/line``, class and direction.
        dead_letters: By stage and reason.
        events: By ``class.kind.verb``.
        sides: The newest running totals of each source.
    """

    site: str = ""
    complete: bool = False
    rules: dict[str, RuleCount] = msgspec.field(default_factory=dict)
    not_armed: dict[str, str] = msgspec.field(default_factory=dict)
    crossings: dict[str, dict[str, dict[str, int]]] = msgspec.field(default_factory=dict)
    dead_letters: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    events: dict[str, int] = msgspec.field(default_factory=dict)
    sides: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)

    def add(self, item: CloudEvent | Tally) -> None:
        """Count one item."""
        if isinstance(item, Tally):
            self.sides[item.side] = dict(item.counts)
            return
        _, _, class_, kind, verb, _ = item.type.split(".")
        name, data = f"{class_}.{kind}.{verb}", item.data
        self.events[name] = self.events.get(name, 0) + 1
        if class_ == "violation":
            self._verdict(kind, verb, data)
        elif name == "traffic.speeding.estimated":
            self._verdict("speeding", verb, data)
        elif name == "traffic.crossing.observed":
            line = self.crossings.setdefault(f"{data.get('camera')}/{data.get('line')}", {})
            directions = line.setdefault(str(data.get("class")), {})
            direction = str(data.get("direction"))
            directions[direction] = directions.get(direction, 0) + 1
        elif class_ == "dlq":
            reasons = self.dead_letters.setdefault(kind, {})
            reason = str(data.get("reason"))
            reasons[reason] = reasons.get(reason, 0) + max(1, int(data.get("count", 1)))

    def _verdict(self, kind: str, verb: str, data: Mapping[str, Any]) -> None:
        rule = self.rules.setdefault(kind, RuleCount())
        if verb == "retracted":
            rule.retracted += 1
        elif verb in _VERDICTS or verb == "estimated":
            if data.get("revision", 0):
                rule.revised += 1  # the candidate was counted with its first verdict
            else:
                setattr(rule, verb, getattr(rule, verb) + 1)
                rule.candidates += 1


class LedgerSink(OnePartitionSink[CloudEvent | Tally, bytes]):
    """Counts ``(key, CloudEvent | Tally)`` items; exact over kills, since its state commits with the epoch.

    The summary is written at every snapshot, so a killed run leaves the last one. A partition is built when
    its first item arrives: send every side's empty ``Tally`` at its start, then a run without events has a
    ledger, too.

    Args:
        path: Of the JSON summary; None keeps no file.
        site: Site id.
        armed: Rule kinds that run, so that one without a candidate stands in the ledger with zeros.
        not_armed: Rule kinds that do not run, and why.
        ended: Asked at the end in the worker's process: whether every source was read to its end.
        report: Called with the final ledger in the worker that holds it, such as ``print_ledger``.

    Attributes:
        failure: Why the last summary could not be written; to be raised when the flow has ended.
    """

    failure: UnavailableError | None = None

    def __init__(
        self,
        path: Path | None,
        *,
        site: str = "",
        armed: tuple[str, ...] = (),
        not_armed: Mapping[str, str] | None = None,
        ended: Callable[[], bool] = lambda: True,
        report: Callable[[Ledger], None] | None = None,
    ) -> None:
        self._path, self._site, self._armed = path, site, armed
        self._not_armed = dict(not_armed or {})
        self._ended, self._report = ended, report

    def prepare(self) -> None:
        """Find out before a run whether the summary can be written.

        Raises:
            InvalidInputError: It cannot.
        """
        if self._path is not None:
            try:
                if _keeps(self._path):
                    _write(self._path, self.empty())
            except OSError as e:
                raise InvalidInputError(f"summary file {self._path}: cannot be written: {e.strerror}") from e

    def empty(self) -> Ledger:
        """The ledger of a run in which nothing has happened yet."""
        return Ledger(
            site=self._site,
            rules={kind: RuleCount() for kind in self._armed},
            not_armed=self._not_armed,
        )

    def build_part(self, step_id: str, for_part: str, resume_state: bytes | None) -> _Partition:
        """Count on from the committed ledger."""
        if resume_state is None:
            ledger = self.empty()
        else:
            check_version("ledger", resume_state[0], _VERSION)
            ledger = msgspec.msgpack.decode(resume_state[1:], type=Ledger)
        return _Partition(ledger, self._path, self._ended, self._report, self._failed)

    def _failed(self, failure: UnavailableError) -> None:
        self.failure = failure


class _Partition(StatefulSinkPartition[CloudEvent | Tally, bytes]):
    def __init__(
        self,
        ledger: Ledger,
        path: Path | None,
        ended: Callable[[], bool],
        report: Callable[[Ledger], None] | None,
        failed: Callable[[UnavailableError], None],
    ) -> None:
        self._ledger, self._path, self._ended, self._report, self._failed = ledger, path, ended, report, failed
        self._uncommitted = False

    def write_batch(self, values: list[CloudEvent | Tally]) -> None:
        self._uncommitted = True
        for item in values:
            self._ledger.add(item)
            if isinstance(item, CloudEvent):
                count_event(item)

    def snapshot(self) -> bytes:
        self._save(last=False)
        self._uncommitted = False
        return bytes([_VERSION]) + msgspec.msgpack.encode(self._ledger)

    def close(self) -> None:
        if self._uncommitted:
            return  # the flow broke off within an epoch; the summary of the last one stands
        self._ledger.complete = self._ended()
        try:
            self._save(last=True)
        except UnavailableError as e:
            self._failed(e)  # raised here, beside another error it would abort the process without a word
        if self._report is not None:
            self._report(self._ledger)

    def _save(self, *, last: bool) -> None:
        if self._path is None or not (last or _keeps(self._path)):
            return
        try:
            _write(self._path, self._ledger)
        except OSError as e:
            raise UnavailableError(f"summary file {self._path}: cannot be written: {e.strerror}") from e


def _keeps(path: Path) -> bool:
    """Whether what is there can be replaced: a device or a pipe stays what it is, and is told once, at the end."""
    opened = path.is_symlink() and path.readlink().is_relative_to("/proc")  # /dev/stdout, whatever stands behind it
    return not opened and (path.is_file() or not path.exists())


def _write(path: Path, ledger: Ledger) -> None:
    # Sorted: which of several processes speaks first is another one in every run.
    text = msgspec.json.format(msgspec.json.encode(ledger, order="deterministic"), indent=2) + b"\n"
    if not _keeps(path):
        path.write_bytes(text)
        return
    path = path.resolve()  # a link stays one
    new = path.with_name(path.name + ".new")
    try:
        new.write_bytes(text)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def read_ledger(path: Path) -> Ledger:
    """The ledger in a summary file.

    Raises:
        InvalidInputError: The file is missing or is not one.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Ledger)
    except OSError as e:
        raise InvalidInputError(f"summary file {path}: cannot be read: {e.strerror}") from e
    except msgspec.DecodeError as e:
        raise InvalidInputError(f"summary file {path}: not a ledger: {e}") from e

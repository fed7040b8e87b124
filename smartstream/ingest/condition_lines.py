"""A condition feed: what lifts or changes the rules of one junction, and what its meters measured.

A condition may become known after it began. It takes its place by *arrival*: the newest event time of its feed
when its line came. So a replay learns of it at the same point, and what was suspected before is taken back. One that
is dated ahead (a duty roster) takes its place when it begins, and the clock of its feed does not move for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, tzinfo
from typing import Any, Final, get_args

import msgspec

from smartstream.ingest.line_feed import LineFeed, RefusedError, decode_line, instant_of, named
from smartstream.ingest.lines import LineSource
from smartstream.ingest.roster import AHEAD_NS
from smartstream.model.items import Condition, ConditionKind, Conditions, DeadLetter, Health, Item, MeterReading
from smartstream.model.time import MAX_NS, MIN_NS, NS, parse_end

_KINDS: Final = frozenset(get_args(ConditionKind))


class ConditionLine(msgspec.Struct):
    """A line of a condition feed: a condition, or a meter's reading."""

    time: str | int | float
    until: str | int | float | None = None
    condition: str | None = None
    junction: str | None = None
    camera: str | None = None
    lane: str | None = None
    source: str | None = ""
    meter: str | None = None
    speed_kmh: float | None = None
    certificate: str | None = ""
    valid_to: str | None = None


_decoder: Final = msgspec.json.Decoder(ConditionLine)
Fact = Condition | MeterReading
_NAMES: Final = ("junction", "camera", "lane", "meter", "source", "certificate")


def _in_names(parsed: ConditionLine) -> ConditionLine:
    """Its names as the site file writes them."""
    said = {name: text for name in _NAMES if (text := getattr(parsed, name))}
    return msgspec.structs.replace(parsed, **{name: named(text, name, 256) for name, text in said.items()})


class _Said(msgspec.Struct, frozen=True):
    """A line, and whether it concerns the junction."""

    fact: Fact
    mine: bool


class ConditionLines(LineFeed[_Said]):
    """Reads the lines of a condition feed that concern one junction.

    The feed is the whole site's and every junction reads it; a line that cannot be used is told by the junction
    that ``speaks``, so that it is one dead letter.

    Args:
        source: The site's feed, under the name it has at this junction.
        junction: Whose conditions to keep.
        junctions: Every junction of the site.
        cameras: Junction of every camera of the site.
        lanes: Lanes of every camera of the site.
        metered: Cameras that judge what a meter reads.
        timezone: Of the days on which certificates end.
        speaks: Tell of lines that cannot be used.
        resume: What ``snapshot`` returned.
    """

    horizon_ns = 3600 * NS  # for as long a suspicion can be taken back
    jump_ns = 7 * 86_400 * NS  # a roster may be silent for days

    def __init__(
        self,
        source: LineSource,
        *,
        junction: str,
        junctions: frozenset[str],
        cameras: Mapping[str, str],
        lanes: Mapping[str, frozenset[str]],
        metered: frozenset[str],
        timezone: tzinfo,
        speaks: bool,
        resume: dict[str, Any] | None = None,
    ) -> None:
        self._junction, self._junctions, self._cameras = junction, junctions, cameras
        self._lanes, self._metered, self._timezone, self._speaks = lanes, metered, timezone, speaks
        super().__init__(source, resume)

    def read(self) -> list[Item]:
        """What is ready; what is wrong with the feed is told by the junction that speaks."""
        items = super().read()
        return items if self._speaks else [item for item in items if not isinstance(item, DeadLetter | Health)]

    def _parse(self, line_no: int, line: bytes) -> tuple[int, _Said]:
        parsed = _in_names(decode_line(_decoder, line))
        at_ns = instant_of(parsed.time)
        try:
            until_ns = MAX_NS if parsed.until is None else parse_end(parsed.until)
        except ValueError as e:
            raise RefusedError("bad_time", str(e)) from None
        if parsed.meter is not None:
            return at_ns, self._meter(at_ns, parsed)
        if parsed.condition not in _KINDS:
            expected = ", ".join(sorted(_KINDS))
            raise RefusedError("unknown_condition", f"expected one of {expected}, found {str(parsed.condition)[:64]!r}")
        if until_ns <= at_ns:
            raise RefusedError("bad_time", "expected until after time")
        self._places(parsed)
        elsewhere = parsed.junction not in (None, self._junction)
        mine = not elsewhere and (parsed.camera is None or self._cameras[parsed.camera] == self._junction)
        kind: ConditionKind = parsed.condition  # type: ignore[assignment]  # just checked
        where = (parsed.camera, parsed.lane, parsed.source or "", parsed.junction)
        told_ns = self._lines.told_ns
        ahead = told_ns < at_ns <= told_ns + AHEAD_NS
        return told_ns if ahead else at_ns, _Said(Condition(0, at_ns, until_ns, kind, *where), mine)

    def _places(self, parsed: ConditionLine) -> list[str]:
        """The cameras that a line speaks of.

        A junction, camera or lane that is not there would lift nothing, and who was let through would be accused.
        """
        junction, camera, lane = parsed.junction, parsed.camera, parsed.lane
        if junction is not None and junction not in self._junctions:
            raise RefusedError("unknown_junction", f"found {junction[:64]!r}")
        at = [c for c, of in self._cameras.items() if junction in (None, of) and camera in (None, c)]
        if camera is not None and not at:
            raise RefusedError(
                "unknown_camera", f"expected a camera of {junction or 'the site'}, found {camera[:64]!r}"
            )
        if lane is None:
            return at
        if there := [c for c in at if lane in self._lanes[c]]:
            return there
        raise RefusedError(
            "unknown_lane", f"expected a lane of {camera or junction or 'the site'}, found {lane[:64]!r}"
        )

    def _meter(self, at_ns: int, parsed: ConditionLine) -> _Said:
        if parsed.lane is None:
            raise RefusedError("unknown_lane", "expected the lane that the meter looks at")
        there = self._places(parsed)
        judging = [camera for camera in there if camera in self._metered] or there[:1]
        # One reading is of one vehicle, and must not accuse whoever is in another lane of the name.
        if len(judging) > 1:
            detail = f"expected the junction or camera of lane {parsed.lane[:64]!r}: {', '.join(judging[:8])} have one"
            raise RefusedError("ambiguous_lane", detail)
        if parsed.speed_kmh is None or not 0 <= parsed.speed_kmh < 1000:
            raise RefusedError("bad_field", f"expected speed_kmh in 0..1000, found {parsed.speed_kmh!r}")
        valid = False
        certificate = parsed.certificate or ""
        if certificate.strip() and parsed.valid_to is not None:
            try:  # a certificate is good to the end of its day
                last = datetime.combine(date.fromisoformat(parsed.valid_to), time.max, self._timezone)
                valid = at_ns < parse_end(last.isoformat())
            except (ValueError, OverflowError) as e:
                raise RefusedError("bad_time", f"valid_to: {e}") from None
        said = (str(parsed.meter), judging[0], parsed.lane, parsed.speed_kmh, valid)
        reading = MeterReading(0, at_ns, *said, certificate=certificate, valid_to=parsed.valid_to)
        return _Said(reading, self._cameras[judging[0]] == self._junction)

    def _arrived(self, value: _Said) -> _Said:
        clock_ns = max(self.position_ns, value.fact.time_ns)
        return _Said(msgspec.structs.replace(value.fact, clock_ns=clock_ns), value.mine)

    def _batch(self, values: tuple[_Said, ...]) -> Item:
        newest = self.position_ns
        watermark = MAX_NS if self.ended else MIN_NS if newest == MIN_NS else newest - 1
        lines = tuple(said.fact for said in values) if self._speaks else ()
        return Conditions(self.side, tuple(said.fact for said in values if said.mine), watermark, lines)

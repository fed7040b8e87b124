"""Law packs: which clauses an act may fall under, by the law in force at its date.

A pack is a TOML file of ``law_packs/``; an amendment names the pack it extends and holds only what it changes. What
comes out is a list of *candidates*: the same geometry can be several clauses, and only an officer concludes.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec

from smartstream.errors import ConfigError
from smartstream.model.time import NS

PACKS: Final = Path(__file__).with_name("law_packs")
LASTING: Final = frozenset({"illegal_stop", "box_blocking"})
"""Kinds whose act goes on: judged by the law at detection (Nghị định 168/2024/NĐ-CP Điều 54.2), not at its start."""

_RANGE: Final = re.compile(r"^(>=|>)(\d+)(?: (<=|<)(\d+))?$")


class Clause(msgspec.Struct, frozen=True, omit_defaults=True):
    """One candidate clause.

    Attributes:
        column: Column of the decree: car, motorcycle, special, bicycle, pedestrian.
        clause: ``6.9.b`` is Điều 6, khoản 9, điểm b.
        fine: Smallest and largest fine for an individual, millions of VND.
        mark: How far the text was verified: V read, S secondary source, M from memory.
        points: Licence points taken.
        when: What must be true besides the geometry, in Vietnamese.
        over: Speed rows: km/h above the limit, such as ``>=5 <10``.
    """

    column: str
    clause: str
    fine: tuple[float, float]
    mark: Literal["V", "S", "M"]
    points: int = 0
    when: str = ""
    over: str = ""

    def covers(self, over_kmh: float | None) -> bool:
        """Whether a speed row covers an excess; rows without a range cover everything."""
        if not self.over or over_kmh is None:
            return True
        found = _RANGE.match(self.over)
        assert found is not None
        low, a, high, b = found.groups()
        above = over_kmh >= float(a) if low == ">=" else over_kmh > float(a)
        return above and (high is None or (over_kmh <= float(b) if high == "<=" else over_kmh < float(b)))


class Act(msgspec.Struct, frozen=True, omit_defaults=True):
    """One act of the catalogue with its candidate clauses."""

    code: str
    kinds: tuple[str, ...] = ()
    text: str = ""
    note: str = ""
    clauses: tuple[Clause, ...] = ()


class LawPack(msgspec.Struct, frozen=True):
    """The law between two dates.

    Attributes:
        id: Stable name, quoted in every verdict that used it.
        in_force: First day, in the junction's own calendar.
        columns: Vehicle classes of each column of the decree.
        acts: By code.
    """

    id: str
    title: str
    in_force: date
    source: str
    columns: dict[str, tuple[str, ...]]
    acts: dict[str, Act]

    def candidates(self, kind: str, vehicle_class: str, *, over_kmh: float | None = None) -> list[dict[str, Any]]:
        """Candidate clauses of a rule kind for a class, ready for an event; empty for a class without a column."""
        columns = {column for column, classes in self.columns.items() if vehicle_class in classes}
        return [
            {"pack": self.id, "act": act.code, **msgspec.to_builtins(clause), "fine": list(clause.fine)}
            for act in self.acts.values()
            if kind in act.kinds
            for clause in act.clauses
            if clause.column in columns and clause.covers(over_kmh)
        ]


class LawBook(msgspec.Struct, frozen=True):
    """Every pack, oldest first."""

    packs: tuple[LawPack, ...]

    def on(self, day: date) -> LawPack | None:
        """The pack in force on a day; ``None`` before the first."""
        return next((pack for pack in reversed(self.packs) if pack.in_force <= day), None)

    def judging(self, kind: str, *, at_ns: int, until_ns: int | None, zone: ZoneInfo) -> LawPack | None:
        """The pack that judges an act: a finished one by the law when committed, a lasting one at detection."""
        ns = until_ns if until_ns is not None and kind in LASTING else at_ns
        return self.on(datetime.fromtimestamp(ns // NS, UTC).astimezone(zone).date())


class _File(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    title: str
    in_force: date
    source: str
    act: tuple[Act, ...]
    extends: str | None = None
    columns: dict[str, tuple[str, ...]] = {}


@lru_cache(maxsize=4)
def load_law(folder: Path = PACKS) -> LawBook:
    """Every pack of a folder.

    Raises:
        ConfigError: A pack cannot be read; names the file and the place in it.
    """
    files: dict[str, _File] = {}
    for path in sorted(folder.glob("*.toml")):
        try:
            found = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File)
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as e:
            raise ConfigError(f"law pack {path}: {e}") from None
        wrong = [c.over for act in found.act for c in act.clauses if c.over and not _RANGE.match(c.over)]
        if wrong:
            raise ConfigError(f"law pack {path}: expected a range like '>=5 <10', found {wrong[0]!r}")
        files[found.id] = found
    packs = [_resolve(file, files) for file in files.values()]
    return LawBook(tuple(sorted(packs, key=lambda pack: pack.in_force)))


def _resolve(file: _File, files: Mapping[str, _File]) -> LawPack:
    if file.extends is None:
        return LawPack(
            file.id, file.title, file.in_force, file.source, file.columns, {act.code: act for act in file.act}
        )
    if file.extends not in files:
        raise ConfigError(f"law pack {file.id}: extends {file.extends!r}, expected one of {', '.join(files)}")
    base = _resolve(files[file.extends], files)
    acts = dict(base.acts)
    for act in file.act:
        before = acts.get(act.code, Act(act.code))
        acts[act.code] = Act(
            act.code, act.kinds or before.kinds, act.text or before.text, act.note, act.clauses or before.clauses
        )
    return LawPack(file.id, file.title, file.in_force, file.source, file.columns or base.columns, acts)


def differences(before: LawPack, after: LawPack) -> list[tuple[str, Act | None, Act | None]]:
    """Acts that two packs hold differently: (code, before, after)."""
    codes = [*before.acts, *(code for code in after.acts if code not in before.acts)]
    return [
        (code, before.acts.get(code), after.acts.get(code))
        for code in codes
        if before.acts.get(code) != after.acts.get(code)
    ]

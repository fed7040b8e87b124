"""What a report is about: by its service code if we know it, else by its words."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final, Literal

import msgspec

from smartstream.model.report_text import fold, words


class Category(msgspec.Struct, frozen=True):
    """One kind of report.

    Attributes:
        id: Stable name in events.
        name: What people read.
        agency: Who answers; the names are those after the mergers of 2025.
        radius_m: Reports nearer than this may speak of the same thing.
        window_h: So may those within this many hours.
        hours: Time to answer.
        clock: What counts as time: ``always``, or ``working`` hours.
        alike: Least likeness of words, 0 to 1, for reports further apart than a third of the radius.
        public: Whether text and picture may be published once freed of personal data.
    """

    id: str
    name: str
    agency: str
    radius_m: float
    window_h: float
    hours: float
    clock: Literal["always", "working"]
    codes: tuple[str, ...]
    words: tuple[str, ...]
    alike: float = 0.15
    public: bool = True


class _File(msgspec.Struct):
    category: list[Category]


def _load() -> dict[str, Category]:
    text = Path(__file__).with_name("report_categories.toml").read_text(encoding="utf-8")
    return {found.id: found for found in msgspec.convert(tomllib.loads(text), _File).category}


def _slug(code: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", fold(code)).strip("_")


CATEGORIES: Final = _load()
"""By id, in the order in which the first of equals wins."""
_BY_CODE: Final = {_slug(code): found for found in CATEGORIES.values() for code in found.codes}
_PHRASES: Final = [(found, [words(phrase) for phrase in found.words]) for found in CATEGORIES.values()]
_FOLDED: Final = [(found, [words(fold(phrase)) for phrase in found.words]) for found in CATEGORIES.values()]


def categorise(service_code: str, text: str) -> Category:
    """The category of a report.

    A text written without marks is compared without them; one with marks keeps them, since ``cháy`` burns and
    ``chạy`` runs.
    """
    known = _BY_CODE.get(_slug(service_code))
    if known is not None:
        return known
    marked = fold(text) != text.casefold()
    found = words(text)
    best, most = CATEGORIES["other"], 0
    for category, phrases in _PHRASES if marked else _FOLDED:
        said = sum(len(phrase) for phrase in phrases if _holds(found, phrase))
        if said > most:
            best, most = category, said
    return best


def _holds(found: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    size = len(phrase)
    return any(found[i : i + size] == phrase for i in range(len(found) - size + 1))

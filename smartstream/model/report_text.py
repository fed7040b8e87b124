"""The words of a report: one form for comparing, one without personal data for publishing."""

from __future__ import annotations

import re
import unicodedata
from hashlib import blake2b
from itertools import pairwise
from typing import Final

_PHONE: Final = re.compile(r"(?<![\w+])(?:\+?84|0)(?:[\s.-]?\d){8,10}(?!\d)")
_MAIL: Final = re.compile(r"[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64}){1,4}")
_IDENTITY: Final = re.compile(r"(?<!\d)\d{12}(?!\d)|(?<!\d)\d{9}(?!\d)")  # citizen's card, old and new
_PLATE: Final = re.compile(r"(?<!\w)\d{2}\s?[-.]?\s?[A-ZĐ]{1,2}\d?\s?[-.]?\s?\d{3}[.\s]?\d{1,2}(?!\w)")
_PERSONAL: Final = (
    (_MAIL, "[email]"),
    (_PLATE, "[biển số]"),
    (_PHONE, "[số điện thoại]"),
    (_IDENTITY, "[số định danh]"),
)
_WORD: Final = re.compile(r"[^\W_]+")
_SPACE: Final = re.compile(r"\s+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060\ufeff]")


def tidy(text: str) -> str:
    """The text in NFC on one line, without control characters."""
    return _SPACE.sub(" ", _CONTROL.sub(" ", unicodedata.normalize("NFC", text))).strip()


def fold(text: str) -> str:
    """Lower case without Vietnamese marks: ``Đường ngập`` is ``duong ngap``."""
    lowered = text.casefold().replace("đ", "d")
    apart = unicodedata.normalize("NFD", lowered)
    return "".join(c for c in apart if not unicodedata.combining(c))


def anonymous(text: str) -> str:
    """The text with telephone numbers, addresses of mail, identity numbers and plates blotted out."""
    for pattern, what in (
        (_MAIL, "[email]"),
        (_PLATE, "[biển số]"),
        (_PHONE, "[số điện thoại]"),
        (_IDENTITY, "[số định danh]"),
    ):
        text = pattern.sub(what, text)
    return text


def voice_of(reporter: str, text: str) -> str:
    """Who speaks; without a name the words are the voice, so that a message copied a hundred times is one.

    Args:
        reporter: Pseudonym, empty when unknown.
        text: What was said.
    """
    return reporter or "text:" + blake2b(fold(text).encode(), digest_size=8).hexdigest()


def words(text: str) -> tuple[str, ...]:
    """Its words, in lower case, marks kept."""
    return tuple(_WORD.findall(text.casefold()))


def pairs(text: str) -> frozenset[str]:
    """Its folded words and pairs of neighbours, for comparing."""
    found = _WORD.findall(fold(text))
    return frozenset([*found, *(f"{a} {b}" for a, b in pairwise(found))])


def likeness(a: frozenset[str], b: frozenset[str]) -> float:
    """Share of what two texts have in common, 0 to 1 (Jaccard)."""
    same = len(a & b)
    return same / (len(a) + len(b) - same) if same else 0.0

"""The text of press and social media: freed of promotion that was injected into it, and compared with others.

Sites are broken into, and scrapers copy what they find: betting, pills and match tables stand in the middle of honest
sentences. So a text is judged sentence by sentence; what is left is the item, and an item that is mostly promotion is
none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final
from zlib import crc32

import msgspec
import numpy as np
import numpy.typing as npt

from smartstream.model.report_text import fold

_SENTENCE: Final = re.compile(r"(?<=[.!?…])\s+|\n+")
_WORD: Final = re.compile(r"\w+")
_LINK: Final = re.compile(r"https?://\S+|\bwww\.\S+|\b\w+\.(?:com|net|vip|bet|club|top|xyz)\b", re.IGNORECASE)
_PROMOTION: Final = re.compile(
    r"\b(?:nha cai|ca cuoc|keo nha cai|soi keo|ty le keo|bang xep hang (?:giai )?ngoai hang|ngoai hang anh|xo so|lo de"
    r"|no hu|ban ca doi thuong|tai xiu|casino|slot game|khuyen mai|giam gia soc|mua ngay|uu dai khung|dang ky ngay"
    r"|nap lan dau"
    r"|hoan tien|freeship|vay tien nhanh|vay online|thuoc cuong duong|tang can|giam can cap toc|rx online|viagra|cialis"
    r"|seo website|mua backlink|betting|jackpot|bonus|click here|buy now|order now|promo code|payday loan)\b"
)
_FOREIGN: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0400-\u04ff\u0600-\u06ff\u0e00-\u0e7f]")
_PERMUTATIONS: Final = 64
_BANDS: Final = 16
_MERSENNE: Final = (1 << 61) - 1
_random: Final = np.random.Generator(np.random.PCG64(20_261_121))
_FACTORS: Final = _random.integers(1, 1 << 31, _PERMUTATIONS, dtype=np.uint64)
_TERMS: Final = _random.integers(0, 1 << 61, _PERMUTATIONS, dtype=np.uint64)


class Cleaned(msgspec.Struct, frozen=True):
    """A text without its promotion.

    Attributes:
        text: What is left.
        spam_share: Share of the letters that was promotion, 0 to 1.
    """

    text: str
    spam_share: float


def clean(title: str, text: str, lang: str) -> Cleaned:
    """Title and text without the sentences that promote something."""
    kept: list[str] = []
    lost = 0
    sentences = [s.strip() for s in (*_SENTENCE.split(title), *_SENTENCE.split(text)) if s.strip()]
    for sentence in sentences:
        rest = sentence if not promotes(sentence, lang) else _without_clauses(sentence, lang)
        lost += len(sentence) - len(rest)
        if rest:
            kept.append(rest)
    whole = sum(map(len, sentences))
    return Cleaned(" ".join(kept), round(lost / whole, 4) if whole else 1.0)


def promotes(words: str, lang: str) -> bool:
    """Whether a sentence or clause sells something, or is in a script that its language does not use."""
    letters = sum(c.isalpha() for c in words)
    if lang in ("vi", "en", "") and letters and len(_FOREIGN.findall(words)) > 0.3 * letters:
        return True
    if len(_LINK.findall(words)) >= 2:
        return True
    return bool(_PROMOTION.search(" ".join(_WORD.findall(fold(unicodedata.normalize("NFC", words))))))


def _without_clauses(sentence: str, lang: str) -> str:
    """What is left of a sentence into which a promotion was put: its other clauses, if they still say something."""
    clauses = [clause.strip() for clause in re.split(r"[,;:|–—\[\]()\"“”]+", sentence)]
    rest = [clause for clause in clauses if clause and not promotes(clause, lang)]
    left = ", ".join(rest)
    return left if len(_WORD.findall(left)) >= 8 else ""


Signature = tuple[int, ...]


def signature(text: str) -> Signature:
    """MinHash over triples of folded words: equal places of two signatures estimate their Jaccard likeness.

    Source: Broder 1997, On the resemblance and containment of documents.
    """
    found = _WORD.findall(fold(text))
    size = min(3, len(found)) or 1
    shingles = {" ".join(found[i : i + size]).encode() for i in range(max(1, len(found) - size + 1))}
    hashes: npt.NDArray[np.uint64] = np.array(sorted({crc32(s) for s in shingles}), np.uint64)
    return tuple(((hashes[:, None] * _FACTORS + _TERMS) % np.uint64(_MERSENNE)).min(axis=0).tolist())


def same_share(one: Sequence[int], other: Sequence[int]) -> float:
    """Estimated likeness of two texts, 0 to 1."""
    return sum(a == b for a, b in zip(one, other, strict=True)) / len(one)


def packed(found: Signature) -> bytes:
    """A signature as ``same_shares`` takes it."""
    return np.array(found, np.uint64).tobytes()


def same_shares(many: Sequence[bytes], other: Signature) -> list[float]:
    """``same_share`` of each of many packed signatures with another, in one go."""
    table = np.frombuffer(b"".join(many), np.uint64).reshape(-1, len(other))
    shares: list[float] = (table == np.array(other, np.uint64)).mean(axis=1).tolist()
    return shares


def bands(found: Signature) -> list[int]:
    """Keys under which texts of a likeness of about a half and more meet (locality-sensitive hashing)."""
    rows = len(found) // _BANDS
    return [hash((i, found[i * rows : (i + 1) * rows])) for i in range(_BANDS)]  # numbers: the same in every process

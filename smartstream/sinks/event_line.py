"""One event as a line for people: when, what kind of statement (word and symbol), what happened."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from rich.text import Text

from smartstream.model.event import CloudEvent
from smartstream.model.time import NS, parse_instant

VERBS: Final[Mapping[str, tuple[str, str, str]]] = {
    # verb: symbol, Vietnamese word, style. The word alone says it; colour only repeats it.
    "suspected": ("●", "nghi vấn", "bold red"),
    "undecided": ("◐", "chưa rõ", "yellow"),
    "suppressed": ("○", "bỏ qua", "dim"),
    "retracted": ("↩", "rút lại", "magenta"),
    "confirmed": ("✔", "xác nhận", "bold red"),
    "rejected": ("✘", "bác bỏ", "dim"),
    "evidence": ("▣", "bằng chứng", "cyan"),
    "estimated": ("≈", "ước tính", "cyan"),
    "opened": ("▲", "bắt đầu", "bold yellow"),
    "updated": ("△", "cập nhật", "yellow"),
    "closed": ("▽", "kết thúc", "green"),
    "observed": ("·", "ghi nhận", ""),
    "received": ("·", "tiếp nhận", ""),
    "proposed": ("◇", "đề xuất", "yellow"),
    "approved": ("◆", "phê duyệt", "bold yellow"),
    "published": ("▶", "phát tin", "bold yellow"),
}
_UNKNOWN: Final = ("·", "", "")
_DEAD: Final = ("✗", "không dùng được", "red")
_WIDTH: Final = max(len(word) for _, word, _ in VERBS.values())
# Said by other columns or by the text, or of no use to a reader.
_HIDDEN: Final = frozenset(("text", "kind", "verdict", "revision", "evidence_id", "clauses", "payload", "summary"))


def event_line(event: CloudEvent, zone: tzinfo) -> Text:
    """The event in local time, with its Vietnamese text or its kind and fields."""
    _, _, class_, kind, verb, *_ = [*event.type.split("."), "", "", ""]
    symbol, word, style = _DEAD if class_ == "dlq" else VERBS.get(verb, _UNKNOWN)
    line = Text()
    line.append(_plain(local_time(event.time, zone)), style="dim")
    line.append(f"  {symbol} {word or _plain(verb):<{_WIDTH}}  ", style=style)
    text = event.data.get("text")
    line.append(_plain(str(text) if text else f"{class_}.{kind}"))
    fields = _plain(_fields(event.data))
    line.append(f"  {fields}" if fields else "", style="dim")
    return line


def _plain(text: str) -> str:
    """On one line, without what commands a terminal or turns the reading: citizens' words come through here."""
    return "".join(c if c.isprintable() else " " for c in text)


def local_time(instant: str, zone: tzinfo) -> str:
    """``2026-09-21 21:13:32`` of an RFC 3339 instant; the text itself where it is none."""
    try:
        ns = parse_instant(instant)
    except ValueError:
        return instant
    utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=ns // NS)
    return utc.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _fields(data: Mapping[str, Any]) -> str:
    shown = []
    for name, value in data.items():
        if name in _HIDDEN or value in (None, "", [], {}):
            continue
        if isinstance(value, Mapping):
            inner = ",".join(f"{k}:{_short(v)}" for k, v in value.items() if v is not None)
            shown.append(f"{name}={inner}")
        else:
            shown.append(f"{name}={_short(value)}")
    return " ".join(shown)


def _short(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 60 else text[:59] + "…"

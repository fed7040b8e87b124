"""A media feed: articles and public posts, one JSON line each."""

from __future__ import annotations

from typing import Final

import msgspec

from smartstream.ingest.line_feed import LineFeed, RefusedError, decode_line, instant_of, named
from smartstream.model.items import Item, MediaItem, MediaItems
from smartstream.model.report_text import tidy
from smartstream.model.time import NS


class MediaLine(msgspec.Struct):
    """A line of a media feed."""

    time: str | int | float
    media: str
    source: str | None = ""
    url: str | None = ""
    lang: str | None = "vi"
    title: str | None = ""
    text: str | None = ""


_decoder: Final = msgspec.json.Decoder(MediaLine)


class MediaLines(LineFeed[MediaItem]):
    """Items as JSON lines."""

    horizon_ns = 24 * 3600 * NS
    jump_ns = 7 * 86_400 * NS
    step_ns = 3600 * NS

    def _parse(self, line_no: int, line: bytes) -> tuple[int, MediaItem]:
        said = decode_line(_decoder, line)
        at_ns = instant_of(said.time)
        title, text = said.title or "", said.text or ""
        if not (title.strip() or text.strip()):
            raise RefusedError("bad_field", "expected a title or a text")
        item = MediaItem(
            clock_ns=0,
            time_ns=at_ns,
            side=self.side,
            line=line_no,
            media=named(said.media, "media"),
            source=(said.source or "")[:64],
            url=(said.url or "")[:2000],
            lang=(said.lang or "vi")[:8],
            title=tidy(title)[:500],
            text="\n".join(tidy(part) for part in text[:20_000].splitlines()),
        )
        return at_ns, item

    def _voice(self, value: MediaItem) -> str:
        return value.media

    def _arrived(self, value: MediaItem) -> MediaItem:
        return msgspec.structs.replace(value, clock_ns=self.position_ns)

    def _batch(self, values: tuple[MediaItem, ...]) -> Item:
        return MediaItems(self.side, values, self.position_ns, self.ended)

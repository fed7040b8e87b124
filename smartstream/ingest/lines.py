"""Lines of an NDJSON file, gzipped by suffix, from any byte offset on."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import IO, Final, cast

from smartstream.errors import InvalidInputError

MAX_LINE: Final = 1 << 16
"""Longest line in bytes; a longer one is handed out cut, and is never valid."""


class LineReader:
    """Reads whole lines; ``offset`` (in the unpacked file) and ``line_no`` are its resume state.

    Raises:
        InvalidInputError: The file cannot be opened.
    """

    def __init__(self, path: Path, *, offset: int = 0, line_no: int = 0) -> None:
        self.path = path
        self.line_no = line_no
        self.offset = offset
        self.broken = ""
        try:
            opened = gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # noqa: SIM115  # until close
            self._file = cast(IO[bytes], opened)
            self._file.seek(offset)
        except (OSError, EOFError, zlib.error) as e:
            raise InvalidInputError(f"{path}: expected a readable file, found: {e}") from None

    def next_line(self) -> tuple[int, bytes] | None:
        """The next non-empty line with its number, or ``None`` at the end of the file.

        A damaged gzip stream ends the file; ``broken`` then says how.
        """
        while True:
            try:
                line = self._file.readline(MAX_LINE)
                rest = line
                while rest and not rest.endswith(b"\n") and len(rest) == MAX_LINE:
                    rest = self._file.readline(MAX_LINE)
                    self.offset += len(rest)
            except (OSError, EOFError, zlib.error) as e:
                self.broken = str(e) or type(e).__name__
                return None
            if not line:
                return None
            self.offset += len(line)
            self.line_no += 1
            if line.strip():
                return self.line_no, line

    def close(self) -> None:
        """Close the file."""
        self._file.close()

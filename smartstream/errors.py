"""What can go wrong, sorted by what a caller can do about it: one exception per ``ErrorKind`` of the Rust core."""

from __future__ import annotations

from typing import Final

import msgspec


class SmartstreamError(Exception):
    """Base of every error this package raises on purpose."""


class InvalidInputError(SmartstreamError):
    """The input is wrong and will stay wrong; the message names the place and what was expected."""


class ConfigError(InvalidInputError):
    """The site file or the environment is wrong; the message lists every mistake with its path."""


class MissingExtraError(InvalidInputError):
    """A library is missing that comes with an extra of this package.

    Args:
        what: What needs it.
        extra: Its name, as in ``pip install 'smartstream[draw]'``.
    """

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs its extra: pip install 'smartstream[{extra}]'")


class UnavailableError(SmartstreamError):
    """Something outside cannot be reached now; trying again may help."""


class DataLossError(SmartstreamError):
    """Data was lost or cannot be read back."""


class InternalError(SmartstreamError):
    """A bug of ours."""


UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding JSON that others wrote may raise: none at all, no UTF-8, brackets without end."""

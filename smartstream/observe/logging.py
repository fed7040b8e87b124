"""Structured logs on standard error: for people on a terminal, one JSON per line elsewhere.

Values are fields, never in the sentence. Data lost is ERROR, recovered is WARNING.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, Final, TextIO

import structlog

from smartstream.observe.status import OverStatus, is_drawn_on

_LEVELS: Final = ("debug", "info", "warning", "error")


def configure(level: str | None = None, form: str | None = None, *, stream: TextIO | None = None) -> None:
    """Set up logging for this process.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``; else ``$SMARTSTREAM_LOG_LEVEL``, else ``info``.
        form: ``text``, ``json`` or ``auto`` (text on a terminal); else ``$SMARTSTREAM_LOG_FORMAT``.
        stream: Where to; standard error unless given.
    """
    name = (level or os.environ.get("SMARTSTREAM_LOG_LEVEL") or "info").lower()
    form = form or os.environ.get("SMARTSTREAM_LOG_FORMAT") or "auto"
    threshold = getattr(logging, name.upper()) if name in _LEVELS else logging.INFO
    out = stream or sys.stderr
    printed: Any = OverStatus(out) if is_drawn_on(out) else out
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=out.isatty() and "NO_COLOR" not in os.environ)
        if form == "text" or (form == "auto" and out.isatty())
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(printed),
        cache_logger_on_first_use=False,
    )
    # nats-py logs tracebacks of what we handle; libraries speak up only when something is wrong.
    logging.basicConfig(level=logging.WARNING, stream=out, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("nats").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # it warns of how nats-py closes TLS


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger whose lines carry ``component=name``."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(component=name)
    return logger


configure()

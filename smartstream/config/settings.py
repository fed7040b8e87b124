"""Settings of the process, from environment variables; what concerns a place stands in the site file.

Secrets come from here only and never show in a log or a message.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from smartstream.config.mistakes import Mistake, as_mistakes, refuse

_PREFIX = "SMARTSTREAM_"


class Settings(BaseSettings):
    """Environment variables ``SMARTSTREAM_<NAME>``; an empty one counts as absent."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_ignore_empty=True, frozen=True, use_attribute_docstrings=True
    )

    nats_user: str | None = None
    """User at the NATS server; with `nats_password`."""
    nats_password: SecretStr | None = None
    """Password at the NATS server."""
    nats_token: SecretStr | None = None
    """Token at the NATS server, instead of a user."""
    nats_creds: Path | None = None
    """Credentials file (JWT and seed) for the NATS server, instead of a user or a token."""
    nats_server: Path | None = None
    """Program of the embedded NATS server; absent: the one installed beside Python, else of the PATH."""
    redis_user: str | None = None
    """User at Redis; with `redis_password`."""
    redis_password: SecretStr | None = None
    """Password at Redis."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least important log line to write."""
    log_format: Literal["auto", "text", "json"] = "auto"
    """`text` for people, `json` for machines; `auto`: text on a terminal."""
    metrics_port: int | None = Field(default=None, ge=1, le=65_535)
    """Port of 127.0.0.1 that serves Prometheus metrics; absent: none."""


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process, read once.

    Raises:
        ConfigError: Names every variable that is wrong.
    """
    return read_settings()


def read_settings() -> Settings:
    """The settings as the environment says them now.

    Raises:
        ConfigError: Names every variable that is wrong.
    """
    try:
        found = Settings()
    except ValidationError as e:
        raw = {str(error["loc"][0]): error["input"] for error in e.errors()}
        wrong = as_mistakes(e, raw, Settings.model_json_schema())
        raise refuse("environment", [m._replace(path=_PREFIX + m.path.upper()) for m in wrong]) from None
    ways = [
        name
        for name, value in (
            ("TOKEN", found.nats_token),
            ("CREDS", found.nats_creds),
            ("USER", found.nats_user),
        )
        if value is not None
    ]
    wrong = []
    if len(ways) > 1:
        wrong.append(Mistake(f"{_PREFIX}NATS_{ways[0]}", f"NATS_{ways[1]} besides", "one way to log in"))
    if (found.nats_user is None) != (found.nats_password is None):
        wrong.append(Mistake(f"{_PREFIX}NATS_USER", "one of NATS_USER and NATS_PASSWORD", "both or neither"))
    if found.nats_creds is not None and not found.nats_creds.is_file():
        wrong.append(Mistake(f"{_PREFIX}NATS_CREDS", f"{found.nats_creds} is no file", "a credentials file"))
    if wrong:
        raise refuse("environment", wrong)
    return found

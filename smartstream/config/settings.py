"""Settings of this process, from environment variables: credentials above all.

What concerns a place stands in the site file. Secrets come from here only and never show in a log or a message.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from smartstream.config.mistakes import Mistake, refuse, show

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
    mqtt_user: str | None = None
    """User at the MQTT brokers; with `mqtt_password`."""
    mqtt_password: SecretStr | None = None
    """Password at the MQTT brokers."""
    sql_user: str | None = None
    """User at the databases of `sql:` feeds; absent: as the database's own client would."""
    sql_password: SecretStr | None = None
    """Password of `sql_user`."""
    redis_user: str | None = None
    """User at Redis, where it has users."""
    redis_password: SecretStr | None = None
    """Password at Redis."""
    nats_creds: Path | None = None
    """Credentials file (JWT and seed) for the NATS server, instead of a user or a token."""
    decoder: Literal["cpu", "nvdec"] = "cpu"
    """Where H.264 and H.265 are decoded: `nvdec` where the machine and its FFmpeg have it, else on the CPU as well."""
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(str.lower)] = "info"
    """What is logged; read by :mod:`smartstream.observe.logging` by itself, before anything else is."""
    log_format: Literal["text", "json", "auto"] = "auto"
    """`auto`: text on a terminal."""
    engine_cache: Path | None = None
    """Folder of TensorRT engines; absent: `smartstream/engines` in the user's cache (`$XDG_CACHE_HOME`)."""


def camera_login(camera: str) -> tuple[str, SecretStr] | None:
    """Name and password at a camera: ``SMARTSTREAM_CAMERA_<ID>_USER`` and ``…_PASSWORD``, else those without ``<ID>_``.

    In the id, every character but letters and digits is an underscore: ``cam-s`` is ``CAM_S``.

    Raises:
        ConfigError: One of the two without the other.
    """
    own = re.sub(r"[^A-Z0-9]", "_", camera.upper())
    for prefix in (f"{_PREFIX}CAMERA_{own}_", f"{_PREFIX}CAMERA_"):
        user, password = os.environ.get(f"{prefix}USER"), os.environ.get(f"{prefix}PASSWORD")
        if user and password:
            return user, SecretStr(password)
        if user or password:
            wrong = Mistake(f"{prefix}{'PASSWORD' if user else 'USER'}", "nothing", "both or neither")
            raise refuse("environment", [wrong])
    return None


def settings() -> Settings:
    """The settings as the environment says them now.

    Raises:
        ConfigError: Names every variable that is wrong.
    """
    try:
        found = Settings()
    except ValidationError as e:
        wrong = [
            Mistake(
                f"{_PREFIX}{str(m['loc'][0]).upper()}", show(m["input"]), m.get("ctx", {}).get("expected", m["msg"])
            )
            for m in e.errors(include_url=False)
        ]
        raise refuse("environment", wrong) from None
    ways = {"TOKEN": found.nats_token, "CREDS": found.nats_creds, "USER": found.nats_user}
    given = [name for name, value in ways.items() if value is not None]
    wrong = []
    if len(given) > 1:
        wrong.append(Mistake(f"{_PREFIX}NATS_{given[0]}", f"NATS_{given[1]} besides", "one way to log in"))
    if (found.nats_user is None) != (found.nats_password is None):
        wrong.append(Mistake(f"{_PREFIX}NATS_USER", "one of NATS_USER and NATS_PASSWORD", "both or neither"))
    if (found.mqtt_user is None) != (found.mqtt_password is None):
        wrong.append(Mistake(f"{_PREFIX}MQTT_USER", "one of MQTT_USER and MQTT_PASSWORD", "both or neither"))
    if found.nats_creds is not None and not found.nats_creds.is_file():
        wrong.append(Mistake(f"{_PREFIX}NATS_CREDS", f"{found.nats_creds} is no file", "a credentials file"))
    if wrong:
        raise refuse("environment", wrong)
    return found

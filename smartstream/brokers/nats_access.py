"""How to reach a NATS server: address and credentials, the same for sink, check and ``tail``."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
import nats
import nats.errors
from nats.aio.client import Client

from smartstream.config.settings import Settings
from smartstream.errors import InvalidInputError, UnavailableError
from smartstream.observe.logging import get_logger

OVERLAP: Final = 10065
"""JetStream's code of an error: another stream has some of these subjects."""
NO_STORAGE: Final = (10023, 10028, 10047)
"""Those for a stream that is wished larger than the room there is."""

_log = get_logger("nats")
_CONNECT_S: Final = 5
_PENDING_BYTES: Final = 16 << 20


class NatsAccess(msgspec.Struct, frozen=True, kw_only=True):
    """Address and credentials; the most specific credential given is used.

    Attributes:
        url: ``nats://host:port`` or ``tls://host:port``; may carry ``user:password@``.
        user: With ``password``.
        password: Of ``user``.
        token: Instead of a user.
        creds: A ``.creds`` file (JWT and seed).
    """

    url: str
    user: str | None = None
    password: str | None = None
    token: str | None = None
    creds: str | None = None

    @classmethod
    def from_settings(cls, url: str, settings: Settings) -> Self:
        """The server at ``url`` with the credentials of the environment."""
        return cls(
            url=url,
            user=settings.nats_user,
            password=settings.nats_password.get_secret_value() if settings.nats_password else None,
            token=settings.nats_token.get_secret_value() if settings.nats_token else None,
            creds=str(settings.nats_creds) if settings.nats_creds else None,
        )

    @property
    def shown(self) -> str:
        """The address without any secret."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


async def connect(access: NatsAccess) -> Client:
    """One connection that does not reconnect by itself: what was on its way is the caller's to settle.

    With ``tls://`` no password leaves before the server has proved who it is (by the system's authorities, or
    those of ``SSL_CERT_FILE``).

    Raises:
        InvalidInputError: The address cannot be read, the credentials are missing or refused.
        UnavailableError: Nobody answers there.
    """
    parts, port = urlsplit(access.url), 0
    with suppress(ValueError):  # no number, or none that a port has
        port = parts.port or 4222
    if parts.scheme not in ("nats", "tls") or not parts.hostname or not port:
        raise InvalidInputError(f"NATS address {access.shown}: expected nats://HOST:PORT or tls://HOST:PORT")
    options = _credentials(access, parts)
    if parts.scheme == "tls":
        options = _behind_tls(options, access.shown)
    said: list[Exception] = []

    async def note(e: Exception) -> None:
        said.append(e)

    try:
        return await nats.connect(
            f"{parts.scheme}://{parts.hostname}:{port}",
            name="smartstream",
            allow_reconnect=False,
            max_reconnect_attempts=1,  # one address, asked twice at once; pauses are the caller's
            reconnect_time_wait=0,
            connect_timeout=_CONNECT_S,
            pending_size=_PENDING_BYTES,
            error_cb=note,
            **options,
        )
    except ssl.SSLError as e:
        raise InvalidInputError(f"NATS server {access.shown}: not trusted: {e.reason or e}") from e
    except (nats.errors.Error, OSError, TimeoutError) as e:
        cause = next((x for x in reversed([*said, e]) if not isinstance(x, nats.errors.NoServersError)), e)
        if isinstance(cause, ssl.SSLError):
            raise InvalidInputError(f"NATS server {access.shown}: not trusted: {cause.reason}") from e
        if "authorization" in str(cause).lower() or "authentication" in str(cause).lower():
            raise InvalidInputError(f"NATS server {access.shown}: credentials refused") from e
        refused = isinstance(cause, ConnectionRefusedError)
        why = "connection refused" if refused else getattr(cause, "strerror", None) or str(cause) or "no answer"
        raise UnavailableError(f"NATS server {access.shown}: cannot be reached ({why})") from e


async def lost(nc: Client) -> None:
    """Return when the connection is gone.

    Asked again and again, for the client's own callback stays away where closing meets a reset connection.
    """
    while nc.is_connected:
        await asyncio.sleep(0.05)


def quiet(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Handler for event loops of ours: what the client leaves behind when a connection breaks is no news."""
    _log.debug("event loop", message=context.get("message"), error=repr(context.get("exception")))


def _credentials(access: NatsAccess, parts: SplitResult) -> dict[str, Any]:
    if access.creds:
        if not Path(access.creds).is_file():
            raise InvalidInputError(f"NATS credentials file {access.creds}: no such file")
        return {"user_credentials": access.creds}
    if access.token:
        return {"token": access.token}
    if access.user:
        return {"user": access.user, "password": access.password}
    if parts.username and parts.password:
        return {"user": unquote(parts.username), "password": unquote(parts.password)}
    if parts.username:
        return {"token": unquote(parts.username)}
    return {}


def _behind_tls(options: dict[str, Any], shown: str) -> dict[str, Any]:
    """Hold secrets back until TLS stands: the client by itself would answer a server that offers none."""
    context = ssl.create_default_context()

    def guarded(secret: str) -> Callable[[], str]:
        def give() -> str:
            if not context.session_stats()["connect_good"]:
                raise InvalidInputError(f"NATS server {shown}: offers no TLS; use nats:// or another server")
            return secret

        return give

    named = ("user", "password", "token")
    return {k: guarded(v) if k in named else v for k, v in options.items()} | {"tls": context}

"""How to reach a NATS server: address and credentials, the same for sink, check and ``tail``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

import msgspec
import nats
import nats.errors
from nats.aio.client import Client

from smartstream.config.settings import Settings
from smartstream.errors import InvalidInputError, UnavailableError

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
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


async def connect(access: NatsAccess, *, closed: Callable[[], Awaitable[None]] | None = None) -> Client:
    """One connection that does not reconnect by itself: what was on its way is the caller's to settle.

    Raises:
        InvalidInputError: The address cannot be read, the credentials are missing or refused.
        UnavailableError: Nobody answers there.
    """
    scheme = urlsplit(access.url).scheme
    if scheme not in ("nats", "tls"):
        raise InvalidInputError(f"NATS address {access.shown}: expected nats://HOST:PORT or tls://HOST:PORT")
    options: dict[str, Any] = {}
    if access.creds:
        if not Path(access.creds).is_file():
            raise InvalidInputError(f"NATS credentials file {access.creds}: no such file")
        options["user_credentials"] = access.creds
    elif access.token:
        options["token"] = access.token
    elif access.user:
        options.update(user=access.user, password=access.password)

    async def ignore(_: Exception) -> None:
        """Errors come back as exceptions or as a closed connection."""

    try:
        return await nats.connect(
            access.url,
            name="smartstream",
            allow_reconnect=False,
            connect_timeout=_CONNECT_S,
            pending_size=_PENDING_BYTES,
            error_cb=ignore,
            closed_cb=closed,
            **options,
        )
    except (nats.errors.AuthorizationError, nats.errors.Error) as e:
        if "authorization" in str(e).lower() or "authentication" in str(e).lower():
            raise InvalidInputError(f"NATS server {access.shown}: credentials refused") from e
        raise UnavailableError(f"NATS server {access.shown}: {e}") from e
    except (OSError, TimeoutError) as e:
        raise UnavailableError(f"NATS server {access.shown}: cannot be reached ({e or 'no answer'})") from e

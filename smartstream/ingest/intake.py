"""The intake: citizens' reports over HTTP, in the log before they are answered.

aiohttp serves it: one dependency (kept since 2013) with a parser in C, limits, an orderly shutdown, and the client
that tests and the load test need.

A report is stored once, however often it is sent: under its ``Idempotency-Key``, for as long as the log keeps it;
without a key by its content and sender within ten minutes.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from hashlib import blake2b
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import nats.errors
from nats.js.errors import NotFoundError

from smartstream.brokers.input_log import InputLog, LogWriter, TakenError
from smartstream.errors import UNREADABLE, InvalidInputError, MissingExtraError, UnavailableError
from smartstream.ingest.intake_forms import FormError, as_line, as_request, error_body, same_report
from smartstream.ingest.report_lines import pseudonym
from smartstream.model.time import rfc3339
from smartstream.observe.logging import get_logger

try:
    from aiohttp import web
    from aiohttp.http_exceptions import HttpProcessingError
except ImportError:  # the extra ``intake``: said where an intake is to be opened
    web = None  # type: ignore[assignment]

_UNDECODABLE: Final = () if web is None else (web.RequestPayloadError, HttpProcessingError)
"""What reading a body raises that is not what its header says."""
_MAX_BODY: Final = 32 << 10
_CLIENTS: Final = 100_000
_RETRY_S: Final = 2
_TOO_MANY: Final = "Gửi quá nhiều, xin thử lại sau ít phút."
_NOT_NOW: Final = "Hệ thống đang bận, xin gửi lại sau giây lát."
_log = get_logger("intake")

Statuses = Callable[[str], str | None]
"""What the engine has last said about a report of this id: ``open``, ``in_progress``, ``waiting``, ``closed``."""


class Limiter:
    """So many requests a minute of each client, up to that many at once; forgets who has been silent longest.

    Args:
        per_minute: Requests.
        now_s: A monotonic clock.
    """

    def __init__(self, per_minute: int, now_s: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._most, self._now_s = per_minute / 60, float(per_minute), now_s
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def passes(self, client: str) -> bool:
        """Whether one more is within the limit, and count it."""
        now = self._now_s()
        left, then = self._left.pop(client, (self._most, now))
        left = min(self._most, left + (now - then) * self._rate)
        self._left[client] = (left - 1 if left >= 1 else left, now)
        if len(self._left) > _CLIENTS:
            self._left.popitem(last=False)
        return left >= 1


class Intake:
    """One address, from ``open`` to ``close``.

    Args:
        url: ``http://HOST:PORT/PATH`` of the feed.
        site: Site id; pseudonyms of reporters hold within it.
        log: Where reports go.
        writer: Of the log.
        services: Code and name of every service.
        statuses: What has become of a report.
        per_client: Requests a minute of one client.
        behind_proxy: The client is who the proxy in front says (the last of ``X-Forwarded-For``).

    Raises:
        InvalidInputError: The extra ``intake`` is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        site: str,
        log: InputLog,
        writer: LogWriter,
        services: Mapping[str, str],
        statuses: Statuses,
        per_client: int,
        behind_proxy: bool,
    ) -> None:
        if web is None:
            raise MissingExtraError(url, "intake")
        self._url, self._site, self._stream, self._writer = url, site, log, writer
        self._services, self._statuses, self._behind_proxy = services, statuses, behind_proxy
        self._limiter = Limiter(per_client)
        self._runner: web.AppRunner | None = None

    async def open(self) -> None:
        """Listen.

        Raises:
            InvalidInputError: The address is taken or not ours.
        """
        parts = urlsplit(self._url)
        base = parts.path.rstrip("/")
        app = web.Application(client_max_size=_MAX_BODY, middlewares=[_in_form])
        app.router.add_get(f"{base}/services.json", self._list_services)
        app.router.add_get(f"{base}/services/{{code}}.json", self._one_service)
        app.router.add_post(f"{base}/requests.json", self._take)
        app.router.add_get(f"{base}/requests.json", self._list)
        app.router.add_get(f"{base}/requests/{{report}}.json", self._one)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, parts.hostname, parts.port or 80, backlog=1024).start()
        except OSError as e:
            await self._runner.cleanup()
            raise InvalidInputError(f"{self._url}: cannot listen there: {e.strerror or e}") from None

    async def close(self) -> None:
        """Answer what has begun, then leave."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.Response:
        client = self._client(request)
        if not self._limiter.passes(client):
            raise FormError(429, _TOO_MANY)
        key = _plain(request.headers.get("Idempotency-Key", ""))
        if len(key) > 256:
            raise FormError(400, "Idempotency-Key: tối đa 256 ký tự.")
        line = as_line(await _fields(request))
        who = {name: line.pop(name, None) for name in ("account_id", "phone", "email", "device_id")}
        line["reporter"] = pseudonym(self._site, who)
        line["time"] = rfc3339(time.time_ns())  # the one reading of a clock: from here on it is the report's time
        try:
            report, again = await (self._store_keyed(key, line) if key else self._store(client, line))
        except (UnavailableError, nats.errors.Error) as e:
            _log.warning("report not taken", why=str(e))
            raise FormError(503, _NOT_NOW) from None
        answer = [{"service_request_id": report, "service_notice": "Đã tiếp nhận phản ánh.", "account_id": None}]
        return _json(answer, status=200 if again else 201)

    async def _store_keyed(self, key: str, line: dict[str, Any]) -> tuple[str, bool]:
        """Once per key, as long as the log keeps it."""
        report = _name(self._site, self._url, key)
        subject = self._stream.line_subject(report)
        line["report"] = report
        try:
            await self._writer.append(subject, msgspec.json.encode(line), only=True)
        except TakenError:
            js = await self._writer.jetstream()
            stored = await js.get_last_msg(self._stream.stream, subject)
            if not same_report(msgspec.json.decode(stored.data or b"{}"), line):
                raise FormError(409, "Idempotency-Key đã dùng cho một phản ánh khác.") from None
            return report, True
        return report, False

    async def _store(self, client: str, line: dict[str, Any]) -> tuple[str, bool]:
        """Once per content and sender within the log's window."""
        said = msgspec.json.encode([client, {k: v for k, v in line.items() if k != "time"}])
        line["report"] = report = f"h-{secrets.token_hex(8)}"
        subject, msg_id = self._stream.line_subject(report), blake2b(said, digest_size=16).hexdigest()
        stored = await self._writer.append(subject, msgspec.json.encode(line), msg_id=msg_id)
        if not stored.duplicate:
            return report, False
        js = await self._writer.jetstream()
        first = msgspec.json.decode((await js.get_msg(self._stream.stream, stored.seq)).data or b"{}")
        return str(first["report"]), first["report"] != report

    async def _one(self, request: web.Request) -> web.Response:
        found = await self._look_up(request.match_info["report"])
        if found is None:
            raise FormError(404, "Không có phản ánh này.")
        return _json([found])

    async def _list(self, request: web.Request) -> web.Response:
        names = [name for name in request.query.get("service_request_id", "").split(",") if name]
        if not 1 <= len(names) <= 100:
            raise FormError(400, "Cần service_request_id: 1 đến 100 mã, cách nhau bằng dấu phẩy.")
        return _json([found for name in names if (found := await self._look_up(name)) is not None])

    async def _look_up(self, report: str) -> dict[str, Any] | None:
        if not report.replace("-", "").isalnum() or not report.isascii() or len(report) > 64:
            return None
        try:
            js = await self._writer.jetstream()
            stored = await js.get_last_msg(self._stream.stream, self._stream.line_subject(report))
        except NotFoundError:
            return None
        except (nats.errors.Error, UnavailableError):
            raise FormError(503, _NOT_NOW) from None
        return as_request(msgspec.json.decode(stored.data or b"{}"), self._statuses(report) or "open")

    async def _list_services(self, _: web.Request) -> web.Response:
        return _json([_service(code, name) for code, name in self._services.items()])

    async def _one_service(self, request: web.Request) -> web.Response:
        code = request.match_info["code"]
        if code not in self._services:
            raise FormError(404, "Không có service_code này.")
        return _json({"service_code": code, "attributes": []})

    def _client(self, request: web.Request) -> str:
        if self._behind_proxy:
            said = _plain(request.headers.get("X-Forwarded-For", "")).rpartition(",")[2].strip()
            if said:
                return said
        return request.remote or ""


def _plain(header: str) -> str:
    """A header whose bytes may be no UTF-8, as text that can be written again."""
    return header.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _name(*words: str) -> str:
    return f"h-{blake2b(chr(31).join(words).encode(), digest_size=8).hexdigest()}"


def _service(code: str, name: str) -> dict[str, Any]:
    return {
        "service_code": code,
        "service_name": name,
        "description": name,
        "metadata": False,
        "type": "realtime",
        "keywords": "",
        "group": "",
    }


async def _fields(request: web.Request) -> Mapping[str, Any]:
    """The fields of a form or of a JSON object."""
    if request.content_type == "application/json":
        try:
            found = msgspec.json.decode(await request.read())
        except (*UNREADABLE, *_UNDECODABLE):
            raise FormError(400, "Nội dung không phải JSON hợp lệ.") from None
        if not isinstance(found, dict):
            raise FormError(400, "Nội dung JSON cần là một đối tượng.")
        return found
    if request.content_type in ("application/x-www-form-urlencoded", "multipart/form-data"):
        try:
            form = await request.post()
        except (ValueError, LookupError, RuntimeError, *_UNDECODABLE):
            raise FormError(400, "Biểu mẫu không đọc được.") from None
        if any(not isinstance(value, str) for value in form.values()):
            raise FormError(400, "Không nhận tệp đính kèm: hãy gửi địa chỉ ảnh bằng media_url.")
        return form
    raise FormError(415, "Cần application/x-www-form-urlencoded hoặc application/json.")


def _json(body: Any, *, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json", charset="utf-8")


async def _as_form(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
    """Every refusal in the form of Open311."""
    try:
        return await handler(request)
    except FormError as e:
        status, text = e.status, e.text
    except web.HTTPRequestEntityTooLarge:
        status, text = 413, f"Nội dung quá lớn: tối đa {_MAX_BODY >> 10} KB."
    except web.HTTPMethodNotAllowed:
        status, text = 405, "Không hỗ trợ phương thức này."
    except web.HTTPNotFound:
        status, text = 404, "Không có địa chỉ này. Chỉ có JSON: /services.json, /requests.json."
    more = {"Retry-After": str(_RETRY_S if status == 503 else 60)} if status in (429, 503) else None
    body = error_body(status, text)
    return web.Response(body=body, status=status, content_type="application/json", charset="utf-8", headers=more)


_in_form = web.middleware(_as_form) if web is not None else None

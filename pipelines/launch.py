"""A whole run: checks first, then broker, processes, progress, ledger."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec
from bytewax.recovery import init_db_dir

from pipelines.arming import city_spec
from pipelines.children import start
from pipelines.doors import DoorPlan, Doors, has_doors
from pipelines.evidence import evidence_store
from pipelines.feeds import needs_log
from pipelines.hosts import Hosts, check_shared, wait_for_recovery
from pipelines.live_cameras import look_at_cameras
from pipelines.outputs import check_apart, held, inputs_of
from pipelines.panics import HeldPanics
from pipelines.progress import Progress
from pipelines.run_folder import run_folder
from pipelines.worker import (
    Plan,
    board_of,
    execute,
    junction_specs,
    keep_stdout_clean,
    ledger_sink,
    record_sink,
    sides_of,
    stop_on_signals,
    why_file,
)
from smartstream.brokers.nats_access import NatsAccess
from smartstream.config.settings import settings
from smartstream.config.site import Site, load_site
from smartstream.errors import InvalidInputError, UnavailableError
from smartstream.ingest.source import STOP
from smartstream.observe.logging import get_logger
from smartstream.sinks.event_file import EventFileSink
from smartstream.sinks.nats import prepare as prepare_streams
from smartstream.sinks.nats_server import EmbeddedServer
from smartstream.sinks.nats_streams import StreamLimits

_DRAIN_S: Final = 60.0  # how long the processes may take to drain before they are killed
_RECOVERY_PARTITIONS: Final = 8  # fixed for the life of a recovery folder; at least the number of workers
_log = get_logger("run")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What ``smartstream run`` was asked for; see its help."""

    site: Path
    events: str | None = None
    use_nats: bool = True
    summary: Path | None = None
    speed: float | None = None
    workers: int = 1
    processes: int = 1
    recovery: Path | None = None
    record: Path | None = None
    quiet: bool = False
    on_ready: Callable[[NatsAccess | None], None] | None = None


def launch(options: Options) -> Path | None:
    """Run a site to the end of its sources, or until SIGINT or SIGTERM.

    Returns:
        The ledger's file when one was asked for.

    Raises:
        InvalidInputError: Something the user gave is wrong; nothing has run.
        SmartstreamError: Something failed on the way; with ``--recovery`` the run can be resumed.
    """
    STOP.clear()
    stop_on_signals()
    settings()  # a variable that is wrong is told before anything runs
    site = load_site(options.site)
    specs = junction_specs(site)
    for spec in specs:
        for rule in spec.rules.not_armed:
            _log.warning("rule not armed: this version does not know it yet", camera=rule.camera, rule=rule.kind)
    resuming = False
    hosts = Hosts.of(os.environ)
    if hosts is not None:
        check_shared(site, processes=options.processes, nats=options.use_nats or needs_log(site))
    first = hosts is None or hosts.first
    with ExitStack() as stack:
        if options.recovery is not None:
            if first:
                stack.enter_context(held(options.recovery, "recovery folder"))
            else:
                wait_for_recovery(options.recovery / "site")
            resuming = _prepare_recovery(options.recovery, site)
        folder = stack.enter_context(run_folder())
        broker, inputs = _brokers(options, site, stack)
        plan = _plan(options, hosts, folder, broker, inputs)
        sides = sides_of(plan, site)
        if first and not resuming:
            look_at_cameras(site, site.camera)
        board = board_of(plan, sides, create=True)
        recorder = record_sink(plan, sides)
        events = [] if plan.events in (None, "-") else [Path(str(plan.events))]
        outputs = {"--events": events, "--summary": [options.summary] if options.summary else []}
        check_apart({**outputs, "--record": recorder.files() if recorder else []}, inputs_of(site, options.site))
        if first:
            for path in events:
                stack.enter_context(held(path, "events file", folder=False))
            if plan.events is not None:
                EventFileSink(plan.events).prepare(resuming=resuming)
            if recorder is not None:
                recorder.prepare(resuming=resuming)
            if not resuming:
                ledger_sink(plan, site, specs, city_spec(site), board).prepare()
        evidence = evidence_store(site)  # folder and key are there before processes want them
        if first and evidence is not None:
            stack.enter_context(held(evidence.folder, "evidence.dir"))
            evidence.open()
        if first and inputs is not None and has_doors(site):
            stack.enter_context(Doors(DoorPlan(plan.site, inputs), folder))
        if options.on_ready is not None:
            options.on_ready(plan.nats)
        progress = None if options.quiet else stack.enter_context(Progress(board))
        if hosts is not None:
            keep_stdout_clean()
            execute(plan, hosts.index)
        elif options.processes == 1:
            execute(plan, None)
        else:
            _supervise(plan, folder)
        if progress is not None:
            progress.finish()
    return options.summary


def _plan(
    options: Options, hosts: Hosts | None, folder: Path, broker: NatsAccess | None, inputs: NatsAccess | None
) -> Plan:
    """What the processes must agree on: what was asked for, with paths that hold wherever they run."""
    return Plan(
        site=str(options.site.absolute()),
        speed=options.speed,
        workers=options.workers,
        addresses=_addresses(options.processes) if hosts is None else hosts.addresses,
        elsewhere=hosts is not None,
        board=str(folder / "board"),
        summary=str((options.summary or folder / "summary.json").absolute()),
        events=options.events if options.events in (None, "-") else str(Path(str(options.events)).absolute()),
        nats=broker,
        inputs=inputs,
        recovery=None if options.recovery is None else str(options.recovery.absolute()),
        record=None if options.record is None else str(options.record.absolute()),
        quiet=options.quiet,
    )


def _brokers(options: Options, site: Site, stack: ExitStack) -> tuple[NatsAccess | None, NatsAccess | None]:
    """Where events go and where live feeds are kept: the same server, unless nothing is to be published."""
    if options.use_nats:
        access = _broker(site, stack)
        return access, access
    if site.nats.url == "embedded" or not needs_log(site):
        return None, None
    return None, NatsAccess.from_settings(site.nats.url, settings())


def _broker(site: Site, stack: ExitStack) -> NatsAccess:
    """The broker of the site file; the embedded one lives as long as the run."""
    if site.nats.url == "embedded":
        access = stack.enter_context(EmbeddedServer(site.path(site.nats.store))).access
    else:
        access = NatsAccess.from_settings(site.nats.url, settings())
    prepare_streams(access, StreamLimits.of_site(site))
    return access


def _prepare_recovery(folder: Path, site: Site) -> bool:
    """Make the recovery folder or recognise one; ``True`` when there is something to resume.

    Raises:
        InvalidInputError: The folder belongs to another site file.
    """
    stamp, epochs = folder / "site", folder / "epochs"
    fingerprint = site.fingerprint()
    try:
        if stamp.exists():
            if stamp.read_text().strip() != fingerprint:
                raise InvalidInputError(
                    f"{folder}: the site file has changed since this recovery folder was made; "
                    "put it back, or start anew with another folder"
                )
            return True
        epochs.mkdir(parents=True, exist_ok=True)
        for half_made in epochs.glob("part-*.sqlite3*"):
            half_made.unlink()
        with HeldPanics():
            init_db_dir(epochs, _RECOVERY_PARTITIONS)
        stamp.write_text(fingerprint + "\n")  # last: a folder without it is made again
    except OSError as e:
        raise InvalidInputError(f"recovery folder {folder}: cannot be used: {e.strerror}") from e
    return False


def _addresses(processes: int) -> tuple[str, ...]:
    """A free loopback address for each process."""
    if processes == 1:
        return ()
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(processes)]
    addresses = tuple(f"127.0.0.1:{s.getsockname()[1]}" for s in held)
    for s in held:
        s.close()
    return addresses


def _supervise(plan: Plan, folder: Path) -> None:
    """Start the processes, watch them, stop them as one: the death of any ends all.

    Raises:
        InvalidInputError: A process met something wrong that the user gave.
        UnavailableError: A process gave up for another reason, or died; says how each one ended.
    """
    path = folder / "plan.json"
    path.touch(mode=0o600)  # it holds the broker's password
    path.write_bytes(msgspec.json.encode(plan))
    children = [start("pipelines.worker", str(path), str(i)) for i in range(len(plan.addresses))]
    told = killed = False
    deadline = float("inf")
    try:
        while any(child.poll() is None for child in children):
            failed = any(child.poll() not in (None, 0) for child in children)
            if (STOP.is_set() or failed) and not told:
                told, deadline = True, time.monotonic() + (_DRAIN_S if not failed else 5.0)
                for child in children:
                    child.send_signal(signal.SIGTERM)
            if time.monotonic() > deadline and not killed:
                killed = True
                for child in children:
                    child.kill()
            time.sleep(0.05)
    finally:
        for child in children:
            child.kill()
            child.wait()
    codes = [child.returncode for child in children]
    if any(codes):
        ended = ", ".join(f"process {i}: {_ending(code)}" for i, code in enumerate(codes) if code)
        left = [why_file(plan, i) for i in range(len(codes))]
        why = dict.fromkeys(file.read_text(encoding="utf-8") for file in left if file.exists())  # the same once
        kind = InvalidInputError if 2 in codes else UnavailableError
        raise kind(f"{'; '.join(why) or 'the run has ended early'} ({ended})")


def _ending(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

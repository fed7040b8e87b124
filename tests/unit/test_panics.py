"""One clear message instead of what Bytewax prints about a panic."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest
from bytewax import operators as op
from bytewax.dataflow import Dataflow
from bytewax.errors import BytewaxRuntimeError
from bytewax.run import cli_main
from bytewax.testing import TestingSink, TestingSource

from pipelines.panics import HeldPanics
from smartstream.errors import InvalidInputError


def run_and_fail(error: type[Exception]) -> None:
    """A flow whose step gives up, with what is written beside it."""

    def give_up(_item: int) -> int:
        os.write(2, b"before\n")
        raise error("in plain words")

    flow = Dataflow("fails")
    op.output("out", op.map("give_up", op.input("in", flow, TestingSource([1])), give_up), TestingSink([]))
    with HeldPanics():
        cli_main(flow)


@pytest.mark.parametrize("trace", ["0", "1"])
def test_a_panic_is_held_back_where_a_message_follows(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, trace: str
) -> None:
    monkeypatch.setenv("RUST_BACKTRACE", trace)
    with pytest.raises(InvalidInputError, match="in plain words"):
        run_and_fail(InvalidInputError)
    os.write(2, b"after\n")
    said = capfd.readouterr().err
    assert "before" in said
    assert "after" in said
    assert "panicked" not in said
    assert "Box<dyn Any>" not in said


def test_a_panic_nobody_expected_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError):
        run_and_fail(RuntimeError)
    said = capfd.readouterr().err
    # Once a cluster has run in this process, Bytewax prints the traceback instead.
    assert "panicked at src/" in said or "Traceback" in said


@pytest.mark.parametrize(
    "second",
    [
        b"thread '<unnamed>' panicked at src/outputs.rs:383:60:\nBox<dyn Any>\n",
        b"RuntimeError: (src/run.rs:292:17) panicked at /git/timely-dataflow-4c0c/432ef57/communication/src/"
        b"allocator/zero_copy/bytes_exchange.rs:55:48:\nMergeQueue poisoned.\n",
    ],
)
def test_what_follows_a_panic_goes_through(capfd: pytest.CaptureFixture[str], second: bytes) -> None:
    def speak() -> None:
        with HeldPanics():
            os.write(2, second + b"a line of the log\n" + second)
            raise InvalidInputError("in plain words")

    with pytest.raises(InvalidInputError):
        speak()
    assert capfd.readouterr().err == "a line of the log\n"


PANIC = RuntimeError("(src/run.rs:292:17) panicked at /git/timely-dataflow-4c0c/x.rs:55:48:\nMergeQueue poisoned.")


@pytest.fixture
def print_panic(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    """What Bytewax does in a process of a cluster."""
    monkeypatch.setattr(sys, "excepthook", sys.__excepthook__)
    return lambda error: sys.excepthook(type(error), error, None)


def test_a_panic_of_a_cluster_is_held_back_where_a_message_follows(
    capfd: pytest.CaptureFixture[str], print_panic: Callable[[Exception], None]
) -> None:
    def give_up() -> None:
        with HeldPanics():
            print_panic(PANIC)
            print_panic(BytewaxRuntimeError("error in a step"))
            print_panic(ValueError("nothing to do with it"))
            raise InvalidInputError("in plain words")

    with pytest.raises(InvalidInputError):
        give_up()
    print_panic(PANIC)  # the threads of the network outlive the flow
    assert capfd.readouterr().err == "ValueError: nothing to do with it\n"


def test_a_panic_of_a_cluster_nobody_expected_is_shown(
    capfd: pytest.CaptureFixture[str], print_panic: Callable[[Exception], None]
) -> None:
    def give_up() -> None:
        with HeldPanics():
            print_panic(PANIC)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        give_up()
    assert "MergeQueue poisoned" in capfd.readouterr().err

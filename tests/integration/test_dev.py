"""``./dev`` on machines that are not what they seem."""

import os
import select
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def doctor(*first: Path) -> dict[str, str]:
    """What ``./dev doctor`` finds with these folders first on the PATH."""
    path = os.pathsep.join([*map(str, first), os.environ["PATH"]])
    done = subprocess.run(
        ["/bin/sh", ROOT / "dev", "doctor"],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return {line.split()[0]: line.split(maxsplit=1)[1] for line in done.stderr.splitlines()}


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Programs that exist and do not run, as version managers leave them."""
    for name in ("python3.11", "python3.12", "python3", "cargo", "rustc"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho 'manager: {name}: command not found' >&2\nexit 127\n")
        program.chmod(0o755)
    return tmp_path


def test_a_python_that_exists_but_does_not_run_is_passed_over(
    broken: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("good")
    (elsewhere / "python").symlink_to(os.path.realpath(sys.executable))
    assert str(broken) not in doctor(broken, elsewhere)["python"]


def test_a_rust_that_does_not_run_is_missing(broken: Path) -> None:
    found = doctor(broken)
    assert found["rust"].startswith("none")
    assert "rustc-web" in found["missing"]


def test_an_old_rust_is_missing(tmp_path: Path) -> None:
    for name, version in (("cargo", "cargo 1.63.0 (fd9c4297c 2022-07-01)"), ("rustc", "rustc 1.63.0")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{version}'\n")
        (tmp_path / name).chmod(0o755)
    assert doctor(tmp_path)["rust"].startswith("none")


@pytest.mark.parametrize(
    ("library", "missing"),
    [("libclang-cpp.so.14", True), ("libclang-14.so.1", False), ("libclang.so.1", False)],
)
def test_the_cpp_library_of_clang_is_not_the_one_that_the_build_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, library: str, missing: bool
) -> None:
    monkeypatch.delenv("LIBCLANG_PATH", raising=False)
    for name, says in (("ldconfig", f"{library} (libc6,x86-64) => /lib/{library}"), ("ls", "")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{says}'\n")
        (tmp_path / name).chmod(0o755)
    assert ("libclang-dev" in doctor(tmp_path)["missing"]) == missing


def test_an_environment_that_was_moved_is_made_again(tmp_path: Path) -> None:
    """Its programs name the folder where it was made: they were not found, or those of another checkout ran."""
    shutil.copy(ROOT / "dev", tmp_path / "dev")
    programs, elsewhere = tmp_path / ".venv/bin", tmp_path / "elsewhere"
    programs.mkdir(parents=True)
    elsewhere.mkdir()
    (programs / "activate").write_text('VIRTUAL_ENV="/where/it/was/.venv"\n')
    for python in (programs / "python", elsewhere / "python3.11"):
        python.write_text('#!/bin/sh\n[ "$2" != venv ] || { echo made again >&2; exit 3; }\n')
        python.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", tmp_path / "dev", "demo"],
        env={**os.environ, "PATH": f"{elsewhere}:{os.environ['PATH']}", "PYTHON": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "made again" in done.stderr) == (3, True), done.stderr


@pytest.fixture
def pretended(tmp_path: Path) -> dict[str, str]:
    """The environment of a checkout in which every program does nothing, gladly."""
    shutil.copy(ROOT / "dev", tmp_path / "dev")
    programs = tmp_path / ".venv/bin"
    programs.mkdir(parents=True)
    (programs / "activate").write_text(str(tmp_path / ".venv"))
    for name in ("apt-get", "sudo", "maturin", "ruff", "mypy", "lint-imports", "rustc", "cargo", "python"):
        says = {"cargo": "[ $1 != --version ] || echo cargo 1.99.0", "python": 'echo "python $*"'}.get(name, ":")
        (programs / name).write_text(f"#!/bin/sh\n{says}\n")
        (programs / name).chmod(0o755)
    return {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "SMARTSTREAM_VENV": ""}


def test_a_rust_test_that_fails_is_told_and_the_python_tests_run_all_the_same(
    pretended: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / ".venv/bin/cargo").write_text(
        "#!/bin/sh\ncase $1 in test) echo wrong in Rust; exit 101 ;; --version) echo cargo 1.99.0 ;; esac\n"
    )
    done = subprocess.run(
        ["/bin/sh", tmp_path / "dev", "test"], env=pretended, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1, done.stderr
    assert "wrong in Rust" in done.stderr
    assert "FAILED before the Python tests:\n    cargo test" in done.stderr
    assert "python -m pytest --numprocesses 2" in done.stdout


def test_rust_tests_end_with_the_command_that_began_them(pretended: dict[str, str], tmp_path: Path) -> None:
    """A shell keeps Ctrl-C from what it runs in the background."""
    began = tmp_path / "began"
    os.mkfifo(began)
    (tmp_path / ".venv/bin/cargo").write_text(
        f"#!/bin/sh\ncase $1 in test) echo $$ >{began}; exec sleep 300 ;; --version) echo cargo 1.99.0 ;; esac\n"
    )
    run = subprocess.Popen(
        ["/bin/sh", tmp_path / "dev", "test"],
        env=pretended,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # These tests may themselves run in a shell's background, where Ctrl-C is ignored, and a shell cannot undo that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    cargo = os.pidfd_open(int(began.read_text()))
    run.send_signal(signal.SIGINT)
    assert run.wait(timeout=60) == 130
    assert select.select([cargo], [], [], 60)[0], "it runs on"
    os.close(cargo)


def test_without_a_command_it_lists_them() -> None:
    done = subprocess.run([ROOT / "dev"], capture_output=True, text=True, timeout=60, check=True)
    for command in ("setup", "demo", "test", "lint", "format", "bench", "build", "golden", "clean", "ci"):
        assert f"\n  {command} " in done.stdout


def test_the_pinned_nats_server_is_the_one_of_the_extra() -> None:
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["nats"]
    assert f"\n{extra[0]} ;" in (ROOT / "requirements/nats.txt").read_text()

"""Runs every shared test file a second time on each real MicroPython of this machine.

A file tests_host/firmware/**/test_*.py is collected by pytest as usual, and once more as one item
for each runtime: `test_frame.py::micropython-i386`. There both the firmware and the tests are
bytecode, as on a board, in a heap of a fixed size. What no runtime is there for is a skipped item,
so that it is named in the summary.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

from meterlab.runtimes import Runtime, RuntimeUnfit, find_runtimes
from setup.arguments import used
from setup.build import BuildError, compile_tree, shorten_tree

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT / "tests_host" / "firmware"
RUNNER = ROOT / "tests_host" / "upy" / "run.py"
COMPILED = ROOT / ".cache" / "upy"


# What `-n auto` means. Some tests wait, for a board that starts or a server that takes its time;
# meanwhile another one has the processor.
def pytest_xdist_auto_num_workers() -> int:
    return len(os.sched_getaffinity(0)) * 3 // 2 or 1


# For the tests themselves, and a flash in RAM that some have beside them; what the gateway has to
# do with is tested on the virtual board. Objects are twice as large on 64 bits.
HEAP = {32: "320k", 64: "640k"}
SECONDS = 120

FUZZ = 20_000

SKIPPED = "skipped on MicroPython"


class MicroPythonFailure(Exception):
    """A shared test failed on MicroPython; the text is what the run printed."""


class MicroPythonItem(pytest.Item):
    """One shared test file on one runtime."""

    runtime: Runtime | None = None
    heap: str = ""
    absent: str = ""

    def runtest(self) -> None:
        if self.runtime is None:
            pytest.skip(self.absent)
        compiled = COMPILED / "shared" / self.path.relative_to(SHARED).with_suffix(".mpy")
        command = [*self.runtime.argv, "-X", f"heapsize={self.heap}", str(RUNNER)]
        command += [
            str(compiled),
            "--lib",
            str(COMPILED / "lib"),
            "--helpers",
            str(COMPILED / "shared"),
        ]
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            said = error.stdout.decode(errors="replace") if isinstance(error.stdout, bytes) else ""
            raise MicroPythonFailure(f"{said}\nno end within {SECONDS} s") from None
        if done.returncode:
            raise MicroPythonFailure(
                f"{done.stdout}\nexit code {done.returncode}, heap {self.heap}"
            )
        for line in done.stdout.splitlines():
            if line.startswith("skip "):
                self.user_properties.append((SKIPPED, line[5:]))

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None
    ) -> str:
        if isinstance(excinfo.value, MicroPythonFailure):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, f"{self.path.name} on {self.name}"


class MicroPythonFile(pytest.File):
    """The items of one shared test file, one for each runtime."""

    def collect(self) -> Iterable[MicroPythonItem]:
        runtimes = self.config.stash[RUNTIMES]
        heap = self.config.getoption("--upy-heap")
        for runtime in runtimes:
            item = MicroPythonItem.from_parent(self, name=runtime.name)
            item.runtime = runtime
            item.heap = heap or HEAP[runtime.bits]
            yield item
        for bits in {32, 64} - {runtime.bits for runtime in runtimes}:
            item = MicroPythonItem.from_parent(self, name=f"micropython-{bits}-bit")
            item.absent = f"no {bits}-bit MicroPython on this machine"
            yield item


RUNTIMES = pytest.StashKey[tuple[Runtime, ...]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--upy-heap", metavar="SIZE", help="heap of the shared tests on MicroPython, such as 100k"
    )
    parser.addoption(
        "--fuzz",
        type=int,
        metavar="COUNT",
        help="inputs of each fuzz test, instead of few",
    )


@pytest.fixture
def fuzz_count(request: pytest.FixtureRequest) -> int:
    """How many inputs a fuzz test shall try: few in every run, many in `make fuzz`."""
    return request.config.getoption("--fuzz") or FUZZ


def _stop(error: Exception) -> NoReturn:
    raise pytest.UsageError(str(error)) from error


def _set_up_hypothesis() -> None:
    """No deadline on a busy machine; in continuous integration the same examples every time."""
    set_hypothesis_home_dir(ROOT / ".cache" / "hypothesis")
    settings.register_profile("kenshin", deadline=None, derandomize="CI" in os.environ)
    settings.load_profile("kenshin")


def pytest_configure(config: pytest.Config) -> None:
    _set_up_hypothesis()
    try:
        config.stash[RUNTIMES] = find_runtimes()
    except RuntimeUnfit as error:
        _stop(error)
    if not hasattr(config, "workerinput"):
        # With the names of a board, but for those that the tests use themselves.
        shared = (path for path in SHARED.rglob("*.py") if not path.name.startswith("host_"))
        known = set[str]().union(*(used(path.read_text("utf-8")) for path in shared))
        try:
            shorten_tree(
                ROOT / "firmware" / "lib", COMPILED / "source", frozenset(known), keep_broken=True
            )
        except BuildError as error:
            _stop(error)
        compile_tree(COMPILED / "source", COMPILED / "lib", keep_broken=True)
        # With level 0, for above it asserts are dropped and every test passes.
        compile_tree(SHARED, COMPILED / "shared", skip="host_*.py", keep_broken=True, level=0)


def pytest_report_header(config: pytest.Config) -> str:
    names = ", ".join(map(str, config.stash[RUNTIMES]))
    return f"micropython: {names or 'none on this machine; `make setup` gets one'}"


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.File | None:
    if (
        file_path.name.startswith("test_")
        and file_path.suffix == ".py"
        and SHARED in file_path.parents
    ):
        return MicroPythonFile.from_parent(parent, path=file_path)
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == SKIPPED:
                terminalreporter.write_line(f"{SKIPPED}: {report.nodeid} {value}")

"""`kenshin board flash` at MicroPython's own raw REPL, which a real board runs, and not at the
virtual board's, which is written in Python.

The unix port has it since 1.27; the one from PyPI is a 1.29. It has no `ffi`, so no virtual board
can be made of it: a littlefs in memory and the prompt are all there is, and no restart.
"""

from __future__ import annotations

import importlib.util
import os
import pty
import selectors
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from kenshin.board.flash import about, carry_out, check, make_plan, read_files
from kenshin.board.repl import BoardSaid, Repl

SECONDS = 100

START = """
import vfs
class Blocks:
    def __init__(self):
        self._bytes = bytearray(4096 * 128)
    def readblocks(self, number, into, offset=0):
        at = number * 4096 + offset
        into[:] = memoryview(self._bytes)[at : at + len(into)]
    def writeblocks(self, number, data, offset=0):
        at = number * 4096 + offset
        self._bytes[at : at + len(data)] = data
    def ioctl(self, what, _):
        return {4: 128, 5: 4096}.get(what, 0)
blocks = Blocks()
vfs.VfsLfs2.mkfs(blocks)
vfs.umount("/")
vfs.mount(vfs.VfsLfs2(blocks), "/")
import sys
sys.path[:] = ["", ".frozen", "/lib"]
"""


@pytest.fixture
def port() -> Iterator[str]:
    """The serial line of a MicroPython that waits at its prompt."""
    if importlib.util.find_spec("micropython_unix") is None:
        pytest.skip("PyPI has no MicroPython 1.29 for this machine")
    near, inner = pty.openpty()
    far, outer = pty.openpty()
    tty.setraw(inner)
    tty.setraw(outer)
    process = subprocess.Popen(
        [sys.executable, "-m", "micropython_unix", "-i", "-c", START],
        stdin=inner,
        stdout=inner,
        stderr=inner,
        start_new_session=True,
    )
    os.close(inner)
    ready = threading.Event()
    wake, woken = os.pipe()

    # It forgets what came before its prompt. And a pty whose one end closes is gone for the other,
    # so the far end is held open here, too.
    def carry() -> None:
        seen = b""
        with selectors.DefaultSelector() as waiting:
            for one, other in ((near, far), (far, near), (wake, -1)):
                waiting.register(one, selectors.EVENT_READ, other)
            while True:
                for key, _ in waiting.select():
                    if key.data < 0:
                        return
                    data = os.read(key.fd, 4096)
                    os.write(key.data, data)
                    seen = seen[-16:] + data
                    if key.fd == near and b">>> " in seen:
                        ready.set()

    thread = threading.Thread(target=carry)
    thread.start()
    try:
        assert ready.wait(SECONDS), "no prompt"
        yield os.ttyname(outer)
    finally:
        os.write(woken, b"x")
        thread.join(SECONDS)
        process.kill()
        process.wait(SECONDS)
        for one in (near, far, outer, wake, woken):
            os.close(one)


def test_the_build_is_installed_by_way_of_the_real_prompt(port: str, files: Path) -> None:
    wanted = read_files(files)
    with Repl(port, soft_reset=False) as repl:
        board = about(repl)
        check(board)
        assert board.version >= (1, 27, 0) and board.flash_free > 400_000
        told: list[str] = []
        carry_out(
            repl, make_plan(repl, wanted, repl.tree("/lib")), lambda path, *_: told.append(path)
        )
        assert sorted(told) == sorted(wanted)
        there = [entry for entry in repl.tree("/lib") if not entry.folder]
        assert {entry.path: entry.size for entry in there} == {
            path: len(data) for path, data in wanted.items() if path.startswith("/lib/")
        }
        assert make_plan(repl, wanted, repl.tree("/lib")).done
        assert repl.read("/main.py") == wanted["/main.py"]
        assert repl.eval("__import__('echonet.frame').__name__") == "echonet"
        with pytest.raises(BoardSaid, match="no module named 'echonet.nothing'"):
            repl.exec("import echonet.nothing")
    # Left at the friendly prompt, from which the next command comes in again.
    with Repl(port, soft_reset=False) as repl:
        assert repl.eval("6 * 7") == 42

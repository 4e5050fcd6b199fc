"""The flash: images made and read by MicroPython, restarts, and the power that goes at any
moment.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from meterlab.board import FlashError, flash


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "firmware"
    (folder / "lib" / "deep").mkdir(parents=True)
    (folder / "boot.py").write_text("x = 1\n")
    (folder / "lib" / "deep" / "data.bin").write_bytes(bytes(range(256)) * 50)
    (folder / "empty").write_bytes(b"")
    return folder


def test_build_and_read(runtime, folder, tmp_path):
    flash.build(runtime, folder, tmp_path / "image", 128 << 10)
    assert (tmp_path / "image").stat().st_size == 128 << 10
    names = flash.read(runtime, tmp_path / "image", tmp_path / "back")
    assert names == ["boot.py", "empty", "lib/deep/data.bin"]
    for name in names:
        assert (tmp_path / "back" / name).read_bytes() == (folder / name).read_bytes()


def test_what_does_not_fit_or_is_no_image(runtime, folder, tmp_path):
    (folder / "big").write_bytes(bytes(100_000))
    with pytest.raises(FlashError):
        flash.build(runtime, folder, tmp_path / "image", 64 << 10)
    assert not list(tmp_path.glob("image*"))
    (tmp_path / "junk").write_bytes(os.urandom(65536))
    with pytest.raises(FlashError):
        flash.read(runtime, tmp_path / "junk", tmp_path / "back")
    with pytest.raises(FlashError, match="multiple"):
        flash.build(runtime, folder, tmp_path / "image", 5000)


def test_a_folder_becomes_a_fresh_flash_each_time(make_board, connect, folder, tmp_path):
    board = make_board(flash=folder)
    raw = connect(board)
    raw.raw()
    assert raw.eval("__import__('os').listdir('/lib/deep')") == ["data.bin"]
    raw.run("open('new', 'w').close()")
    board.stop()
    board.start()
    again = connect(board)
    again.raw()
    assert sorted(again.eval("__import__('os').listdir()")) == ["boot.py", "empty", "lib"]
    assert not (folder / "new").exists()


def test_an_image_keeps_everything(make_board, connect, tmp_path):
    image = tmp_path / "image"
    board = make_board(flash=image)
    raw = connect(board)
    raw.raw()
    raw.run("f = open('main.py', 'w'); f.write('print(\"from flash\")'); f.close()")
    for again in (lambda: board.power_cycle(), lambda: (board.stop(), board.start())):
        again()
        raw = connect(board)
        raw.send(b"\r\x04")
        raw.expect(b"soft reboot\r\nfrom flash\r\n")
    board.power_cut()
    assert board.read_flash(tmp_path / "back") == ["main.py"]
    assert image.stat().st_size == 256 << 10


def test_size_and_free_space(make_board, connect, tmp_path):
    raw = connect(make_board(flash=tmp_path / "image", flash_size="1M"))
    raw.raw()
    block, _, total, free = raw.eval("__import__('os').statvfs('/')[:4]")
    assert (block, total) == (4096, 256)
    assert free >= 250


WRITER = """
import os
def put(name, n):
    with open(name, 'ab') as f:
        for i in range(n):
            f.write(b'%08d' % i)
            f.flush()
            print('kept', i)
"""


def kept(seen: bytes) -> int:
    """The last record that the board said is on the flash."""
    part = seen.rsplit(b"kept ", 1)
    return int(part[1].split(b"\r")[0]) if len(part) > 1 and b"\r" in part[1] else -1


@pytest.mark.parametrize("torn", [0, 1, 7, 4095])
def test_power_goes_at_a_flash_operation(make_board, connect, tmp_path, torn):
    image = tmp_path / "image"
    board = make_board(flash=image, flash_size="64K")
    for operation in (1, 2, 5, 9):
        raw = connect(board)
        raw.raw()
        raw.run(WRITER + "try: os.remove('log')\nexcept OSError: pass")
        mark, before = board.events.mark(), len(raw.seen)
        board.power_cut_at(operation, torn)
        raw.start("put('log', 50)")
        board.events.wait("off", 60, mark)
        raw.silent(0.1)
        said = kept(raw.seen[before:])
        board.power_on()
        raw = connect(board)
        raw.raw()
        data = raw.eval("open('log', 'rb').read() if 'log' in __import__('os').listdir() else b''")
        whole = len(data) // 8
        assert data[: whole * 8] == b"".join(b"%08d" % i for i in range(whole))
        assert whole >= said + 1


def test_flash_operations_are_counted(raw, board):
    before = board.flash_operations()
    raw.run("f = open('x', 'wb'); f.write(bytes(4096)); f.close()")
    after = board.flash_operations()
    assert after[0] > before[0] and after[1] > before[1] and after[2] >= before[2] + 4096


def children_of(pid):
    """The processes that `pid` has started and that still run."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = stat.read_text().rsplit(")", 1)[1].split()[1]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(parent) == pid:
            found.append(int(stat.parent.name))
    return found


@pytest.fixture
def command(runtime, tmp_path):
    """Starts `meterlab board` on an image; whatever happens, it has ended at the test's end."""
    image, link = tmp_path / "image", tmp_path / "serial"
    flash.blank(image, 64 << 10)
    arguments = ["--flash", image, "--link", link, "--runtime", runtime.name]
    processes = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-m", "meterlab", "board", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        processes.append(process)
        assert process.stdout is not None
        assert b"ready" in process.stdout.readline()
        return process

    yield start, link
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def test_killed_like_a_power_cut(command, connect):
    """kill -9 of the whole thing; the board's own process must not go on alone."""
    start, link = command

    class Serial:
        serial = link

    process = start()
    raw = connect(Serial)
    raw.raw()
    raw.run(WRITER)
    raw.start("put('log', 100000)")
    raw.expect(b"kept 20\r\n")
    [child] = children_of(process.pid)
    process.kill()
    process.wait()
    end = time.monotonic() + 60
    while os.path.exists(f"/proc/{child}") and time.monotonic() < end:
        time.sleep(0.01)
    assert not os.path.exists(f"/proc/{child}")
    process = start()
    raw = connect(Serial)
    raw.raw()
    assert raw.eval("open('log', 'rb').read(168)") == b"".join(b"%08d" % i for i in range(21))
    process.terminate()
    assert process.wait(60) == 0
    assert not link.is_symlink()

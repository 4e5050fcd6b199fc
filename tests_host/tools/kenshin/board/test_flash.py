"""`kenshin board flash`: the real mpremote library on a virtual board."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kenshin.board.flash import About, check, read_files
from kenshin.board.ports import BoardError
from kenshin.board.repl import Repl


# A build small enough to be cut everywhere.
@pytest.fixture
def few(tmp_path: Path) -> Path:
    folder = tmp_path / "few"
    (folder / "lib" / "one").mkdir(parents=True)
    (folder / "lib" / "two").mkdir()
    (folder / "boot.py").write_text("print('boot runs')\n")
    (folder / "main.py").write_text("import one.a, two\nprint('Kenshin', one.a.N, 'queue 0')\n")
    (folder / "lib" / "one" / "__init__.py").write_text("")
    (folder / "lib" / "one" / "a.py").write_text("N = 5\n" + "# words\n" * 1000)
    (folder / "lib" / "two" / "__init__.py").write_text("x = 1\n")
    return folder


def on_board(board, tmp_path) -> dict[str, bytes]:
    board.power_cut()
    folder = tmp_path / "read"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    board.read_flash(folder)
    board.power_on()
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def expected(folder: Path) -> dict[str, bytes]:
    return {path[1:]: data for path, data in read_files(folder).items()}


def test_a_blank_board_gets_everything_and_starts(make_board, kenshin, files, tmp_path):
    board = make_board()
    said = kenshin(board, "flash", "--files", files).stdout
    assert "MicroPython 1." in said and "all verified" in said
    assert "Kenshin 0." in said and "missing-settings" in said
    assert on_board(board, tmp_path) == expected(files)
    again = kenshin(board, "flash", "--files", files).stdout
    assert "copied 0, removed 0" in again and "missing-settings" in again


def test_only_what_changed_is_copied_and_lib_is_mirrored(make_board, kenshin, few, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(few, old)
    (old / "lib" / "one" / "a.py").write_text("N = 4\n")
    (old / "lib" / "three" / "deep").mkdir(parents=True)
    (old / "lib" / "three" / "deep" / "x.py").write_text("")
    (old / "lib" / "stray.mpy").write_text("")
    (old / "data").mkdir()
    (old / "data" / "readings.bin").write_bytes(b"kept")
    (old / "ca.der").write_bytes(b"kept too")
    (old / ".part").write_bytes(b"half of a main.py")  # the copying was interrupted
    board = make_board(old)
    said = kenshin(board, "flash", "--files", few).stdout
    assert "1/1 /lib/one/a.py" in said and "copied 1, removed 5, already there 4" in said
    assert "Kenshin 5" in said
    kept = {"data/readings.bin": b"kept", "ca.der": b"kept too"}
    assert on_board(board, tmp_path) == expected(few) | kept


def test_what_hides_a_new_module_goes_first(make_board, few, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(few, old)
    (few / "lib" / "two" / "b.mpy").write_bytes(b"new")
    (old / "lib" / "two" / "b.py").write_text("old")  # would be imported in its place
    (old / "lib" / "one.py").write_text("old")  # in place of the folder one/
    shutil.rmtree(old / "lib" / "one")
    (old / "lib" / "left.py").write_text("old")
    board = make_board(old)
    from kenshin.board.flash import carry_out, make_plan

    with Repl(str(board.serial)) as repl:
        plan = make_plan(repl, read_files(few), repl.tree("/lib"))
        assert {entry.path for entry in plan.first} == {"/lib/two/b.py", "/lib/one.py"}
        assert [entry.path for entry in plan.last] == ["/lib/left.py"]
        assert plan.folders == ["/lib/one"]
        carry_out(repl, plan, lambda path, n, of: None)
        assert make_plan(repl, read_files(few), repl.tree("/lib")).done


def test_settings_stay(make_board, kenshin, files):
    board = make_board(files)
    with Repl(str(board.serial)) as repl:
        repl.exec("import gateway; gateway.set({'wifi.ssid': 'home'})")
    kept = board.nvs("kenshin", "settings.0")
    kenshin(board, "flash", "--files", files)
    assert kept is not None and board.nvs("kenshin", "settings.0") == kept


def start_flash(board, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "kenshin", "board", "flash", "--port", str(board.serial)]
        + ["--files", str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever starts these tests in the background may have it ignored, and that is inherited.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.parametrize("operation", [2, 9, 30])
def test_the_power_may_go_at_any_write(make_board, kenshin, few, tmp_path, operation):
    old = tmp_path / "old"
    shutil.copytree(few, old)
    (old / "lib" / "one" / "a.py").write_text("N = 4\n")
    (old / "lib" / "two" / "__init__.mpy").write_bytes(b"stray")
    (old / "main.py").write_text("import one.a\nprint('Kenshin', one.a.N, 'queue 0')\n")
    board = make_board(old)
    mark = board.events.mark()
    board.power_cut_at(operation)
    process = start_flash(board, few)
    board.events.wait("off", 60, mark)
    process.send_signal(signal.SIGINT)  # its owner sees nothing more happen
    _, said = process.communicate(timeout=100)
    assert process.returncode and "again" in said and "Traceback" not in said, said
    board.power_on()
    with Repl(str(board.serial)) as repl:  # it boots, and gives its prompt
        assert repl.eval("6 * 7") == 42
    assert "Kenshin 5" in kenshin(board, "flash", "--files", few).stdout
    assert on_board(board, tmp_path) == expected(few)


def test_ctrl_c_ends_it_and_it_can_be_run_again(make_board, kenshin, few, tmp_path):
    for n in range(8):  # so that it is not over before Ctrl-C comes
        (few / "lib" / "two" / f"more{n}.py").write_text("# words\n" * 200)
    board = make_board()
    process = start_flash(board, few)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("1/"):
            process.send_signal(signal.SIGINT)
            break
    _, said = process.communicate(timeout=100)
    assert process.returncode == 130 and "the same command again goes on" in said
    said = kenshin(board, "flash", "--files", few).stdout
    assert "copied 0" not in said and "all verified" in said
    assert on_board(board, tmp_path) == expected(few)


def test_a_full_flash_is_told_before_anything_is_done(make_board, kenshin, files, tmp_path):
    board = make_board(flash_size="256K")
    said = kenshin(board, "flash", "--files", files, code=1).stderr
    assert "KB of flash are needed" in said and "kenshin board erase" in said
    assert on_board(board, tmp_path) == {}
    with (
        Repl(str(board.serial), revive=False) as repl,
        pytest.raises(BoardError, match="flash is full"),
    ):
        repl.write("/big", bytes(512 << 10))


def test_nothing_at_the_port_and_no_build(make_board, kenshin, tmp_path):
    board = make_board()
    assert "make build" in kenshin(board, "flash", "--files", tmp_path, code=1).stderr
    # A port at which nobody is.
    import pty

    master, slave = pty.openpty()
    import os

    class Silent:
        serial = os.ttyname(slave)

    (tmp_path / "lib").mkdir()
    for name in ("boot.py", "main.py"):
        (tmp_path / name).write_text("")
    said = kenshin(Silent, "flash", "--files", tmp_path, code=1).stderr
    os.close(master)
    assert "No MicroPython answers" in said

    class Gone:
        serial = "/dev/ttyNOWHERE"

    assert "There is no port" in kenshin(Gone, "flash", "--files", tmp_path, code=1).stderr


def test_too_old_and_other_boards():
    good = About((1, 24, 1), "AtomS3", "esp32", 6 | 3 << 8, 1 << 20)
    check(good)
    for version, platform, mpy, words in (
        ((1, 23, 0), "esp32", 6, "1.24 or later"),
        ((1, 24, 0), "esp32", 5, "1.24 or later"),
        ((1, 29, 0), "rp2", 6, "only the ESP32 family"),
    ):
        with pytest.raises(BoardError, match=words):
            check(About(version, "x", platform, mpy, 1 << 20))

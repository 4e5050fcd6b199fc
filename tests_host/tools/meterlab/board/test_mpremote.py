"""The real mpremote, as an owner uses it."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

SECONDS = 100


@pytest.fixture
def board(make_board):
    return make_board({"boot.py": "print('boot runs')\n", "main.py": "print('main runs')\n"})


@pytest.fixture
def mpremote(board, tmp_path):
    def run(*words, code=0):
        done = subprocess.run(
            [sys.executable, "-m", "mpremote", "connect", str(board.serial), *words],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


@pytest.fixture
def tree(tmp_path):
    tree = tmp_path / "tree"
    (tree / "lib" / "pack").mkdir(parents=True)
    (tree / "lib" / "pack" / "__init__.py").write_text("value = 42\n")
    (tree / "blob").write_bytes(bytes(range(256)) * 40)
    return tree


def test_eval_exec_run(mpremote, tmp_path):
    assert mpremote("eval", "6 * 7").strip() == "42"
    assert mpremote("exec", "print('a\\nb')") == "a\nb\n"
    (tmp_path / "script.py").write_text("import sys\nprint('script', sys.implementation.name)\n")
    assert mpremote("run", "script.py") == "script micropython\n"
    assert "ZeroDivisionError" in mpremote("exec", "1/0", code=1)


def test_files(mpremote, tree, tmp_path):
    assert "Up to date" not in mpremote("fs", "cp", "-r", "tree/lib", "tree/blob", ":")
    again = mpremote("fs", "cp", "-r", "tree/lib", "tree/blob", ":")
    assert again.count("Up to date") == 2
    assert "blob" in mpremote("fs", "ls") and "10240" in mpremote("fs", "ls")
    assert mpremote("fs", "cat", "lib/pack/__init__.py") == "value = 42\n"
    digest = hashlib.sha256((tree / "blob").read_bytes()).hexdigest()
    assert digest in mpremote("fs", "sha256sum", "blob")
    mpremote("fs", "cp", ":blob", "back")
    assert (tmp_path / "back").read_bytes() == (tree / "blob").read_bytes()
    assert "__init__.py" in mpremote("fs", "tree")
    assert mpremote("exec", "import pack; print(pack.value)") == "42\n"
    mpremote("fs", "mkdir", "d")
    mpremote("fs", "rmdir", "d")
    mpremote("fs", "rm", "blob")
    mpremote("fs", "rm", "-r", ":lib")
    listing = mpremote("fs", "ls")
    assert "blob" not in listing and "lib" not in listing
    assert "VfsLfs2" in mpremote("df")


def test_soft_reset_and_reset(mpremote, board):
    mark = board.events.mark()
    mpremote("soft-reset")
    assert board.events.wait("boot", 60, mark)["cause"] == "soft"
    mark = board.events.mark()
    mpremote("reset")
    board.events.wait("boot", 60, mark, lambda event: event["cause"] == "hard")


def test_resume_keeps_what_is_there(mpremote):
    mpremote("exec", "kept = 5")
    assert mpremote("resume", "eval", "kept").strip() == "5"
    assert "NameError" in mpremote("eval", "kept", code=1)


def test_a_busy_main_is_interrupted(mpremote, board):
    source = "from machine import Pin\nn = 0\nPin(4, Pin.OUT)\nwhile True: n += 1\n"
    mpremote("exec", f"f = open('main.py', 'w'); f.write({source!r}); f.close()")
    mark = board.events.mark()
    board.power_cycle()
    board.events.wait("pin", 60, mark)
    assert mpremote("eval", "1 + 1").strip() == "2"
    mark = board.events.mark()
    mpremote("reset")
    board.events.wait("pin", 60, mark)
    assert mpremote("resume", "eval", "n > 0").strip() == "True"


def test_code_left_running_is_interrupted(mpremote):
    mpremote("exec", "--no-follow", "while True: pass")
    assert mpremote("resume", "eval", "2 + 2").strip() == "4"


def test_mount_and_rtc(mpremote, tree):
    (tree / "hello.py").write_text("print('from the PC')\n")
    assert mpremote("mount", "tree", "exec", "import hello").endswith("from the PC\n")
    assert "(2000, 1, 1," in mpremote("rtc")
    mpremote("rtc", "--set")
    assert "(2000, 1, 1," not in mpremote("rtc")

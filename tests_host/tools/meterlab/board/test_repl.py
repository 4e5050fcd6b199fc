"""Both REPLs, and what interrupts and restarts the board."""

from __future__ import annotations

import pytest

BANNER = b'Type "help()" for more information.\r\n>>> '
RAW = b"raw REPL; CTRL-B to exit\r\n>"


@pytest.fixture
def friendly(board, connect):
    terminal = connect(board)
    terminal.send(b"\r\x02")
    terminal.expect(BANNER)
    return terminal


def test_prints_values_but_not_none(friendly):
    assert friendly.type("6 * 7") == "42\n"
    assert friendly.type("None") == ""
    assert friendly.type("'a\\n'") == "'a\\n'\n"
    assert friendly.type("_") == "'a\\n'\n"
    assert friendly.type("x = 5; x") == "5\n"


def test_traceback_shows_only_the_owners_frames(friendly):
    friendly.send("def f(): return 1 // 0\r\r")
    friendly.expect(">>> ")
    assert friendly.type("f()") == (
        "Traceback (most recent call last):\n"
        '  File "<stdin>", line 1, in <module>\n'
        '  File "<stdin>", line 1, in f\n'
        "ZeroDivisionError: divide by zero\n"
    )


def test_syntax_error_is_shown_and_forgotten(friendly):
    assert "SyntaxError" in friendly.type("1 +")
    assert friendly.type("1 + 1") == "2\n"


def test_several_lines_with_indent(friendly):
    friendly.send("for i in range(2):\r")
    friendly.expect("\r\n...     ")
    friendly.send("print(i)\r")
    friendly.expect("print(i)\r\n...     ")
    friendly.send("\r")
    assert friendly.expect(">>> ") == b"\r\n0\r\n1\r\n"


@pytest.mark.parametrize(
    ("first", "second", "value"),
    [("[1,", "2]", "[1, 2]"), ("'''a", "b'''", "'a\\nb'"), ("1 + \\", "2", "3")],
)
def test_open_brackets_quotes_and_backslash_continue(friendly, first, second, value):
    friendly.send(first + "\r")
    friendly.expect("\r\n... ")
    friendly.send(second + "\r")
    friendly.expect(second + "\r\n")
    assert friendly.expect(">>> ").decode() == value + "\r\n"


def test_editing_the_line(friendly):
    friendly.send("12x\x7f3\r")
    friendly.expect("12x\b \b3\r\n")
    assert friendly.expect(">>> ") == b"123\r\n"
    friendly.send("\x1b[A\x1b[D9\r")
    friendly.expect("\r\n")
    assert friendly.expect(">>> ") == b"1293\r\n"


def test_ctrl_c_gives_the_line_up(friendly):
    friendly.send("print('no')\x03")
    friendly.expect("print('no')\r\n>>> ")
    friendly.send("if 1:\r")
    friendly.expect("...     ")
    friendly.send("\x03")
    friendly.expect("\r\n>>> ")
    assert friendly.type("1") == "1\n"


def test_paste_mode(friendly):
    friendly.send("\x05")
    friendly.expect("paste mode; Ctrl-C to cancel, Ctrl-D to finish\r\n=== ")
    friendly.send("if 1:\r    print('pasted')\r\x04")
    friendly.expect("\r\n=== \r\npasted\r\n>>> ")
    friendly.send("\x05")
    friendly.expect("=== ")
    friendly.send("print('no')\r\x03")
    assert b"no\r\n" not in friendly.expect(">>> ").replace(b"'no')\r\n", b"")


def test_input_echoes_and_stdin_does_not(friendly):
    friendly.send("a = input('name? ')\r")
    friendly.expect("name? ")
    friendly.send("Kei\r")
    friendly.expect("Kei\r\n>>> ")
    assert friendly.type("a") == "'Kei'\n"
    friendly.send("import sys; b = sys.stdin.read(3)\r")
    friendly.expect("read(3)\r\n")
    friendly.send("xy\r")
    assert friendly.expect(">>> ") == b""
    assert friendly.type("b") == "'xy\\n'\n"


def test_help_is_there(friendly):
    assert "Welcome to MicroPython" in friendly.type("help()")


def test_raw_repl_and_back(friendly):
    friendly.send("\x01")
    friendly.expect(RAW)
    assert friendly.run("print(1)\nprint(2)") == "1\n2\n"
    friendly.send("1/0\x04")
    friendly.expect(b"OK\x04Traceback (most recent call last):\r\n")
    friendly.expect(b'  File "<stdin>", line 1, in <module>\r\nZeroDivisionError')
    friendly.expect(b"\x04>")
    friendly.send("this is forgotten\x03")
    assert friendly.run("print(3)") == "3\n"
    friendly.send("\x02")
    friendly.expect(BANNER)


def test_raw_paste(raw):
    source = "a = 0\n" + "a += 1  # some padding to fill the window\n" * 100 + "print(a)\n"
    raw.send(b"\x05A\x01")
    raw.expect(b"R\x01\x80\x00\x01")
    room, data = 256, source.encode()
    while data:
        raw.send(data[:room])
        data = data[room:]
        room = 0
        while data and not room:
            raw.expect(b"\x01")
            room = 128
    raw.send(b"\x04")
    raw.expect(b"\x04")
    assert raw.expect(b"\x04") == b"100\r\n"
    raw.expect(b"\x04>")


def test_raw_paste_cancelled_and_unknown(raw):
    raw.send(b"\x05A\x01")
    raw.expect(b"R\x01\x80\x00\x01")
    raw.send(b"print(1)\x03")
    raw.expect(b"KeyboardInterrupt")
    raw.expect(b"\x04>")
    raw.send(b"\x05B\x01")
    raw.expect(b"R\x00>")
    assert raw.run("print(2)") == "2\n"


def test_code_started_by_raw_paste_is_interruptible(raw):
    raw.send(b"\x05A\x01")
    raw.expect(b"R\x01\x80\x00\x01")
    raw.send(b"print('go')\nwhile True: pass\n\x04")
    raw.expect(b"go\r\n")
    raw.send(b"\x03")
    raw.expect(b"KeyboardInterrupt")
    raw.expect(b"\x04>")


BUSY = {
    "loop": "while True: pass",
    "garbage": "while True: [1] * 200",
    "sleep": "import time\nwhile True: time.sleep(60)",
    "sleep_ms": "import time\ntime.sleep_ms(60000)",
    "read": "import sys\nsys.stdin.read(1)",
    "poll": "import select\nselect.poll().poll(60000)",
    "asyncio": "import asyncio\nasync def f():\n    await asyncio.sleep(60)\nasyncio.run(f())",
    "accept": "import socket\ns = socket.socket()\ns.bind(('', 0))\ns.listen(1)\ns.accept()",
    "json": "import json\nx = list(range(500))\nwhile True: json.loads(json.dumps(x))",
}


@pytest.mark.parametrize("name", BUSY)
def test_ctrl_c_gets_through(raw, name):
    code = BUSY[name]
    raw.start("print('go')\n" + code)
    raw.expect(b"go\r\n")
    raw.send(b"\x03")
    raw.expect(b"KeyboardInterrupt")
    raw.expect(b"\x04>")


STORM = """
n = 0
while n < 20:
    try:
        print('round', n)
        while True: {str(i): [i] for i in range(50)}
    except KeyboardInterrupt:
        n += 1
"""


def test_a_storm_of_ctrl_c_does_no_harm(raw):
    raw.start(STORM)
    for n in range(20):
        raw.expect(b"round %d\r\n" % n)
        raw.send(b"\x03")
    raw.finish()
    raw.start("print('go')\nwhile True: pass")
    raw.expect(b"go\r\n")
    raw.send(b"\x03" * 50)
    raw.expect(b"KeyboardInterrupt")
    raw.expect(b"\x04>")
    assert raw.run("import gc; gc.collect(); print(len([0] * 1000))") == "1000\n"


def test_interrupt_character_can_be_switched_off(raw):
    raw.start(
        "import micropython, sys\nmicropython.kbd_intr(-1)\nprint('go')\n"
        "c = sys.stdin.read(1)\nmicropython.kbd_intr(3)\nprint(ord(c))"
    )
    raw.expect(b"go\r\n")
    raw.send(b"\x03")
    assert raw.finish() == "3\n"


def test_without_the_mark_sigint_interrupts(make_board, connect, monkeypatch):
    monkeypatch.setenv("VIRTUAL_BOARD_SIGINT", "1")
    terminal = connect(make_board())
    terminal.raw()
    terminal.start("print('go')\nwhile True: pass")
    terminal.expect(b"go\r\n")
    terminal.send(b"\x03")
    terminal.expect(b"KeyboardInterrupt")
    terminal.expect(b"\x04>")


FILES = {
    "boot.py": "print('boot runs', __name__)\nfrom_boot = 1\n",
    "main.py": "print('main runs', from_boot)\nfrom_main = 2\n",
}


def test_boot_then_main_then_repl(make_board, connect):
    terminal = connect(make_board(FILES))
    terminal.send(b"\r\x04")
    terminal.expect(
        b">>> \r\nMPY: soft reboot\r\nboot runs __main__\r\nmain runs 1\r\nMicroPython v"
    )
    terminal.expect(BANNER)
    assert terminal.type("from_boot, from_main") == "(1, 2)\n"
    assert terminal.type("import machine; machine.reset_cause() == machine.SOFT_RESET") == "True\n"
    assert terminal.type("[n for n in globals() if n.startswith('vb')]") == "[]\n"


def test_soft_reset_from_the_raw_repl_skips_main(make_board, connect):
    terminal = connect(make_board(FILES))
    terminal.raw()
    terminal.run("leftover = 1")
    terminal.send(b"\x04")
    terminal.expect(b"OK\r\nMPY: soft reboot\r\nboot runs __main__\r\n" + RAW)
    assert terminal.run("print('leftover' in globals())") == "False\n"
    assert "main runs" not in terminal.seen.decode().rsplit("soft reboot", 1)[1]


def test_sys_exit_is_a_soft_reset(make_board, connect):
    terminal = connect(make_board(FILES))
    terminal.raw()
    terminal.send(b"import sys; sys.exit()\x04")
    terminal.expect(b"OK\x04\x04MPY: soft reboot\r\nboot runs")
    terminal.expect(RAW)
    terminal.send(b"\x02")
    terminal.expect(BANNER)
    terminal.send(b"import machine; machine.soft_reset()\r")
    terminal.expect(b"MPY: soft reboot\r\nboot runs __main__\r\nmain runs 1\r\n")


def test_main_that_fails_drops_to_the_repl(make_board, connect):
    terminal = connect(make_board({"main.py": "import nothing\n"}))
    terminal.send(b"\r\x04")
    terminal.expect(
        b"soft reboot\r\nTraceback (most recent call last):\r\n"
        b'  File "main.py", line 1, in <module>\r\n'
        b"ImportError: no module named 'nothing'\r\nMicroPython v"
    )


def test_boot_that_fails_skips_main(make_board, connect):
    terminal = connect(make_board({"boot.py": "1/0\n", "main.py": "print('main runs')\n"}))
    terminal.send(b"\r\x04")
    assert b"main runs" not in terminal.expect(BANNER)


def test_ctrl_c_out_of_a_busy_main(make_board, connect):
    main = "while True:\n    for i in range(20000): pass\n    print('busy')\n"
    terminal = connect(make_board({"main.py": main}))
    for _ in range(2):
        terminal.expect(b"busy\r\n")
        terminal.send(b"\x03")
        terminal.expect(b"KeyboardInterrupt")
        terminal.expect(BANNER)
        terminal.send(b"\x04")


def test_console_reads_stdin_while_tasks_run(make_board, connect):
    main = """
import asyncio, sys
async def console():
    reader = asyncio.StreamReader(sys.stdin)
    writer = asyncio.StreamWriter(sys.stdout, {})
    word = ""
    while True:
        c = await reader.read(1)
        if c == "\\n":
            writer.write("word " + word + "\\n")
            await writer.drain()
            word = ""
        else:
            word += c
async def tick():
    n = 0
    while True:
        await asyncio.sleep_ms(20)
        n += 1
        if n % 10 == 0:
            print("tick")
async def main():
    asyncio.create_task(tick())
    await console()
print("starts")
asyncio.run(main())
"""
    terminal = connect(make_board({"main.py": main}))
    terminal.send(b"status\r")
    before = terminal.expect(b"word status\r\n")
    assert b"status" not in before, "it must not echo"
    terminal.expect(b"tick\r\ntick\r\n")
    terminal.send(b"\x03")
    terminal.expect(BANNER)


def test_uncooked_output_stays_in_order(raw):
    raw.start("import sys\nprint('a')\nsys.stdout.buffer.write(b'b\\nc\\r\\x00')\nprint('d')")
    assert raw.expect(b"\x04") == b"a\r\nb\nc\r\x00d\r\n"
    raw.expect(b"\x04>")


def test_much_output_loses_nothing_while_a_timer_ticks(raw):
    code = (
        "from machine import Timer\nt = Timer(0, period=1, callback=lambda t: None)\n"
        "for i in range(300): print('%05d' % i, 'x' * 1000)\nt.deinit()"
    )
    lines = raw.run(code).split("\n")
    assert lines == [f"{i:05d} {'x' * 1000}" for i in range(300)] + [""]

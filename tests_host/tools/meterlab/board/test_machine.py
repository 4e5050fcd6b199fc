"""Pins, timers, watchdog, RTC, resets: what the firmware finds in `machine` and `time`."""

from __future__ import annotations

import time

import pytest

from meterlab.board.registers import RTC_MEMORY_SIZE

RAW = b"raw REPL; CTRL-B to exit\r\n>"


def boots(board, mark, cause):
    return board.events.wait("boot", 60, mark, lambda event: event["cause"] == cause)


# ---- time


def test_clock_starts_at_2000_and_counts_whole_seconds(raw):
    seconds, kind, date = raw.eval(
        "(lambda t: (t.time(), str(type(t.time())), t.gmtime()))(__import__('time'))"
    )
    assert 0 <= seconds < 30
    assert kind == "<class 'int'>"
    assert date[:5] == (2000, 1, 1, 0, 0)
    assert date[6:] == (5, 1)


@pytest.mark.parametrize("seconds", [0, 58060800, 825724799, 825724800, 1104537600, 3155759999])
def test_calendar(raw, seconds):
    got = raw.eval(f"__import__('time').gmtime({seconds})")
    want = time.gmtime(seconds + 946684800)
    assert got == (*want[:6], want.tm_wday, want.tm_yday)
    assert raw.eval(f"__import__('time').mktime({got})") == seconds


def test_ticks_are_the_runtimes_own(raw):
    code = (
        "import time; a = time.ticks_ms(); time.sleep_ms(20); "
        "print(time.ticks_diff(time.ticks_ms(), a))"
    )
    assert int(raw.run(code)) >= 20
    assert raw.eval("type(__import__('time').ticks_ms).__name__") == "function"


def test_rtc_is_set_and_goes_on(raw):
    raw.run("import machine, time; machine.RTC().datetime((2026, 11, 23, 0, 14, 30, 15, 250000))")
    y, mo, d, wd, h, mi, s, us = raw.eval("machine.RTC().datetime()")
    assert (y, mo, d, wd, h, mi) == (2026, 11, 23, 0, 14, 30)
    assert 15 <= s < 45
    assert us < 1_000_000
    assert raw.eval("time.localtime()[:5]") == (2026, 11, 23, 14, 30)
    nanoseconds, seconds = raw.eval("(time.time_ns(), time.time())")
    assert 0 <= seconds - nanoseconds // 10**9 <= 1


def test_rtc_and_its_memory_survive_all_but_a_power_cut(board, connect):
    terminal = connect(board)
    terminal.raw()
    terminal.run(
        "import machine; r = machine.RTC(); r.memory(b'crumbs\\x00'); "
        "r.datetime((2026, 1, 2, 4, 0, 0, 0, 0))"
    )
    for code, cause in (("", "soft"), ("import machine; machine.reset()", "hard")):
        mark = board.events.mark()
        terminal.send(code.encode() + b"\x04")
        boots(board, mark, cause)
        terminal.raw()
        assert terminal.eval("__import__('machine').RTC().memory()") == b"crumbs\x00"
        assert terminal.eval("__import__('time').gmtime()[:3]") == (2026, 1, 2)
    board.power_cycle()
    terminal.raw()
    assert terminal.eval("__import__('machine').RTC().memory()") == b""
    assert terminal.eval("__import__('time').gmtime()[:3]") == (2000, 1, 1)


def test_rtc_memory_has_an_end(raw):
    raw.run(f"import machine; machine.RTC().memory(bytes({RTC_MEMORY_SIZE}))")
    with pytest.raises(AssertionError, match="ValueError: buffer too long"):
        raw.run(f"machine.RTC().memory(bytes({RTC_MEMORY_SIZE + 1}))")


# ---- resets


def test_reset_causes(make_board, connect):
    board = make_board({"main.py": "import machine; print('cause', machine.reset_cause())\n"})
    terminal = connect(board)
    names = "PWRON_RESET HARD_RESET WDT_RESET DEEPSLEEP_RESET SOFT_RESET".split()
    terminal.raw()
    values = terminal.eval(f"[getattr(__import__('machine'), n) for n in {names}]")
    assert values == [1, 2, 3, 4, 5]
    assert terminal.eval("__import__('machine').reset_cause()") == 1
    terminal.send(b"import machine; machine.reset()\x04")
    terminal.expect(b"cause 2\r\n")
    terminal.send(b"\r\x04")
    terminal.expect(b"cause 5\r\n")
    terminal.send(b"import machine; machine.deepsleep(50)\r")
    terminal.expect(b"cause 4\r\n")
    board.power_cycle()
    terminal.expect(b"cause 1\r\n")


def test_reset_from_raw_mode_comes_up_friendly_with_main(make_board, connect):
    terminal = connect(make_board({"main.py": "print('main runs')\n"}))
    terminal.raw()
    terminal.send(b"import machine; machine.reset()\x04")
    terminal.expect(b"main runs\r\nMicroPython v")
    terminal.expect(b">>> ")


def test_identity(make_board, connect):
    terminal = connect(make_board(unique_id=bytes.fromhex("0102030405ff")))
    terminal.raw()
    assert terminal.eval("__import__('machine').unique_id()") == bytes.fromhex("0102030405ff")
    assert terminal.eval("__import__('machine').freq()") == 160_000_000
    assert terminal.eval("__import__('os').uname()[0]") == "esp32"


def test_a_crash_of_the_interpreter_is_a_reset(make_board, connect):
    board = make_board({"main.py": "import machine; print('cause', machine.reset_cause())\n"})
    raw = connect(board)
    raw.raw()
    mark = board.events.mark()
    raw.start("import ffi; ffi.func('v', 16, '')()")
    assert board.events.wait("crash", 60, mark)["code"] < 0
    raw.expect(b"Guru Meditation Error")
    raw.expect(b"cause 2\r\n")


def test_a_board_that_crashes_again_and_again_stays_off(make_board):
    board = make_board({"main.py": "import ffi; ffi.func('v', 16, '')()\n"})
    board.events.wait("off", 60)
    assert not board.powered


# ---- watchdog


def test_starved_watchdog_resets_a_hung_board(make_board, connect):
    main = (
        "import machine\n"
        "if machine.reset_cause() == machine.WDT_RESET:\n    print('bitten')\n"
        "else:\n    machine.WDT(timeout=150)\n    while True: pass\n"
    )
    board = make_board({"main.py": main})
    terminal = connect(board)
    boots(board, 0, "watchdog")
    terminal.expect(b"bitten\r\n")


def test_fed_watchdog_does_not_bite_and_can_be_stretched(raw, board):
    mark = board.events.mark()
    raw.run(
        "import machine, time\nw = machine.WDT(timeout=800)\nfor _ in range(20):\n"
        "    time.sleep_ms(50); w.feed()"
    )
    raw.run("machine.WDT(timeout=3600000); time.sleep_ms(1000)")
    assert not board.events.all("reset", mark)
    mark = board.events.mark()
    raw.start("machine.WDT(timeout=100); time.sleep_ms(60000)")
    boots(board, mark, "watchdog")


def test_watchdog_survives_a_soft_reset(raw, board):
    raw.run("import machine; machine.WDT(timeout=2000)")
    mark = board.events.mark()
    raw.send(b"\x04")
    raw.expect(b"soft reboot\r\n" + RAW)
    boots(board, mark, "watchdog")
    raw.expect(b"task_wdt: Task watchdog got triggered")
    raw.raw()
    assert raw.run("import time; time.sleep_ms(2200); print('alive')") == "alive\n"


def test_watchdog_id_and_timeout_are_checked(raw):
    for bad in ("WDT(1)", "WDT(0, 0)"):
        with pytest.raises(AssertionError, match="ValueError"):
            raw.run(f"from machine import WDT; {bad}")


# ---- pins and timers


def test_outputs_are_seen_with_their_level(raw, board):
    mark = board.events.mark()
    raw.run(
        "from machine import Pin\np = Pin(5, Pin.OUT, value=1)\np.off(); p(1); p.toggle(); "
        "p.value(1)\nPin(6, Pin.OUT)"
    )
    board.events.wait("pin", 60, mark, lambda event: event["pin"] == 6)
    assert [(e["pin"], e["level"]) for e in board.events.all("pin", mark)] == [
        (5, 1), (5, 0), (5, 1), (5, 0), (5, 1), (6, 0),
    ]  # fmt: skip
    assert raw.eval("(p.value(), p(), Pin(5) is p, repr(p))") == (1, 1, True, "Pin(5)")


def test_a_pin_that_never_rests_keeps_nobody_out(raw, board):
    raw.start(
        "from machine import Pin\nled = Pin(2, Pin.OUT)\nprint('go')\nwhile True: led.toggle()"
    )
    raw.expect(b"go\r\n")
    raw.send(b"\x03")
    raw.expect(b"KeyboardInterrupt")
    raw.expect(b"\x04>")
    assert raw.eval("1 + 1", 5) == 2


def test_inputs_follow_pull_and_the_outside(raw, board):
    raw.run(
        "from machine import Pin, Signal\nup = Pin(12, Pin.IN, Pin.PULL_UP)\n"
        "down = Pin(13, Pin.IN, Pin.PULL_DOWN)"
    )
    assert raw.eval("(up(), down())") == (1, 0)
    board.set_pin(12, 0)
    board.set_pin(13, 1)
    assert raw.eval("(up(), down(), Signal(up, invert=True)())") == (0, 1, 1)
    board.set_pin(12, None)
    assert raw.eval("up()") == 1


def test_pins_that_do_not_exist(raw):
    for bad in ("Pin(40)", "Pin(-1)", "Pin('x')", "Pin(34, Pin.OUT)"):
        with pytest.raises(AssertionError, match="ValueError"):
            raw.run(f"from machine import Pin; {bad}")


def test_button_and_its_interrupt(make_board, connect):
    board = make_board(hardware="atoms3lite-a1")
    raw = connect(board)
    raw.raw()
    raw.run("from machine import Pin\nb = Pin(41, Pin.IN, Pin.PULL_UP)\nprint(b())")
    raw.run("n = []\n_ = b.irq(n.append, Pin.IRQ_FALLING)")
    raw.start("import time\nprint('go')\nwhile len(n) < 2: time.sleep_ms(5)\nprint(n == [b, b])")
    raw.expect(b"go\r\n")
    board.button(True)
    board.button(False)
    board.press_button(0.05)
    assert raw.finish() == "True\n"


def test_timers_fire_while_anything_runs(raw):
    raw.run(
        "from machine import Timer\nimport time, asyncio, select\nn = 0\ndef f(t):\n"
        "    global n\n    n += 1\n"
    )
    for work in (
        "a = time.ticks_ms()\nwhile time.ticks_diff(time.ticks_ms(), a) < 300: pass",
        "time.sleep_ms(300)",
        "select.poll().poll(300)",
        "async def g():\n    await asyncio.sleep_ms(300)\nasyncio.run(g())",
    ):
        ran, took = raw.run(
            "began = time.ticks_ms()\nn = 0\n"
            f"t = Timer(0, mode=Timer.PERIODIC, period=10, callback=f)\n{work}\nt.deinit()\n"
            "print(n, time.ticks_diff(time.ticks_ms(), began))"
        ).split()
        assert 3 <= int(ran) <= int(took) // 10 + 1, work


def test_one_shot_fires_once_and_chains(raw):
    code = """
from machine import Timer
import time
seen = []
def step(t):
    seen.append(time.ticks_ms())
    if len(seen) < 4:
        t.init(mode=Timer.ONE_SHOT, period=30, callback=step)
t = Timer(1)
a = time.ticks_ms()
t.init(mode=Timer.ONE_SHOT, period=30, callback=step)
while len(seen) < 4: pass
time.sleep_ms(80)
print([time.ticks_diff(b, a) for b in seen])
"""
    times = eval(raw.run(code))
    assert len(times) == 4
    assert all(b - a >= 30 for a, b in zip([0, *times], times, strict=False))


def test_several_timers_keep_apart(raw):
    code = """
from machine import Timer
import time
n = [0, 0, 0]
def count(i):
    def f(t): n[i] += 1
    return f
kinds = ((0, 10), (1, 35), (-1, 70))
ts = [Timer(i, period=p, callback=count(k)) for k, (i, p) in enumerate(kinds)]
began = time.ticks_ms()
time.sleep_ms(400)
for t in ts: t.deinit()
took = time.ticks_diff(time.ticks_ms(), began)
m = n[:]
time.sleep_ms(100)
print(n == m, n + [took])
"""
    same, counts = raw.run(code).strip().split(" ", 1)
    assert same == "True"
    fast, middle, slow, took = eval(counts)
    assert fast > middle > slow > 0
    assert fast <= took // 10 + 1 and middle <= took // 35 + 1 and slow <= took // 70 + 1


def test_a_callback_that_fails_is_shown_and_the_timer_goes_on(raw):
    raw.start(
        "from machine import Timer\nimport time\nn = 0\ndef f(t):\n    global n\n"
        "    n += 1\n    1/0\n"
        "t = Timer(0, period=20, callback=f)\nwhile n < 3: time.sleep_ms(5)\nt.deinit()\n"
        "print('times', n, 'end')"
    )
    out = raw.expect(b"end\r\n")
    times = out.count(b"ZeroDivisionError")
    assert times >= 3 and out.endswith(b"times %d " % times)
    raw.expect(b"\x04\x04>")


def test_an_interrupt_never_tears_a_callback(raw):
    raw.start(
        "from machine import Timer\nlog = []\ndef f(t):\n    log.append(1)\n"
        "    for i in range(200): pass\n    log.append(2)\n"
        "t = Timer(0, period=2, callback=f)\n"
        "while len(log) < 9: pass\nprint('go')\nwhile True: pass"
    )
    raw.expect(b"go\r\n")
    raw.send(b"\x03")
    raw.expect(b"KeyboardInterrupt")
    raw.expect(b"\x04>")
    raw.run("t.deinit()")
    assert raw.eval("log == [1, 2] * (len(log) // 2) and len(log) > 2") is True


def test_timer_numbers(raw):
    with pytest.raises(AssertionError, match="ValueError"):
        raw.run("from machine import Timer; Timer(4)")


def test_only_a_pc_has_these(raw):
    assert (
        raw.eval("[n for n in ('getenv', 'system', 'VfsPosix') if hasattr(__import__('os'), n)]")
        == []
    )
    assert raw.eval("__import__('sys').path") == ["", ".frozen", "/lib"]
    assert raw.eval("__import__('sys').argv") == []
    assert raw.eval("__import__('os').getcwd()") == "/"
    assert raw.eval("__import__('os').listdir()") == ["boot.py"]
    modules = raw.eval(
        "[(__import__(n).__name__) for n in ('machine', 'usocket', 'utime', 'uos')]"
    )
    assert modules == ["machine", "socket", "time", "os"]

# Runs on the board that is measured: the gateway as main.py starts it, polling far more often,
# with one more task that tells what the heap holds.
#
# Each of its lines is "=", a word, and what belongs to it, as board_run.py reads them;
# `micropython.mem_info()` follows "= heap".
#
# This file runs on MicroPython, on a board whose lib/ the type checker does not see.
# pyright: basic, reportAttributeAccessIssue=false, reportMissingImports=false
import asyncio
import gc

import micropython

_TICK_MS = 100


# What is in seconds, in the settings; milliseconds, once it was multiplied by 1000. Half of them,
# which history wants for its room, only where it is to be read.
class _Ms:
    def __init__(self, ms, room=False):
        self.ms = ms
        self._room = room

    def __mul__(self, n):
        return self.ms * n // 1000 if self._room else self.ms


# The settings with shorter times than an owner may set.
class _Hasty:
    def __init__(self, settings, poll_ms, energy_ms, room):
        self._settings = settings
        self._times = {"poll.interval": _Ms(poll_ms, room), "poll.energy": _Ms(energy_ms)}

    def __getitem__(self, key):
        settings = self._settings
        return self._times.get(key) or settings[key]

    def __getattr__(self, name):
        return getattr(self._settings, name)

    def slower(self):
        self._times["poll.interval"].ms *= 2


# The collector looks for pointers on the C stack too: write over what calls that are gone have
# left there.
def _deep(levels):
    return levels and _deep(levels - 1)


def _tell(word, *rest):
    print("=", word, *rest)


def _free():
    _deep(40)
    gc.collect()
    return gc.mem_free()


async def _sample(app, polls, step, uploaded, slots):
    sleep_ms = app.clock.sleep_ms
    count = app.status.counters.get
    least = gc.mem_free()
    due = step
    waits = slots > 0
    while True:
        await sleep_ms(_TICK_MS)
        if waits and app.clock.utc() is not None:
            waits = False
            app.repair.due = 0  # it looks once a minute whether the time is known
        least = min(least, gc.mem_free())
        done = count("poll.ok", 0)
        if done >= due:
            _tell("heap", done, least, _free())
            micropython.mem_info()
            least = gc.mem_free()
            due += step
            if slots and done > 2 * polls:
                app.settings.slower()  # it is a slow machine: history wants some room
        read = count("history.slots", 0)
        if done >= polls and count("uploaded", 0) >= uploaded + slots and read >= slots:
            break
    for name, n in app.status.counters.items():
        _tell("count", name, n)
    _tell("end")
    await asyncio.Event().wait()  # the board is switched off now


def free():
    """What the gateway will find free."""
    _tell("free", _free())
    _tell("end")


def run(polls, step, poll_ms, energy, upload_s, uploaded, slots):
    """Until `polls` are answered, and so many readings `uploaded` beside so many half-hours
    (`slots`) of the meter's history; samples every `step` polls.

    Every `energy`th poll reads the counters too, each one for 0. `upload_s`: between uploads of
    less than a batch.
    """
    import gateway

    board = gateway.board()
    from gateway.app import App

    app = App(board)
    app.settings = _Hasty(app.settings, poll_ms, poll_ms * energy, slots > 0)
    app.uplink.interval = upload_s

    async def sample(beat):
        beat(None)
        await _sample(app, polls, step, uploaded, slots)

    app.supervisor.add("probe", sample)
    _tell("loaded", _free())
    micropython.mem_info()
    app.run()


async def _watch(app):
    sleep_ms = app.clock.sleep_ms
    ms = app.clock.ms
    count = app.status.counters.get
    while not count("uploaded", 0):
        await sleep_ms(_TICK_MS)
    first = count("uploaded", 0)
    begun = told = ms()
    while len(app.outbox):
        await sleep_ms(_TICK_MS)
        if ms() - told > 10_000:
            told = ms()
            _tell("count", "waiting", len(app.outbox))
    _tell("count", "ms", ms() - begun)
    _tell("count", "drained", count("uploaded", 0) - first)
    _tell("end")
    await asyncio.Event().wait()


def drain(readings):
    """So many readings wait when the gateway starts: how long until the server has them."""
    import gateway

    board = gateway.board()
    from gateway.app import App
    from gateway.reading import Reading

    app = App(board)
    for i in range(readings):
        app.outbox.append(
            Reading("instant", 1_700_000_000 + 30 * i, "ntp", i, 10, 20, None, None, "get")
        )
        if i % 100 == 0:
            _tell("count", "waiting", i)

    async def watch(beat):
        beat(None)
        await _watch(app)

    app.supervisor.add("probe", watch)
    app.run()

"""A clock that jumps: a wait is over at once, and took as long as it was told to.

For tests of one flow at a time, on both Pythons. A task that is ready gets some turns of the loop
before time passes, so an answer that was given at once is never late.
"""

import asyncio

TURNS = 30


class FakeClock:
    def __init__(self, utc=None):
        self.t = 5_000
        self.quality = None
        self.base = None
        self.slept = []
        if utc is not None:
            self.set(utc, "ntp")

    def ms(self):
        return self.t

    def set(self, utc, quality, at_ms=None):
        self.base = utc * 1000 - (self.t if at_ms is None else at_ms)
        self.quality = quality
        return True

    def utc_at(self, ms):
        return None if self.base is None else (self.base + ms) // 1000

    def utc(self):
        return self.utc_at(self.t)

    async def sleep_ms(self, n):
        self.slept.append(n)
        for _ in range(TURNS):
            await asyncio.sleep(0)
        self.t += n

    async def wait_for(self, awaitable, ms):
        task = asyncio.create_task(awaitable)
        for _ in range(TURNS):
            await asyncio.sleep(0)
            if task.done():
                return await task
        self.t += ms
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
        raise asyncio.TimeoutError


class Recorder:
    """Stands where the status stands, and remembers what it was told."""

    def __init__(self):
        self.counters = {}
        self.problems = {}
        self.readings = []
        self.phases = []
        self.faults = []
        self.module = None
        self.meter = {}
        self.rssi = None

    def count(self, name, n=1):
        self.counters[name] = self.counters.get(name, 0) + n

    def problem(self, word, code, detail=""):
        self.problems[word] = (code, detail)

    def clear(self, word):
        self.problems.pop(word, None)

    def code(self, word):
        return self.problems[word][0] if word in self.problems else None

    def detail(self, word):
        return self.problems[word][1] if word in self.problems else None

    def radio(self, rssi):
        self.rssi = rssi

    def reading(self, r):
        self.readings.append(r)

    def event(self, code, value):
        self.count("event.%02x" % code)

    def try_ended(self, why):
        self.count("try.%s" % why)

    def set_phase(self, name):
        self.phases.append(name)

    def fault(self, name, deaths):
        self.faults.append((name, deaths))

    def freeze(self):
        self.frozen = True


class Lines:
    """A log that keeps whole lines."""

    def __init__(self):
        self.lines = []

    def _add(self, text, *args):
        self.lines.append(text % args if args else text)

    debug = info = warn = error = _add


class FakeDriver:
    """A radio driver that answers by script: `on_send(frame_bytes)` may call `deliver`."""

    def __init__(self):
        self.sent = []
        self.results = []  # what send returns next; 0 when empty. An exception is raised.
        self.on_send = None
        self.joined = True
        self.gate = None
        self.rssi = -60
        self.left = 0
        self.sent_ms = 0

    async def send(self, data):
        self.sent.append(bytes(data))
        if self.on_send:
            self.on_send(bytes(data))
        result = self.results.pop(0) if self.results else 0
        if isinstance(result, Exception):
            raise result
        return result

    async def leave(self):
        self.left += 1
        self.joined = False

    async def open_gate(self, ms):
        self.gate = None

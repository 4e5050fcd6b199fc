"""For the radio drivers: a fake UART, and a clock whose time passes when all wait."""

import asyncio

# Turns of the event loop after which whatever could happen at this instant has happened.
_TURNS = 25
_DEADLOCK = 4000

RBID = "00112233445566778899AABBCCDDEEFF"
PASSWORD = "0123456789AB"
OWN = b"FE80:0000:0000:0000:021D:1290:1234:5678"
METER = b"FE80:0000:0000:0000:021C:6400:036E:8CF5"
MAC = b"\x00\x1c\x64\x00\x03\x6e\x8c\xf5"
MAC_TEXT = b"001C6400036E8CF5"

# What a driver's event codes mean.
EVENTS = {
    0x20: "beacon",
    0x21: "sent",
    0x24: "join-failed",
    0x25: "joined",
    0x26: "peer-closed",
    0x27: "ended",
    0x28: "end-timeout",
    0x29: "expired",
    0x32: "limited",
    0x33: "unlimited",
    0x34: "lost",
    0x35: "receive-failed",
    0x36: "garbage",
    0x37: "reboot",
}


class Clock:
    """Virtual milliseconds, for any number of tasks that wait at once."""

    def __init__(self):
        self.t = 1000
        self._timers = []
        self._stirred = 0  # how often something began to wait

    def ms(self):
        return self.t

    async def sleep_ms(self, n):
        timer = (self.t + n, asyncio.Event())
        self._timers.append(timer)
        self._stirred += 1
        try:
            await timer[1].wait()
        finally:
            self._timers.remove(timer)

    async def wait_for(self, awaitable, ms):
        done = asyncio.Event()
        ended = []

        async def runner():
            try:
                return await awaitable
            finally:
                ended.append(True)
                done.set()

        task = asyncio.create_task(runner())
        timer = (self.t + ms, done)
        self._timers.append(timer)
        self._stirred += 1
        try:
            await done.wait()
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            self._timers.remove(timer)
        if ended:
            return await task
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
        raise asyncio.TimeoutError

    # Lets time pass from timer to timer. When nothing waits for time, nothing ever happens again.
    async def run(self, main):
        idle = 0
        while True:
            stirred = self._stirred
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            if stirred != self._stirred:
                continue
            waiting = [timer for timer in self._timers if not timer[1].is_set()]
            if waiting:
                idle = 0
                timer = min(waiting, key=lambda timer: timer[0])
                self.t = max(self.t, timer[0])
                timer[1].set()
            else:
                idle += _TURNS
                if idle > _DEADLOCK:
                    main.cancel()


class Log:
    """Keeps its lines."""

    def __init__(self):
        self.lines = []

    def _add(self, text, *args):
        self.lines.append(text % args if args else text)

    debug = info = warn = error = _add


class Wire:
    """The UART. `feed` is what the module says; `hear` gets what the driver writes."""

    def __init__(self, clock, chunk=4096):
        self.clock = clock
        self.chunk = chunk
        self.written = []
        self.stalled = False  # a write takes for ever
        self._inbox = bytearray()
        self._filled = asyncio.Event()
        self._tasks = []

    def feed(self, data):
        self._inbox.extend(data)
        self._filled.set()

    # Says things in turn; a number is a pause in ms.
    def say(self, *items):
        self._tasks = [task for task in self._tasks if not task.done()]
        self._tasks.append(asyncio.create_task(self._say(items)))

    async def _say(self, items):
        for item in items:
            if isinstance(item, int):
                await self.clock.sleep_ms(item)
            else:
                self.feed(item)

    async def readinto(self, view):
        while not self._inbox:
            self._filled.clear()
            await self._filled.wait()
        n = min(len(view), len(self._inbox), self.chunk)
        view[:n] = self._inbox[:n]
        self._inbox = self._inbox[n:]
        return n

    async def write(self, data):
        data = bytes(data)
        if self.stalled:
            self.written.append(data[: len(data) // 2])
            self.hear(data[: len(data) // 2])
            await asyncio.Event().wait()
        self.written.append(data)
        self.hear(data)

    def hear(self, data):
        pass


class Script(Wire):
    """Plays a recorded session: for each write that is expected, what is said, with pauses."""

    def __init__(self, clock, steps, chunk=4096):
        super().__init__(clock, chunk)
        self.steps = list(steps)

    def hear(self, data):
        assert self.steps, b"unexpected: " + data
        expected = self.steps.pop(0)
        assert data == expected[0], (data, expected[0])
        self.say(*expected[1:])


class Sink:
    """What a parser tells, as tuples in `.events`."""

    def __init__(self):
        self.events = []

    def on_final(self, text, good):
        self.events.append(("ok" if good else "fail", text))

    def on_line(self, text):
        self.events.append(("line", text))

    def on_event(self, code, param):
        self.events.append(("event", code, param))

    def on_datagram(self, payload, mac, secured, rssi):
        self.events.append(("datagram", bytes(payload), bytes(mac), secured, rssi))

    def on_pan(self, fields):
        self.events.append(("pan", sorted(fields.items())))

    def on_echo(self):
        self.events.append(("echo",))

    def on_garbage(self, size):
        self.events.append(("garbage", size))


# The exception that an awaitable ends with; fails when none, or another, comes.
async def caught(expected, awaitable):
    try:
        result = await awaitable
    except expected as error:
        return error
    raise AssertionError("no %s; it returned %r" % (expected, result))


# Begins something and cancels it `after` so many ms; fails when it ended before.
async def cancel(rig, coroutine, after=1):
    task = asyncio.create_task(coroutine)
    await rig.clock.sleep_ms(after)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        return
    raise AssertionError("it was not cancelled")


# Gives a parser bytes, at most `chunk` at a time.
def feed(parser, data, chunk=4096):
    data = memoryview(data)
    while len(data):
        space = parser.space()
        n = min(len(space), len(data), chunk)
        space[:n] = data[:n]
        parser.received(n)
        data = data[n:]


class Rig:
    """A driver on a UART, and what it told: `events` (name, value), `datagrams` (data, ...)."""

    def __init__(self, driver, wire):
        self.clock = wire.clock
        self.wire = wire
        self.log = Log()
        self.events = []
        self.datagrams = []
        self.driver = driver(wire, self.clock, self.log, self._datagram, self._event)

    def _datagram(self, payload, mac, secured, rssi):
        self.datagrams.append((bytes(payload), bytes(mac), secured, rssi))

    def _event(self, code, value):
        self.events.append((EVENTS[code], value))

    def named(self, name):
        return [event for event in self.events if event[0] == name]

    # The module says something, and everything that follows from it at once has happened.
    async def say(self, data):
        self.wire.feed(data)
        await self.clock.sleep_ms(0)

    # Forgets what was said and told so far.
    def clear(self):
        wire = self.wire
        for what in (self.events, self.datagrams, wire.written, wire.lines, wire.payloads):
            what.clear()

    def start(self):
        self._reader = asyncio.create_task(self.driver.run())

    async def stop(self):
        await _end(self._reader)

    # Runs a coroutine function with this rig while the driver reads and time passes.
    async def play(self, scene):
        main = asyncio.create_task(scene(self))
        time = asyncio.create_task(self.clock.run(main))
        self.start()
        try:
            return await main
        finally:
            await self.stop()
            await _end(time)


async def _end(task):
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass

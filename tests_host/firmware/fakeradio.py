"""For the radio drivers: a module on a fake UART, and a clock whose time passes when all wait."""

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


# Gives a parser bytes, at most `chunk` at a time.
def feed(parser, data, chunk=4096):
    data = memoryview(data)
    while len(data):
        space = parser.space()
        n = min(len(space), len(data), chunk)
        space[:n] = data[:n]
        parser.received(n)
        data = data[n:]


# How many words a line has, where it is not one.
_WORDS = {
    b"SKSREG": (2, 3),
    b"WOPT": (2, 2),
    b"SKSCAN": (4, 4),
    b"SKLL64": (2, 2),
    b"SKJOIN": (2, 2),
    b"SKSETPWD": (3, 3),
    b"SKSETRBID": (2, 2),
}


class Module(Wire):
    """A small SKSTACK-IP module with a meter in range.

    `replies` overrides what is said after a command: {b"SKTERM": b"FAIL ER10"}; None is silence.
    """

    def __init__(self, clock, dual=False, echo=True, option=b"00", chunk=4096):
        super().__init__(clock, chunk)
        self.dual = dual
        self.echo = self._echo = echo
        self.option = option  # None: knows no ROPT
        self.replies = {}
        self.lines = []  # the commands heard
        self.payloads = []
        self.sent = b"00"  # parameter of EVENT 21
        self.sent_first = True  # EVENT 21 before OK
        self.registers = {b"SFB": b"0", b"SA2": b"0"}
        self.pans = [(b"39", b"8CF5", MAC_TEXT, b"E1", b"CCDDEEFF")]
        self.answers = []  # payloads said after the next datagrams
        self._line = bytearray()
        self._need = 0

    # As after power-up: what was going on is forgotten.
    def restart(self):
        for task in self._tasks:
            task.cancel()
        self.echo = self._echo
        self.registers = {b"SFB": b"0", b"SA2": b"0"}

    # An EVENT line as this edition writes it.
    def event(self, code, param=b"", address=METER):
        side = b" 0" if self.dual else b""
        return (
            b"EVENT " + code + b" " + address + side + (b" " + param if param else b"") + b"\r\n"
        )

    def datagram(self, payload, port=b"0E1A", secured=b"1", rssi=b"E1", destination=OWN):
        head = b"ERXUDP %s %s %s %s %s " % (METER, destination, port, port, MAC_TEXT)
        if self.dual and self.registers[b"SA2"] == b"1":
            head += rssi + b" "
        head += secured + (b" 0" if self.dual else b"") + b" %04X " % len(payload)
        if self.option != b"00":
            return head + "".join(["%02X" % c for c in payload]).encode() + b"\r\n"
        return head + payload + b"\r\n"

    def beacon(self, pan, paired):
        names = (b"Channel", b"Pan ID", b"Addr", b"LQI", b"PairID")
        lines = [b"EPANDESC"]
        for i in range(5 if paired else 4):
            lines.append(b"  " + names[i] + b":" + pan[i])
            if i == 0:
                lines.append(b"  Channel Page:09")
            if i == 3 and self.dual:
                lines.append(b"  Side:0")
        return self.event(b"20", address=OWN) + b"\r\n".join(lines) + b"\r\n"

    def hear(self, data):
        for c in data:
            if self._need:
                self._line.append(c)
                self._need -= 1
                if not self._need:
                    self._packet()
            elif c in b"\r\n":
                line = bytes(self._line).strip()
                self._line = bytearray()
                if line:
                    self._command(line)
            else:
                self._line.append(c)
                if c == 32 and self._line.startswith(b"SKSENDTO "):
                    words = bytes(self._line).split()
                    if len(words) == (7 if self.dual else 6):
                        self._need = int(words[-1], 16)
                        self._head = bytes(self._line)
                        self._line = bytearray()

    def _packet(self):
        self.payloads.append(bytes(self._line))
        self._line = bytearray()
        self.lines.append(self._head)
        if self.echo:
            self.feed(self._head)
        self.feed(b"\r\n")
        sent = self.event(b"21", self.sent)
        reply = self.replies.get(
            b"SKSENDTO", sent + b"OK\r\n" if self.sent_first else b"OK\r\n" + sent
        )
        if isinstance(reply, tuple):
            self.say(*reply)
        elif reply is not None:
            self.feed(reply)
            if self.answers:
                self.feed(self.datagram(self.answers.pop(0)))

    def _command(self, line):
        self.lines.append(line)
        if self.echo:
            self.feed(line + b"\r\n")
        words = line.split()
        if line in self.replies or words[0] in self.replies:
            reply = self.replies.get(line, self.replies.get(words[0]))
            if reply is not None:
                self.say(*reply) if isinstance(reply, tuple) else self.feed(reply)
            return
        reply = b"OK\r\n"
        few, many = _WORDS.get(words[0], (1, 1))
        if not few <= len(words) <= many + (words[0] == b"SKSCAN" and self.dual):
            reply = b"FAIL ER05\r\n"
        elif words[0] == b"SKVER":
            reply = (b"EVER 1.5.2\r\n" if self.dual else b"EVER 1.2.10\r\n") + reply
        elif words[0] == b"SKAPPVER":
            reply = b"EAPPVER rev26e\r\n" + reply
        elif words[0] == b"SKINFO":
            last = b"0" if self.dual else b"FFFE "
            reply = b"EINFO " + OWN + b" 001D129012345678 21 FFFF " + last + b"\r\n" + reply
        elif words[0] == b"SKSREG":
            if len(words) == 2:
                reply = b"ESREG " + self.registers.get(words[1], b"0") + b"\r\n" + reply
            else:
                self.registers[words[1]] = words[2]
                if words[1] == b"SFE":
                    self.echo = words[2] == b"1"
        elif words[0] == b"ROPT":
            reply = b"FAIL ER04\r\n" if self.option is None else b"OK " + self.option + b"\r"
        elif words[0] == b"WOPT":
            self.option = words[1]
            reply = b"OK\r"
        elif words[0] == b"SKSCAN":
            if len(words) == 4 and self.dual:
                reply = b"FAIL ER05\r\n"
            else:
                paired = words[1] == b"2"
                found = [self.beacon(pan, paired) for pan in self.pans]
                self.say(reply, 8000, *found, 1000, self.event(b"22", address=OWN))
                return
        elif words[0] == b"SKLL64":
            reply = METER + b"\r\n"
        elif words[0] == b"SKJOIN":
            pana = bytes([0, 13, 10, 0x45]) * 26
            self.say(
                reply,
                20,
                self.event(b"21", b"02"),
                self.event(b"02"),
                self.datagram(pana, b"02CC", b"0"),
                self.event(b"21", b"00"),
                3000,
                self.event(b"25"),
            )
            return
        elif words[0] == b"SKTERM":
            self.say(reply, 200, self.event(b"27"))
            return
        elif words[0] == b"SKRESET":
            self.restart()
        elif words[0] not in (b"SKSETPWD", b"SKSETRBID"):
            reply = b"FAIL ER04\r\n"
        self.feed(reply)


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

    def _event(self, name, value):
        self.events.append((name, value))

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

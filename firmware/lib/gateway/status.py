# What is going on, in one place: told by every task, read by the LED, the console, the upload and
# the REPL, through gateway.led and gateway.summary.
from array import array

from gateway import drop
from micropython import const

# The order is that of a reading's way; the first one that has a problem is the one to name.
WORDS = ("config", "radio", "meter", "network", "server")

TOO_FAR = const(-88)  # dBm, the commercial service's guideline
_DETAIL = const(120)  # characters kept of a detail: it travels in every upload
_LIVE = ("get", "inf", "D0")  # origins that tell of now; the others are history
_RING = const(250)  # bytes: the last 50 events of 5 each, see gateway.track
_QUARTER = const(900_000)  # ms; RSSI is kept for 96 of them, a day
_TRIES = const(0x3FFF_FFFF)  # one bit for each of the last 30 requests


# A reading that is older by more than answers can be late (gateway.exchange) is not older: the
# clock was set back.
def _newer(r, than):
    return than is None or not 0 < than.t - r.t <= 300


class Status:
    """The state of the gateway. Nobody waits for it and it commands nobody.

    `on_change()`, when set, is called after each change by who made it; it must not wait. While
    `hush` is not False there is no memory for that; None: something has changed meanwhile.
    """

    def __init__(self, board, clock, log):
        self.board = board
        self.clock = clock
        self.log = log
        self.phase = "starting"
        self.problems = {}  # word: (code, detail)
        self.faults = {}  # task: deaths in a row
        self.counters = {}
        self.last = None  # the newest Reading with a power
        self.energy = None  # the newest Reading with an energy
        self.rssi = None  # dBm, smoothed, and the ms of the last measurement
        self.rssi_ms = None
        self.far = False  # too weak a signal
        self.heard = bytearray(96)  # -dBm of each quarter of an hour, 0: nothing
        self.tried = self.unsent = self.silent = 0  # requests; see try_ended
        self.events = array("I", [0] * 32)  # how often each was told, by its code less 0x20
        self.ring = bytearray(_RING)
        self.ring_at = 0
        self.module = None
        self.meter = {}
        self.on_change = None
        self._sources = {}
        self._led = None
        self._level = 0  # dBm in sixteenths
        self.hush = False
        self._changed()

    def set_phase(self, phase):
        """`phase`: starting, joining, running, stopped or safe."""
        if phase != self.phase:
            self.phase = phase
            self.log.info("gateway: %s", phase)
            self._changed()

    def problem(self, word, code, detail=""):
        """What is wrong with `word`, until clear(): a code for programs, a detail for people."""
        detail = detail[:_DETAIL]
        if self.problems.get(word) != (code, detail):
            if self.code(word) != code:
                self.log.warn("%s: %s%s", word, code, detail and " (%s)" % detail)
            self.problems[word] = (code, detail)
            self._changed()

    def clear(self, word):
        if self.problems.pop(word, None):
            self.log.info("%s: all right again", word)
            self._changed()

    def code(self, word):
        return self.problems[word][0] if word in self.problems else None

    def detail(self, word):
        return self.problems[word][1] if word in self.problems else None

    def fault(self, task, deaths):
        """`task` died `deaths` times in a row; 0: it lives. One death is no fault yet, two are."""
        if deaths:
            self.faults[task] = deaths
        else:
            self.faults.pop(task, None)
        self._changed()

    def count(self, name, n=1):
        self.counters[name] = self.counters.get(name, 0) + n

    def event(self, code, value):
        """A link event of the radio module, see wisun, or from 0x38 a step of the ladder."""
        if code == 0x21 and value:
            code += value  # 0x22, 0x23: sends that failed, or wait
        self.events[code & 31] += 1
        # What is all in a day's work would push the rest out.
        if not 0x20 <= code <= 0x21 and code != 0x23 and code != 0x36:
            ring = self.ring
            at = self.ring_at
            seconds = self.clock.ms() // 1000
            ring[at] = seconds >> 16 & 255
            ring[at + 1] = seconds >> 8 & 255
            ring[at + 2] = seconds & 255
            ring[at + 3] = code
            ring[at + 4] = (value or 0) & 255
            self.ring_at = (at + 5) % _RING

    def radio(self, rssi):
        """The signal strength of a contact, in dBm. None: it was not told."""
        if rssi is not None:
            now = self.clock.ms()
            slot = now // _QUARTER
            if self.rssi is None:
                self._level = rssi * 16
            else:
                last = self.rssi_ms // _QUARTER
                # A quarter of each newcomer; what is older than a quarter of an hour is nothing.
                weight = 2 if slot - last < 2 else 0
                self._level += rssi * 16 - self._level >> weight
                for i in range(max(last + 1, slot - 95), slot):
                    self.heard[i % 96] = 0
            self.rssi = rssi = self._level + 8 >> 4
            self.rssi_ms = now
            self.heard[slot % 96] = -rssi & 255
            far = self.far
            self.far = rssi < TOO_FAR
            if self.far != far:
                self._changed()

    def try_ended(self, why):
        """A request to the meter ended: None answered, "unsent", "silent" or "gate"."""
        if why != "gate":
            self.tried = min(self.tried + 1, 30)
            self.unsent = (self.unsent << 1 | (why == "unsent")) & _TRIES
            self.silent = (self.silent << 1 | (why == "silent")) & _TRIES

    def reading(self, r):
        """The newest values. Neither the meter's history nor a late answer becomes the newest."""
        if r.origin in _LIVE:
            if r.power is not None and _newer(r, self.last):
                self.last = r
            if (r.normal is not None or r.reverse is not None) and _newer(r, self.energy):
                self.energy = r
            self._tell()

    def attach(self, name, source):
        """`source()` gives a dict to merge into every snapshot; the same name replaces it."""
        self._sources[name] = source

    # -> (word, code, detail) of what to name first; (None, None, None) when all is well.
    def worst(self):
        for word in WORDS:
            if word in self.problems:
                return (word,) + self.problems[word]
        for task, deaths in self.faults.items():
            if deaths > 1:
                return None, "fault", "%s died %d times in a row" % (task, deaths)
        return None, None, None

    def freeze(self):
        """The run is over: what the sources say now stays said, and they can go."""
        last = self.sourced({})
        self._sources = {"": lambda: last}
        self.on_change = None

    def sourced(self, s):
        """The dict `s` with what the sources say."""
        for source in self._sources.values():
            s.update(source())
        return s

    # The lamp is touched only when it is to show something else.
    def _light(self):
        from gateway import led

        name = led.name(self)
        if name != self._led:
            self._led = name
            self.board.led(led.PATTERNS[name])
        del led
        drop("led")

    def _changed(self):
        if self.hush is False:
            self._light()
        self._tell()

    def _tell(self):
        if self.hush is not False:
            self.hush = None
        elif self.on_change:
            self.on_change()

    def speak(self):
        """There is memory again for the lamp and the console."""
        told = self.hush
        self.hush = False
        if told is None:
            self._changed()

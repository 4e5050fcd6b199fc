# What is going on, in one place: told by every task, read by the LED, the console, the upload and
# the REPL, through gateway.led and gateway.summary.
from gateway import drop
from micropython import const

# The order is that of a reading's way; the first one that has a problem is the one to name.
WORDS = ("config", "radio", "meter", "network", "server")

TOO_FAR = const(-88)  # dBm, the commercial service's guideline
_DETAIL = const(120)  # characters kept of a detail: it travels in every upload
_LIVE = ("get", "inf", "D0")  # origins that tell of now; the others are history


class Status:
    """The state of the gateway. Nobody waits for it and it commands nobody.

    `on_change()`, when set, is called after each change by who made it; it must not wait.
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
        self.rssi = None  # dBm, and the ms at which it was measured
        self.rssi_ms = None
        self.far = False  # too weak a signal
        self.module = None
        self.meter = {}
        self.on_change = None
        self._sources = {}
        self._led = None
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

    def event(self, name, value):
        """A link event of the radio module."""
        self.count("event." + name)

    def radio(self, rssi):
        """The signal strength of the last contact, in dBm."""
        if rssi is not None:
            far = self.far
            self.rssi = rssi
            self.rssi_ms = self.clock.ms()
            self.far = rssi < TOO_FAR
            if self.far != far:
                self._light()

    def reading(self, r):
        """The newest values. Rows from the meter's history do not become the newest."""
        if r.origin in _LIVE:
            if r.power is not None:
                self.last = r
            if r.normal is not None or r.reverse is not None:
                self.energy = r
            if self.on_change:
                self.on_change()

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
        self._light()
        if self.on_change:
            self.on_change()

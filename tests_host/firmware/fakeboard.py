"""A board without hardware: everything the gateway asks of one, recorded or scripted.

Runs on both Pythons. Parts can be used alone: FakeNvs, FakeNet.
"""


class PowerCut(BaseException):
    """The power went away. No `except Exception` may hold it up, as none would on a board."""


class FakeNvs:
    """Blobs in a dict, which lives on when the board is made anew: FakeNvs(old.blobs).

    `cut_after(n, tear)`: the power goes at the write after n more. tear says what that write
    leaves behind: "old" (nothing written), "new" (all of it), "half" (the first half), "noise"
    (its length in zeros), "none" (the name is gone).
    """

    def __init__(self, blobs=None):
        self.blobs = {} if blobs is None else blobs
        self.writes = 0
        self.commits = 0
        self.fails = False  # the flash takes nothing any more
        self._left = None
        self._tear = "old"

    def cut_after(self, n, tear="old"):
        self._left = n
        self._tear = tear

    def get(self, name):
        return self.blobs.get(name)

    def set(self, name, blob):
        assert 0 < len(name) <= 15
        blob = bytes(blob)
        if self.fails:
            raise OSError(5, "ESP_FAIL")
        self.writes += 1
        if self._left == 0:
            if self._tear == "new":
                self.blobs[name] = blob
            elif self._tear == "half":
                self.blobs[name] = blob[: len(blob) // 2]
            elif self._tear == "noise":
                self.blobs[name] = bytes(len(blob))
            elif self._tear == "none":
                self.blobs.pop(name, None)
            raise PowerCut
        if self._left is not None:
            self._left -= 1
        self.blobs[name] = blob

    def commit(self):
        self.commits += 1


class FakeNet:
    """A link whose fortune is scripted: `at(ms, **state)` changes attributes at that time.

    `alive`: a join succeeds, and the connection lasts. `only`: the one network that is there.
    `busy`: the driver is connecting already. `calls` is what was asked for, in order.
    """

    def __init__(self, clock=None, kind="wifi"):
        self.clock = clock
        self.kind = kind
        self.alive = True
        self.reason = "no-wifi"
        self.signal = -55
        self.joined = False
        self.turn = 0
        self.only = None
        self.busy = False
        self.sight = []
        self.lease = ("192.0.2.7", "255.255.255.0", "192.0.2.1", "192.0.2.1")
        self.fails = []  # exceptions for the next calls of up()
        self.calls = []
        self._script = []

    def at(self, ms, **state):
        self._script.append((ms, state))
        self._script.sort(key=lambda item: item[0])

    def _now(self):
        while self._script and self.clock and self.clock.ms() >= self._script[0][0]:
            for name, value in self._script.pop(0)[1].items():
                setattr(self, name, value)
        if not self.alive:
            self.joined = False

    def up(self, hostname, country):
        self.calls.append(("up", hostname, country))
        if self.fails:
            raise self.fails.pop(0)

    def join(self, ssid, key):
        self._now()
        self.calls.append(("join", ssid))
        self.joined = self.alive and self.only in (None, ssid)
        return not self.busy

    def scan(self):
        return self.sight

    def static(self, ip, mask, gateway, dns):
        self.calls.append(("static", ip, mask, gateway, dns))
        self.lease = (ip, mask, gateway, dns)

    def dhcp(self):
        self.calls.append(("dhcp",))

    def connected(self):
        self._now()
        return self.joined

    def address(self):
        return self.lease if self.joined else ("0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0")

    def rssi(self):
        return self.signal if self.joined and self.kind == "wifi" else None

    def why(self):
        return self.reason

    def kick(self):
        self.calls.append(("kick",))
        self.joined = False

    def count(self, name):
        return len([call for call in self.calls if call[0] == name])


class FakeBoard:
    """`uart`: any object with async readinto(mv) and write(buf). `clock`: for the net's script."""

    root = None  # no file system

    def __init__(self, clock=None, uart=None, blobs=None, kind="wifi", name="fake"):
        self.name = name
        self.uart = uart
        self.nvs = FakeNvs(blobs)
        self.net = FakeNet(clock, kind)
        self.radio = None
        self.bad_starts = 1  # this one included
        self.safe_times = 0
        self.patterns = []  # what led() was told
        self.watchdogs = []  # ms it was armed with
        self.feeds = 0
        self.resets = 0
        self.radio_resets = 0
        self.has_reset_pin = True
        self.has_power_pin = False
        self.power_cycles = 0
        self.last_task = None
        self.pressed = False
        self.cause = "power-on"
        self.rtc = None
        self.baud = 115200

    def led(self, pattern):
        self.patterns.append(pattern)

    def wdt(self, ms):
        self.watchdogs.append(ms)

    def doing(self, task):
        self.last_task = task

    def feed(self):
        self.feeds += 1

    def reset(self):
        self.resets += 1

    def restart(self, why):
        self.resets += 1
        self.cause = "hard: " + why

    def starts(self):
        return self.bad_starts, self.safe_times

    def good(self):
        self.bad_starts = self.safe_times = 0

    def safe(self):
        self.bad_starts = 0
        self.safe_times += 1
        return self.safe_times

    def reset_cause(self):
        return self.cause

    def unique_id(self):
        return b"\x24\x0a\xc4\x00\xbe\xef"

    def button(self):
        return self.pressed

    async def radio_reset(self, power=False):
        if power:
            self.power_cycles += self.has_power_pin
            return self.has_power_pin
        if self.has_reset_pin:
            self.radio_resets += 1
        return self.has_reset_pin

    def uart_baud(self, baud):
        self.baud = baud

    def set_rtc(self, utc):
        self.rtc = utc

# Half-hours that the server lacks, read from the meter's own history. Here is only what must be
# there all the time: the map of what was delivered, and the next step. The rest comes and goes:
# what to ask is in repair_plan, what the answer means in repair_take, keeping in repair_map.
import sys

from gateway import drop
from micropython import const

DAYS = const(100)  # today and the 99 days that E5 can name
_SLOT = const(1800)
_JST = const(32400)
_ROOM_MS = const(10_000)


class Repair:
    """Where the mending stands. It outlives sessions with the meter.

    `map`: 48 bits a day, 1 for a half-hour that the server has, or that the meter knows nothing
    of. `first`: the JST day (from 1970) of its first 6 bytes. `dirty`: changed since it was
    `saved`, in ms of the clock. `asked`: a bit per day (modulo 104) that was read again at the
    server's wish. `told`: for the status.

    `at`: the round works downwards through half-hours, counted from 1970 in JST, and is below
    this one; None between rounds. `looks`: rounds of today that left something. `job`: (EPC,
    newest half-hour, entries) that is being read, by the requests `stage` 0 to 2; `half` and
    `back` what the answers held, handed on in `stage` 3. `tries`: failures of the job; `fails`:
    rests since history was last answered. `due`, `rest`: ms before which nothing is asked, the
    latter after failures.

    Of the meter: `skew`, its UTC ms less the clock's ms(), looked at anew after `checked`;
    `today`, its date when E5 was set; `kept`, how many days back it tells; `ec`, whether EC is
    understood, None while that is not proven; `proof`, (half-hour, normal, reverse) of its last
    fixed-time value, in counts; `doubt`, a day of which EC knew not all.
    """

    def __init__(self, app):
        self.app = app
        self.map = bytearray(DAYS * 6)
        self.asked = bytearray(13)
        self.first = self.due = self.rest = self.stage = self.fails = self.saved = 0
        self.checked = self.today = self.tries = self.looks = 0
        self.at = self.job = self.half = self.back = self.skew = self.proof = self.ec = (
            self.told
        ) = None
        self.doubt = None
        self.kept = DAYS - 1
        self.dirty = False
        self.do("map", "load")

    def delivered(self, t, half=False):
        """The server has the half-hour of UTC second `t`; `half`: in one direction only."""
        if half:
            # Where EB did not come with EA, the day's history has it. What it lacks is lacking.
            known = self.app.session.map
            utc = self.app.clock.utc()
            if known and 0xEB in known and utc is not None and utc - t < 86_400:
                return
        k = (t + _JST) // _SLOT
        if k // 48 - self.first >= DAYS:
            self.do("map", "roll", k // 48)
        at = k // 48 - self.first
        if at >= 0:
            self.map[at * 6 + k % 48 // 8] |= 1 << k % 8
            self.dirty = True

    # For the server's wish, the status, and leaving.
    def want(self, days):
        """`days` ("2026-11-20", in Japan) are missing at the server, as it says."""
        self.do("map", "want", days)

    def snapshot(self):
        """For the status."""
        return {"repair": self.told}

    def save(self):
        """Keep the map in flash, if it changed."""
        self.do("map", "save")

    async def step(self, meter, left):
        """At most one request to the meter, when that disturbs nobody; `left`: ms until the poll.

        -> ms after which it may be called again.
        """
        clock = self.app.clock
        wait = self.due - clock.ms()
        if wait > 0:
            return wait
        # Code that uploads is not to be in memory beside this.
        if self.app.air.locked() or left < min(_ROOM_MS, self.app.settings["poll.interval"] * 500):
            return max(left, 1)
        todo = self.do("take", "feed", meter) if self.stage == 3 else self.do("plan", "ask", meter)
        if todo is None:
            return max(self.due - clock.ms(), 1)
        from gateway.exchange import NoAnswer

        try:
            frame = await meter.exchange.request(*todo)
        except NoAnswer as e:
            self.app.status.count("request." + e.why)
            frame = None
        self.do("take", "take", meter, frame)
        return 1

    # Calls a function of one of the other modules, loaded for that.
    def do(self, module, name, *args):
        __import__("gateway.repair_" + module)
        try:
            return getattr(sys.modules["gateway.repair_" + module], name)(self, *args)
        finally:
            drop("repair_map", "repair_plan", "repair_take")
            if sys.modules.pop("echonet.history", None):
                delattr(sys.modules["echonet"], "history")

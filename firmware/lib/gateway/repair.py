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

    `map`: 48 bits a day, 1 for a half-hour that the server has or refused, or that the meter
    knows nothing of. `first`: the JST day (from 1970) of its first 6 bytes. `dirty`: changed since
    it was `saved`, in ms of the clock. `asked`: a bit per day (modulo 104) that was read again at
    the server's wish. `told`: for the status.

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

    `todo`: what Exchange.request takes, the next question; `got`: what came of the last one, (ESV,
    {EPC: EDT}, when it was asked), until it is understood.
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
        self.doubt = self.todo = self.got = None
        self.kept = DAYS - 1
        self.dirty = False
        self.do("map", "load")

    def delivered(self, t, half=False):
        """The server has the half-hour of UTC second `t`; `half`: in one direction only, or None:
        it never wants it.
        """
        if half:
            # Where EB did not come with EA, the day's history has it. What it lacks is lacking.
            known = self.app.session.map
            utc = self.app.clock.utc()
            if known and 0xEB in known and utc is not None and utc - t < 86_400:
                return
        k = (t + _JST) // _SLOT
        if k // 48 - self.first >= DAYS:
            if half is None:
                return  # it may have been refused because its time is wrong
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

    def think(self, left):
        """What needs no talk with the meter: to understand an answer, and to choose the next
        question, when that disturbs nobody; `left`: ms until the poll.

        -> ms after which it may be called again; None: there is something to ask.
        """
        app = self.app
        if self.got:
            got = self.got
            self.got = None
            self.do("take", "take", *got)
        if not self.todo:
            wait = self.due - app.clock.ms()
            if wait > 0:
                return wait
        if not self._may(left):
            return max(left, 1)
        if self.todo:
            return None
        if self.stage == 3:
            self.do("take", "feed")
        else:
            self.todo = self.do("plan", "ask")
            if self.todo:
                return None
        return max(self.due - app.clock.ms(), 1)

    # Is there time? To come back to the talk takes a moment of it. And code that uploads is not to
    # be in memory beside this.
    def _may(self, left):
        app = self.app
        room = min(_ROOM_MS, app.settings["poll.interval"] * 500)
        if self.todo:
            room //= 2
        return left >= room and not (app.air.locked() or app.driver.gate)

    async def step(self, exchange, left):
        """In the talk with the meter, at most one request. Where memory is scarce, thinking is
        done before and after the talk.

        -> ms after which it may be called again; 0: there is something to think about.
        """
        app = self.app
        scarce = app.session.scarce()
        if not scarce:
            wait = self.think(left)
            if wait:
                return wait
        wait = self.due - app.clock.ms()
        if not self.todo and not self.got and wait > 0:
            return wait
        if self.got:
            return 0
        if not self._may(left):
            return max(left, 1)
        if not self.todo:
            return 0
        todo = self.todo
        self.todo = None
        frame = None
        from gateway.exchange import NoAnswer

        try:
            frame = await exchange.request(*todo)
        except NoAnswer as e:
            app.status.count("request." + e.why)
        # What it says, for the frame is valid in the talk only.
        self.got = (
            frame and frame.esv,
            frame and {frame.epc(i): bytes(frame.edt(i)) for i in range(frame.opc)},
            exchange.asked_ms,
        )
        if not scarce:
            self.think(0)
            return 1
        return 0

    # Calls a function of one of the other modules, loaded for that.
    def do(self, module, name, *args):
        __import__("gateway.repair_" + module)
        try:
            return getattr(sys.modules["gateway.repair_" + module], name)(self, *args)
        finally:
            drop("repair_map", "repair_plan", "repair_take")
            for name in ("history", "meter"):
                # What the talk has is its own.
                if name == "history" or not self.app.session.live:
                    if sys.modules.pop("echonet." + name, None):
                        delattr(sys.modules["echonet"], name)

# From a silent UART to an authenticated session with the meter, and what to tell the owner on the
# way. Loaded when there is no session, and dropped once there is one.
from asyncio import TimeoutError
from os import urandom

from micropython import const
from wisun import JoinRefused, JoinTimeout, Pan, RadioError

_JOIN_MS = const(60_000)  # nobody ever joined later
_PAUSE_MIN_MS = const(10_000)
_PAUSE_MAX_MS = const(240_000)  # patience: eager rejoining lost 78 % of one home's minutes
_TOO_FAR = const(-88)  # dBm, the guideline's limit
_TRIES_KEPT = const(3)  # joins with the remembered PAN before a new scan
_TRIES_FRESH = const(5)
_PROOF = const(3)  # refusals in good reception before the password is doubted


class Link:
    """Brings the radio module up and joins the meter: `connect` returns once there is a session.

    It never gives up: every failure is named to `status` (config or radio, with a code) and
    followed by a pause that grows from 10 to 240 s. `ready`: the module is probed and has its
    credentials.
    """

    def __init__(self, app, ready=False):
        self.driver = app.driver
        self.board = app.board
        self.settings = app.settings
        self.store = app.store
        self.clock = app.clock
        self.log = app.log
        self.status = app.status
        self.ready = ready
        self.pan = None
        self.fresh = False  # `pan` was heard in this run, so its RSSI is known
        self.tries = 0  # joins on this pan
        self.refused = 0  # EVENT 24 in a row, whatever the pan
        self.foreign = False  # a scan without pairing heard somebody
        kept = app.store.pan()
        if kept:
            self.pan = Pan(kept[0], kept[1], kept[2], None, None)

    async def connect(self, beat):
        pause = _PAUSE_MIN_MS
        while True:
            try:
                beat(60_000)
                if not self.ready:
                    await self._module()
                if await self._join(beat):
                    return
            except (RadioError, TimeoutError) as e:
                await self._module_failed(e)
            self.status.count("link.pause")
            # A quarter of jitter: a street's gateways must not rejoin in step after an outage.
            wait = pause + pause * urandom(1)[0] // 1024
            beat(wait + 30_000)
            await self.clock.sleep_ms(wait)
            pause = min(pause * 2, _PAUSE_MAX_MS)

    async def _module(self):
        info = await self.driver.probe()
        self.status.module = "%s %s %s" % (info.protocol, info.edition, info.firmware)
        self.log.info("radio: module speaks %s", self.status.module)
        s = self.settings
        await self.driver.configure(s["broute.id"], s["broute.password"])
        self.ready = True

    async def _module_failed(self, e):
        self.ready = False
        self.status.count("module.failed")
        self.log.warn("radio: module: %s", e)
        if self.status.module:
            self.status.problem("radio", "module-silent", "the module stopped answering: %s" % e)
        else:
            self.status.problem(
                "radio", "no-module", "no radio module answers: check wiring, pins, baud and power"
            )
        if await self.board.radio_reset():
            self.status.count("module.pin-reset")

    # -> True once there is a session
    async def _join(self, beat):
        if self.pan is None:
            beat(300_000)
            if not await self._scan():
                return False
        pan = self.pan
        self.tries += 1
        self.status.count("join")
        beat(_JOIN_MS + 30_000)
        try:
            await self.driver.join(pan, _JOIN_MS)
        except JoinRefused:
            self.ready = False  # perhaps the module has lost its credentials
            self.refused += 1
            self.status.count("join.refused")
            self._judge_refusal(pan)
        except JoinTimeout:
            self.status.count("join.timeout")
            self._judge_silence(pan)
        else:
            self._joined(pan)
            return True
        if self.tries >= (_TRIES_FRESH if self.fresh else _TRIES_KEPT):
            self.pan = None  # perhaps the meter moved to another channel
        return False

    def _joined(self, pan):
        self.tries = self.refused = 0
        self.foreign = False
        self.status.count("joined")
        self.status.clear("config")
        self.status.clear("radio")
        kept = (pan.channel, pan.pan_id, bytes(pan.mac))
        if self.store.pan() != kept:
            self.store.set_pan(kept)

    async def _scan(self):
        self.status.count("scan")
        pan = await self.driver.find()
        if pan is not None:
            self.pan = pan
            self.fresh = True
            self.tries = 0
            self.status.radio(pan.rssi)
            self.log.info("radio: meter on channel %d at %d dBm", pan.channel, pan.rssi)
            if self.status.code("config") == "wrong-id":
                self.status.clear("config")
            return True
        self.status.count("scan.empty")
        # Somebody there, but nobody for this ID: either the ID is wrong or our meter is too far.
        others = await self.driver.scan(7, paired=False)
        if others:
            self.status.problem(
                "config",
                "wrong-id",
                "a meter is near but none answers to this broute.id: check its last 8 characters",
            )
        else:
            self.status.clear("config")
            self.status.problem(
                "radio", "no-beacon", "no meter heard: move nearer to it or check the antenna"
            )
        return False

    # Wrong password: heard well, refused again and again. One refusal proves nothing: a meter
    # refuses too while it still holds the session of before a restart.
    def _judge_refusal(self, pan):
        if self.refused >= _PROOF and pan.rssi is not None and pan.rssi >= _TOO_FAR:
            self.status.problem(
                "config",
                "wrong-password",
                "the meter is near (%d dBm) but refused %d times: check broute.password"
                % (pan.rssi, self.refused),
            )
        else:
            detail = "the meter refused to join, trying again (%d)" % self.refused
            self.status.problem("radio", "join-refused", detail)

    def _judge_silence(self, pan):
        if pan.rssi is None:
            detail = "the remembered meter does not answer, trying again"
            self.status.problem("radio", "join-timeout", detail)
        else:
            detail = "the meter was heard (%d dBm) but does not answer: move nearer" % pan.rssi
            self.status.problem("radio", "too-far", detail)

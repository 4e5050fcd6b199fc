# From a silent UART to an authenticated session with the meter, and what to tell the owner on the
# way. Loaded for each attempt, and dropped.
from asyncio import TimeoutError

from gateway import drop
from micropython import const
from wisun import JoinRefused, JoinTimeout, RadioError

_JOIN_MS = const(60_000)  # nobody ever joined later
_TOO_FAR = const(-88)  # dBm, the guideline's limit
_TRIES_KEPT = const(3)  # joins with the remembered PAN before a new scan
_TRIES_FRESH = const(5)
_PROOF = const(3)  # refusals in good reception before the password is doubted


class Link:
    """One attempt: brings the radio module up when it is not, and joins the meter.

    Every failure is named to `status` (config or radio, with a code). `memory`, a Session, keeps
    what one attempt leaves to the next: see there.
    """

    def __init__(self, app, memory):
        self.app = app
        self.driver = app.driver  # None until the module is found
        self.log = app.log
        self.status = app.status
        self.memory = memory

    # -> True once there is a session
    async def attempt(self, beat):
        memory = self.memory
        try:
            beat(60_000)
            if not memory.ready:
                await self._module()
            return await self._join(beat)
        except (RadioError, TimeoutError) as e:
            await self._module_failed(e)
            return False

    async def _module(self):
        s = self.app.settings
        if self.driver is None:
            from gateway.tuner import tune

            try:
                await tune(self.app)
            finally:
                del tune
                drop("tuner")
            self.driver = self.app.driver
        info = await self.driver.probe(s["radio.module"])
        self.status.module = "%s %s %s" % (info.protocol, info.edition, info.firmware)
        self.log.info("radio: module speaks %s", self.status.module)
        await self.driver.configure(s["broute.id"], s["broute.password"])
        self.memory.ready = True

    async def _module_failed(self, e):
        self.memory.ready = False
        self.status.count("module.failed")
        self.log.warn("radio: module: %s", e)
        if self.status.module:
            self.status.problem("radio", "module-silent", "the module stopped answering: %s" % e)
        else:
            self.status.problem("radio", "no-module", str(e))
        if await self.app.board.radio_reset():
            self.status.count("module.pin-reset")

    # -> True once there is a session
    async def _join(self, beat):
        memory = self.memory
        if memory.pan is None:
            beat(300_000)
            if not await self._scan():
                return False
        pan = memory.pan
        memory.tries += 1
        self.status.count("join")
        beat(_JOIN_MS + 30_000)
        try:
            await self.driver.join(pan, _JOIN_MS)
        except JoinRefused:
            memory.ready = False  # perhaps the module has lost its credentials
            memory.refused += 1
            self.status.count("join.refused")
            self._judge_refusal(pan)
        except JoinTimeout:
            self.status.count("join.timeout")
            self._judge_silence(pan)
        else:
            self._joined(pan)
            return True
        if memory.tries >= (_TRIES_FRESH if memory.fresh else _TRIES_KEPT):
            memory.pan = None  # perhaps the meter moved to another channel
        return False

    def _joined(self, pan):
        memory = self.memory
        memory.tries = memory.refused = 0
        memory.fresh = False
        self.status.count("joined")
        self.status.clear("config")
        self.status.clear("radio")
        store = self.app.store
        kept = (pan.channel, pan.pan_id, bytes(pan.mac))
        if store.pan() != kept:
            store.set_pan(kept)

    async def _scan(self):
        self.status.count("scan")
        pan = await self.driver.find()
        if pan is not None:
            memory = self.memory
            memory.pan = pan
            memory.fresh = True
            memory.tries = 0
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
        refused = self.memory.refused
        if refused >= _PROOF and pan.rssi is not None and pan.rssi >= _TOO_FAR:
            self.status.problem(
                "config",
                "wrong-password",
                "the meter is near (%d dBm) but refused %d times: check broute.password"
                % (pan.rssi, refused),
            )
        else:
            detail = "the meter refused to join, trying again (%d)" % refused
            self.status.problem("radio", "join-refused", detail)

    def _judge_silence(self, pan):
        if pan.rssi is None:
            detail = "the remembered meter does not answer, trying again"
            self.status.problem("radio", "join-timeout", detail)
        else:
            detail = "the meter was heard (%d dBm) but does not answer: move nearer" % pan.rssi
            self.status.problem("radio", "too-far", detail)

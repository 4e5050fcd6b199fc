"""Which module hangs on a UART, and how fast it speaks: loaded to find out, and dropped.

A module is known by what nothing else says: an SKSTACK one by its version line, a J11 one by the
head of a frame whose sum is right. Neither minds what is said to the other.
"""

from asyncio import TimeoutError

from micropython import const

from . import RadioError

# What WUART can set, as delivered first. J11 has no other than this.
BAUDS = (115200, 57600, 38400, 19200, 9600, 4800, 2400)

_ASK = const(400)  # ms; either answers within a few
_TORN = const(1200)  # ms; a J11 module gives up half a frame after 1 s, and says so
_FILLED = const(1000)
_WRITE = const(1000)  # ms; 64 bytes at 2400 baud
_SIZE = const(192)

_WORDS = {
    "skstack": b"\r\nSKVER\r\n",
    "j11": b"\xd0\xea\x83\xfc\x00\x6b\x00\x04\x03\xa8\x00\x00",  # 006B
}
# Fills up a datagram that was left half sent (at most 1232 bytes); else they are empty lines.
_FILLER = b"\r\n" * 32
_FILLERS = const(20)


async def find(uart, clock, speed, protocols=("skstack", "j11"), bauds=BAUDS):
    """What answers -> (protocol, baud); `speed(baud)` sets the UART's.

    `protocols`, `bauds`: what to try, the likelier first. The first speed is tried patiently, for
    some 4 s, the others for 0.4 s each. RadioError tells what was tried, and what was heard.
    """
    ear = _Ear(uart, clock)
    for baud in bauds:
        speed(baud)
        for protocol in protocols:
            if protocol == "skstack" or baud in (bauds[0], BAUDS[0]):
                if await ear.ask(_WORDS[protocol], _ASK):
                    return ear.protocol, baud
        if baud == bauds[0]:
            # It may be in the middle of something: half a frame or half a datagram.
            if await ear.listen(_TORN - _ASK):
                return ear.protocol, baud
            for protocol in protocols:
                if protocol == "skstack":
                    heard = await ear.ask(_WORDS[protocol], _FILLED, _FILLERS)
                else:
                    heard = await ear.ask(_WORDS[protocol], _ASK)
                if heard:
                    return ear.protocol, baud
            # Or it has power since a moment only, and is deaf for 3 s.
            for protocol in protocols:
                if await ear.ask(_WORDS[protocol], _ASK):
                    return ear.protocol, baud
    speed(bauds[0])
    tried = []
    for protocol in protocols:
        speeds = [n for n in bauds if protocol == "skstack" or n in (bauds[0], BAUDS[0])]
        more = " to %d" % speeds[-1] if len(speeds) > 1 else ""
        tried.append("%s at %d%s" % (protocol, speeds[0], more))
    raise RadioError("%s (tried %s baud)" % (ear.heard(), ", ".join(tried)))


# Hears what comes, and makes out whose words these are.
class _Ear:
    def __init__(self, uart, clock):
        self._uart = uart
        self._clock = clock
        self._buf = bytearray(_SIZE)
        self._n = 0
        self._count = 0
        self._echo = False
        self.protocol = None

    async def ask(self, words, ms, fillers=0):
        try:
            while fillers:
                await self._clock.wait_for(self._uart.write(_FILLER), _WRITE)
                fillers -= 1
            await self._clock.wait_for(self._uart.write(words), _WRITE)
        except TimeoutError:
            return False
        return await self.listen(ms)

    # True as soon as it is clear who speaks.
    async def listen(self, ms):
        clock = self._clock
        until = clock.ms() + ms
        view = memoryview(self._buf)
        while not self.protocol:
            if self._n > _SIZE - 64:  # what is old says nothing any more
                view[:64] = view[self._n - 64 : self._n]
                self._n = 64
            left = until - clock.ms()
            if left <= 0:
                return False
            try:
                n = await clock.wait_for(self._uart.readinto(view[self._n :]), left)
            except TimeoutError:
                return False
            self._n += n
            self._count += n
            self._recognise()
        return True

    def _recognise(self):
        buf = self._buf
        end = self._n
        at = buf.find(b"EVER ", 0, end)
        if at >= 0 and buf.find(b"\r", at, end) > at + 5 and 48 <= buf[at + 5] <= 57:
            self.protocol = "skstack"
        at = buf.find(b"\xd0\xf9\xee\x5d", 0, end)
        if 0 <= at <= end - 10 and sum(buf[at : at + 8]) == buf[at + 8] << 8 | buf[at + 9]:
            self.protocol = "j11"
        for words in _WORDS.values():
            if buf.find(words, 0, end) >= 0:
                self._echo = True

    def heard(self):
        if not self._count:
            return "not one byte came: check power, wiring and pins"
        if self._echo:
            return "only our own words came back: check wiring, TX and RX touch"
        return "%d bytes came that no module says: noise, or another baud" % self._count

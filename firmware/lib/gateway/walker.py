# gateway.walk(): where is the meter heard best? Loaded for that at the prompt, and dropped.
import asyncio
from asyncio import TimeoutError

from gateway import drop
from gateway.clock import Clock
from gateway.log import Log
from gateway.settings import Settings
from gateway.store import Store
from gateway.summary import rssi_class
from micropython import const
from wisun import Pan, RadioError

_LOG = const(512)
_DURATION = const(6)  # 0.6 s on one channel; shorter ones miss most beacons
_MISSED = const(8)  # scans in a row, then all channels: it may be another meter's, or have moved
_NEAR = const(-40)  # dBm, and ms of half a blink there; weaker ones take longer
_FAST = const(180)  # not more than three flashes in a second: photosensitive people
_SLOW = const(1000)
_NOTHING = ((40, 0, 0), (100, 1900))
_COLOURS = {"good": (0, 24, 0), "fair": (0, 16, 24), "poor": (32, 14, 0), "too far": (40, 0, 0)}


def pattern(rssi):
    """What the LED shows for a signal strength in dBm: the faster, the stronger."""
    if rssi is None:
        return _NOTHING
    # In steps, for each change begins the rhythm anew.
    ms = min(max(_FAST + (_NEAR - rssi) // 4 * 64, _FAST), _SLOW)
    return _COLOURS[rssi_class(rssi) or ""], (ms, ms)


class Walk:
    """Looks for the meter again and again, on its channel, and tells of it; see `run`."""

    def __init__(self, board, clock=None, say=print):
        self.board = board
        self.settings = Settings(board.nvs)
        self.clock = clock or Clock(board)
        self.log = Log(self.clock, _LOG)
        self.log.secrets = self.settings.secrets
        self.store = Store(board.nvs)
        self.driver = None
        self.session = self  # what the driver tells it tells us
        self.tuned = asyncio.Event()
        self.say = say
        self.best = None  # dBm
        self._reader = None

    # What comes beside the scans does not matter here.
    def datagram(self, payload, source, secured, rssi):
        pass

    def event(self, code, value):
        pass

    async def run(self):
        """Until cancelled; RadioError when the module does not do what it is asked."""
        from gateway.tuner import tune

        await tune(self)
        del tune
        drop("tuner")
        driver = self.driver
        self._reader = asyncio.create_task(driver.run())  # pyright: ignore
        s = self.settings
        await driver.probe(s["radio.module"])  # pyright: ignore
        await driver.configure(s["broute.id"], s["broute.password"])  # pyright: ignore
        await driver.leave()  # pyright: ignore
        kept = self.store.pan()
        pan = Pan(kept[0], kept[1], kept[2], None, None) if kept else None
        shown = missed = 0
        while True:
            self.board.feed()
            if pan is None or missed >= _MISSED:
                self.say("looking on all channels ...")
                found = await driver.find((5, 6, 7))  # pyright: ignore
                pan = found or pan
            else:
                found = await self._look(pan)
            missed = 0 if found else missed + 1
            rssi = found and found.rssi
            self._tell(rssi)
            show = pattern(rssi)
            if show != shown:
                shown = show
                self.board.led(show)

    # -> the meter's Pan with its RSSI, or None when it was not heard.
    async def _look(self, pan):
        for heard in await self.driver.scan(_DURATION, 1 << (pan.channel - 0x21)):  # pyright: ignore
            if heard.mac == pan.mac:
                return heard
        return None

    def _tell(self, rssi):
        if rssi is None:
            self.say("  nothing heard")
            return
        if self.best is None or rssi > self.best:
            self.best = rssi
        bar = "#" * max((rssi + 105) // 3, 0)
        self.say("%4d dBm  %-7s  best %d  %s" % (rssi, rssi_class(rssi), self.best, bar))

    def end(self):
        if self._reader:
            self._reader.cancel()


def walk(board):
    """Walk until Ctrl-C. The session with the meter, if there is one, ends."""
    missing = [key for key in Settings(board.nvs).missing() if key.startswith("broute.")]
    drop("settings_edit", "settings_check", "settings_table", "twins")
    if missing:
        print('Missing: %s. gateway.set("%s") asks for it' % (", ".join(missing), missing[0]))
        return
    print("Walk about; the LED blinks the faster the better the meter is heard. Ctrl-C ends.")
    loop = asyncio.new_event_loop()
    w = Walk(board)
    main = loop.create_task(w.run())
    try:
        loop.run_until_complete(main)
    except KeyboardInterrupt:
        best = "%d dBm" % w.best if w.best else "nothing heard"
        print("Best: %s. gateway.run() starts the gateway." % best)
    except (RadioError, TimeoutError) as e:
        print("The radio module does not work: %s" % e)
    finally:
        # Ctrl-C may have ended a task without the loop's knowing: nobody is waited for, for long.
        main.cancel()
        w.end()
        while True:
            try:
                loop.run_until_complete(w.clock.sleep_ms(20))
                break
            except KeyboardInterrupt:
                continue
            except asyncio.CancelledError:
                break
        asyncio.new_event_loop()
        board.led(((0, 0, 0), ()))

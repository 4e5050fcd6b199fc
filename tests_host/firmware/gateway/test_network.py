# The keeper of the link: it watches, names what is wrong, and interferes late.
import asyncio
import sys

from fakeboard import FakeBoard
from fakeclock import FakeClock, Lines, Recorder
from gateway.network import Network, errand
from gateway.settings import Settings
from gateway.supervisor import Hopeless
from helpers import raises, run
from hostclock import HostClock

KEY = "wifi key of this test"
STATIC = {
    "net.mode": "static",
    "net.ip": "192.168.1.50",
    "net.mask": "255.255.255.0",
    "net.gateway": "192.168.1.1",
    "net.dns": "192.168.1.2",
}


class Done(Exception):
    pass


class Rig:
    def __init__(self, settings=None, kind="wifi"):
        self.clock = FakeClock()
        self.board = FakeBoard(self.clock, kind=kind)
        self.net = self.board.net
        values = {"wifi.ssid": "house", "wifi.key": KEY}
        values.update(settings or {})
        self.settings = Settings(self.board.nvs)
        self.settings.load(values)
        self.status = Recorder()
        self.log = Lines()
        self.network = Network(self.board, self.settings, self.clock, self.status, self.log)
        self.began = self.clock.ms()
        self.watch = []  # (seconds, up, code) whenever one of the last two changes

    # Runs for so many seconds; a promise that is not kept fails.
    def run(self, seconds):
        end = self.began + seconds * 1000
        promise = [self.clock.ms() + 60_000]

        def beat(ms):
            now = self.clock.ms()
            assert now <= promise[0], "promised to be back by then"
            promise[0] = now + ms if ms is not None else 1 << 60
            state = (self.network.up, self.status.code("network"))
            if not self.watch or self.watch[-1][1:] != state:
                self.watch.append(((now - self.began) // 1000,) + state)
            if now >= end:
                raise Done

        try:
            run(self.network.run(beat))
        except Done:
            pass

    def at(self, seconds, **state):
        self.net.at(self.began + seconds * 1000, **state)

    def calls(self, name):
        return [call for call in self.net.calls if call[0] == name]


def test_comes_up_by_dhcp_under_its_own_name():
    rig = Rig()
    rig.run(60)
    assert rig.watch == [(0, False, None), (3, True, None)]
    assert rig.net.calls == [("up", "kenshin-beef", "JP"), ("dhcp",), ("join", "house")]
    assert rig.network.snapshot() == {"net_rssi": -55}
    assert any("up at 192.0.2.7, -55 dBm" in line for line in rig.log.lines)


def test_settings_are_used():
    rig = Rig({"net.hostname": "meter-1", "wifi.country": "DE"})
    rig.run(10)
    assert rig.net.calls[0] == ("up", "meter-1", "DE")


def test_static_address_is_set_before_joining_and_kept():
    rig = Rig(STATIC)
    rig.run(60)
    assert [call[0] for call in rig.net.calls] == ["up", "static", "join"]
    assert rig.calls("static")[0][1:] == (
        "192.168.1.50",
        "255.255.255.0",
        "192.168.1.1",
        "192.168.1.2",
    )


# There is one name server for all links; a lease that came in between may have taken its place.
def test_a_name_server_that_was_lost_is_set_again():
    rig = Rig(STATIC)
    rig.at(2, lease=("192.168.1.50", "255.255.255.0", "192.168.1.1", "0.0.0.0"))
    rig.run(60)
    assert len(rig.calls("static")) == 2 and rig.network.up


def test_is_up_after_three_steady_seconds():
    rig = Rig()
    rig.run(2)
    assert not rig.network.up
    rig = Rig()
    rig.run(4)
    assert rig.network.up


def test_must_be_steady_before_it_counts_as_up():
    rig = Rig()
    for s in range(2, 20, 4):
        rig.at(s, joined=False)
        rig.at(s + 2, joined=True)
    rig.run(60)
    assert rig.watch[1][0] >= 21 and rig.network.up


def test_what_is_wrong_is_named_after_a_while_and_taken_back():
    for reason, words in (
        ("no-wifi", "house is not in sight"),
        ("wrong-key", "does not take the password"),
        ("no-address", "the router gives no address"),
        ("no-cable", "not plugged in"),
        ("something-new", "house: not up"),
    ):
        rig = Rig()
        rig.net.alive = False
        rig.net.reason = reason
        rig.run(40)
        assert rig.watch[-1][1:] == (False, reason) and 20 <= rig.watch[-1][0] <= 30
        assert words in rig.status.detail("network") and KEY not in rig.status.detail("network")
        rig.at(50, alive=True)
        rig.run(90)
        assert rig.network.up and rig.status.code("network") is None


# The driver gives up after a few tries, so that it can tell why: then it must be told to go on.
def test_joins_again_while_it_is_down_but_not_all_the_time():
    rig = Rig()
    rig.net.alive = False
    rig.run(170)
    assert 8 <= len(rig.calls("join")) <= 12 and rig.calls("kick") == []


def test_kicks_only_after_minutes():
    rig = Rig()
    rig.at(100, alive=False)
    rig.run(1000)
    kicks = rig.status.counters["network.kick"]
    assert kicks == len(rig.calls("kick")) == 4  # 900 s down, one every three minutes
    assert rig.status.counters["network.lost"] == 1
    at = [i for i, call in enumerate(rig.net.calls) if call[0] == "kick"]
    assert [call[0] for call in rig.net.calls[at[0] : at[0] + 4]] == ["kick", "up", "dhcp", "join"]


def test_a_short_loss_is_left_to_the_driver():
    rig = Rig()
    rig.at(100, joined=False)
    rig.at(112, joined=True)
    rig.run(200)
    assert rig.calls("kick") == [] and len(rig.calls("join")) == 1
    assert rig.network.up and rig.status.counters["network.lost"] == 1
    assert [code for _, _, code in rig.watch] == [None] * len(rig.watch)


def test_errors_of_the_driver_are_told_and_overcome():
    for error in (OSError("Wifi Internal Error"), RuntimeError("Wifi Unknown Error 0x0101")):
        rig = Rig()
        rig.net.fails = [error, error]
        rig.run(60)
        assert rig.network.up
        assert len([line for line in rig.log.lines if str(error) in line]) == 2


def test_without_a_name_there_is_nothing_to_join():
    rig = Rig({"wifi.ssid": None})

    async def go():
        promises = []
        task = asyncio.create_task(rig.network.run(promises.append))
        for _ in range(20):
            await asyncio.sleep(0)
        assert promises[-1] is None and not task.done()
        assert rig.net.calls == []
        assert not await rig.network.wait_up(1000)
        task.cancel()

    run(go())


def test_a_cable_needs_no_name():
    rig = Rig({"wifi.ssid": None, "board.type": "generic-lan8720"}, kind="lan")
    rig.run(60)
    assert rig.network.up and rig.network.snapshot() == {"net_rssi": None}
    rig = Rig({"board.type": "generic-w5500"}, kind="lan")
    rig.net.alive = False
    rig.net.reason = "no-address"
    rig.run(60)
    assert "the cable" in rig.status.detail("network")


# -- several networks, in the order of preference


SEVERAL = {"wifi2.ssid": "shed", "wifi2.key": KEY, "wifi3.ssid": "telephone"}


def joins(rig):
    return [call[1] for call in rig.net.calls if call[0] == "join"]


def test_the_first_network_is_enough_when_it_is_there():
    rig = Rig(SEVERAL)
    rig.run(120)
    assert rig.network.up and joins(rig) == ["house"]


def test_each_network_has_its_turn_and_the_last_one_is_blamed():
    rig = Rig(SEVERAL)
    rig.net.alive = False
    rig.run(70)
    assert joins(rig)[:4] == ["house", "shed", "telephone", "house"]
    rig.net.reason = "wrong-key"
    rig.run(140)
    told = rig.status.detail("network")
    keys = {"house": "wifi.key", "shed": "wifi2.key", "telephone": "wifi3.key"}
    assert [1 for name in keys if "Wi-Fi %s does" % name in told and keys[name] in told], told


def test_the_second_network_is_used_and_after_it_the_first_is_tried_again():
    rig = Rig(SEVERAL)
    rig.net.only = "shed"
    rig.net.at(100_000, joined=False)
    rig.run(200)
    assert joins(rig) == ["house", "shed", "house", "shed"] and rig.network.up


def test_a_join_that_is_under_way_is_nobodys_turn():
    rig = Rig(SEVERAL)
    rig.net.busy = True
    rig.net.alive = False
    rig.run(60)
    assert set(joins(rig)) == {"house"}


def test_waiting_for_it():
    async def go():
        rig = Rig()
        assert not await rig.network.wait_up(5000)
        task = asyncio.create_task(rig.network.run(lambda ms: None))
        assert await rig.network.wait_up(60_000)
        task.cancel()
        assert await rig.network.wait_up(0)

    run(go())


# -- a link that looks alive


def troubled(rig, seconds):
    """As `run`, with an uplink that gets no answer every minute."""
    minute = [0]
    step = rig.clock.sleep_ms

    async def sleep_ms(n):
        await step(n)
        if rig.network.up and rig.clock.ms() // 60_000 != minute[0]:
            minute[0] = rig.clock.ms() // 60_000
            rig.network.trouble()

    rig.clock.sleep_ms = sleep_ms
    rig.run(seconds)


def test_a_dead_link_is_kicked_then_more_rarely_and_then_the_board_starts_anew():
    rig = Rig()
    troubled(rig, 224 * 60)
    # after 15, 30 and 60 min more
    assert len(rig.calls("kick")) == 3
    assert rig.network.up
    rig = Rig()
    began = rig.clock.ms()
    e = raises(Hopeless, troubled, rig, 5 * 3600)
    assert "nothing gets through" in str(e)
    assert 225 <= (rig.clock.ms() - began) // 60_000 <= 227, "and 120 after that"
    rig = Rig()
    rig.board.cause = "hard: Hopeless: connected, and nothing gets through, for hours"
    raises(Hopeless, troubled, rig, 48 * 3600)
    assert 24 <= (rig.clock.ms() - began) // 3_600_000 <= 26, "it did not help before"
    assert len(rig.calls("kick")) == 14


def test_a_word_from_anybody_stops_that():
    rig = Rig()
    step = rig.clock.sleep_ms

    async def sleep_ms(n):
        await step(n)
        rig.network.trouble()
        rig.network.fine()

    rig.clock.sleep_ms = sleep_ms
    rig.run(4 * 3600)
    assert rig.calls("kick") == []


def test_no_trouble_no_kick():
    rig = Rig()
    rig.run(4 * 3600)  # nobody says anything at all
    assert rig.calls("kick") == []


def test_names_that_cannot_be_resolved():
    rig = Rig()
    rig.run(30)
    rig.network.dns_failed("a.example: there is no such name")
    assert rig.status.code("network") == "no-dns" and "a.example" in rig.status.detail("network")
    rig.network.fine()
    assert rig.status.code("network") is None


# -- what is done on the network, in turn


class Errand:
    """Stands where a module stands that is loaded for one errand."""

    def __init__(self, owner):
        self.owner = owner
        self.runs = 0

    async def run(self, owner):
        assert owner is self.owner and owner.air.locked()
        self.runs += 1
        if owner.fails:
            raise owner.fails
        return "done"


class Owner:
    def __init__(self, clock):
        self.clock = clock
        self.air = asyncio.Lock()
        self.fails = None
        self.module = Errand(self)

    async def go(self):
        sys.modules["gateway.errand"] = self.module
        try:
            return await errand(self, "errand")
        finally:
            # What was not begun has loaded nothing, so this is still what was put there.
            sys.modules.pop("gateway.errand", None)


def test_an_errand_waits_for_the_air_but_not_for_ever():
    async def go():
        owner = Owner(FakeClock())
        assert await owner.go() == "done" and owner.clock.slept == []
        await owner.air.acquire()
        began = owner.clock.ms()
        assert await owner.go() is False and owner.module.runs == 1
        assert 70_000 <= owner.clock.ms() - began <= 71_000
        owner = Owner(HostClock())
        await owner.air.acquire()
        waiting = asyncio.create_task(owner.go())
        await owner.clock.sleep_ms(20)
        assert not waiting.done() and owner.module.runs == 0
        owner.air.release()
        assert await waiting == "done" and not owner.air.locked()

    run(go())


def test_an_errand_is_forgotten_however_it_ends():
    async def go():
        owner = Owner(FakeClock())
        for owner.fails in (None, OSError(5), MemoryError(), RuntimeError()):
            sys.modules["gateway.errand"] = owner.module
            try:
                assert await errand(owner, "errand") == "done" and owner.fails is None
            except (OSError, MemoryError, RuntimeError) as e:
                assert e is owner.fails
            assert "gateway.errand" not in sys.modules and not owner.air.locked()

    run(go())


def test_what_is_done_seldom_is_not_kept():
    rig = Rig()
    rig.at(100, alive=False)
    rig.run(400)
    assert rig.calls("kick") and "gateway.connect" not in sys.modules

"""The gate that closes while nothing may be sent, and what bounds that."""

from fakeradio import caught
from skscenes import GET, PAN, joined, play
from wisun import GateClosed


# EVENT 29 shuts the gate; 25 opens it, and in the end time does, for the link is lost then.
def test_refresh_closes_the_gate():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        await rig.say(module.event(b"29"))
        assert driver.gate == "refreshing" and driver.joined
        assert (await caught(GateClosed, driver.send(GET))).why == "refreshing"
        start = rig.clock.ms()
        assert (await caught(GateClosed, driver.open_gate(5000))).why == "refreshing"
        assert rig.clock.ms() - start == 5000
        module.say(7000, module.event(b"25"))
        await driver.open_gate(20000)
        assert rig.clock.ms() - start == 12000
        assert await driver.send(GET) == 0
        # The first refresh's limit is not the second's.
        await rig.clock.sleep_ms(40000)
        start = rig.clock.ms()
        await rig.say(module.event(b"29"))
        assert (await caught(GateClosed, driver.open_gate(120000))).why == "unjoined"
        assert rig.clock.ms() - start == 60000
        assert not driver.joined and driver.gate is None
        names = [event[0] for event in rig.events if event[0] != "sent"]
        assert names == ["expired", "joined", "expired", "lost"]
        await rig.clock.sleep_ms(200000)
        assert rig.events[-1][0] == "lost"

    play(scene)


def test_refresh_that_fails():
    async def scene(rig):
        await joined(rig)
        await rig.say(rig.wire.event(b"29"))
        rig.wire.say(3000, rig.wire.event(b"24"))
        assert (await caught(GateClosed, rig.driver.open_gate(60000))).why == "unjoined"
        await rig.clock.sleep_ms(100000)
        assert rig.events == [("expired", None), ("join-failed", None)]

    play(scene)


# EVENT 32: nothing goes out until 33; should that get lost, register SFB tells.
def test_limiter_closes_the_gate():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        await rig.say(module.event(b"32"))
        assert driver.gate == "limited" and driver.joined
        assert (await caught(GateClosed, driver.send(GET))).why == "limited"
        assert (await caught(GateClosed, driver.join(PAN))).why == "limited"
        await rig.say(module.event(b"33") * 2)
        await driver.open_gate(1)
        assert await driver.send(GET) == 0
        await rig.clock.sleep_ms(300000)
        module.lines.clear()
        module.registers[b"SFB"] = b"1"
        await rig.say(module.event(b"32"))
        start = rig.clock.ms()
        await rig.clock.sleep_ms(150000)
        assert module.lines == [b"SKSREG SFB"] * 2
        module.registers[b"SFB"] = b"0"
        await driver.open_gate(100000)
        assert rig.clock.ms() - start == 180000
        await rig.clock.sleep_ms(300000)
        assert module.lines == [b"SKSREG SFB"] * 3
        names = [event[0] for event in rig.events if event[0] != "sent"]
        assert names == ["limited", "unlimited"] * 2

    play(scene)


def test_limiter_register_that_cannot_be_read():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        await rig.say(module.event(b"32"))
        for reply in (b"FAIL ER06\r\n", b"ESREG X\r\nOK\r\n", None):
            module.replies[b"SKSREG"] = reply
            await rig.clock.sleep_ms(70000)
            assert driver.gate == "limited"
        module.replies = {}
        await driver.open_gate(70000)

    play(scene)


# Both at once: each has its own bound.
def test_refresh_while_limited():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        module.registers[b"SFB"] = b"1"
        await rig.say(module.event(b"32"))
        await rig.clock.sleep_ms(30000)
        await rig.say(module.event(b"29"))
        start = rig.clock.ms()
        await rig.clock.sleep_ms(1)
        assert driver.gate == "refreshing"
        while driver.gate == "refreshing":
            await rig.clock.sleep_ms(1000)
        assert 60000 <= rig.clock.ms() - start <= 61001
        assert driver.gate == "limited" and not driver.joined
        module.registers[b"SFB"] = b"0"
        assert (await caught(GateClosed, driver.open_gate(60000))).why == "unjoined"
        assert driver.gate is None

    play(scene)


# A reader that is started anew takes over the bounds.
def test_bounds_survive_a_restart_of_the_reader():
    async def scene(rig):
        await joined(rig)
        await rig.say(rig.wire.event(b"29"))
        start = rig.clock.ms()
        await rig.clock.sleep_ms(20000)
        await rig.stop()
        rig.start()
        assert (await caught(GateClosed, rig.driver.open_gate(100000))).why == "unjoined"
        assert rig.clock.ms() - start == 60000
        assert rig.events[-1][0] == "lost"

    play(scene)

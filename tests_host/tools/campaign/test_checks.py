"""Each check of the campaign is seen to fail: something in the gateway or the simulator is broken
for a while, and the check that is there for it says so; without that, the same days are clean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from campaign import checks, firmware
from campaign.draw import Scenario, draw
from campaign.house import PASSWORD, RBID, TOKEN, WIFI_KEY
from campaign.play import Outcome, Trial, play
from meterlab.air import Link
from meterlab.meter import Manners
from meterlab.metering import Equipment
from meterlab.pana import Conduct
from meterlab.trouble import Fault

HOUR = 3_600
OUTAGE = Fault(2 * HOUR, 2_700, ("meter.dead on",), "meter.dark", True)


def scenario(*faults: Fault, hours: float = 6, **choices: Any) -> Scenario:
    """A plain home with a good link, and only these faults."""
    plain: dict[str, Any] = {
        "kind": "bp35c2",
        "seed": 1,
        "equipment": Equipment(),
        "manners": Manners(),
        "conduct": Conduct(lifetime_s=3_600),
        "link": Link(rssi=-60),
    }
    return replace(
        draw(1, hours / 24),
        kind=choices.get("kind", "bp35c2"),
        paced=False,
        pin=False,
        choices={**plain, **choices},
        settings={"poll.interval": 60, "server.interval": 60},
        faults=list(faults),
    )


def run(trial: type[Trial], days: Scenario) -> Outcome:
    return play(1, days.days, trial=trial, scenario=days)


def names(outcome: Outcome) -> set[str]:
    return {name for name, _ in outcome.trouble}


def broken(harm: Callable[[Any], None]) -> type[Trial]:
    """A trial in which each start of the board is followed by `harm(trial)`."""

    class Broken(Trial):
        def switch_on(self) -> None:
            super().switch_on()
            harm(self)

    return Broken


def at(t: Trial, seconds: float, deed: Callable[[], Any]) -> None:
    t.scheduler.loop.call_later(seconds, deed)


def soon(harm: Callable[[Any], None]) -> Callable[[Any], None]:
    """When the module has been found and there is a driver for it."""
    return lambda t: at(t, 60, lambda: harm(t))


@pytest.mark.parametrize("faults", [(), (OUTAGE,)])
def test_a_gateway_that_is_well_passes(faults: tuple[Fault, ...]) -> None:
    outcome = run(Trial, scenario(*faults))
    assert outcome.trouble == []
    assert outcome.figures["polls"] > 300
    assert outcome.figures["half-hours"] >= 9
    assert outcome.figures["missing half-hours"] == 0


# -- no-exception


def test_a_new_start_that_the_gateway_asks_for_is_none() -> None:
    starts: list[tuple[float, str]] = []

    def note(t: Trial) -> None:
        starts.append((t.now(), t.board.reset_cause()))

    outage = Fault(HOUR, 5 * HOUR, ("server.timeout",), "house.server")
    outcome = run(broken(note), scenario(outage, hours=8))
    assert outcome.trouble == []
    assert [cause.partition(": c")[0] for _, cause in starts] == ["power-on", "hard: Hopeless"]
    assert 4 * HOUR < starts[1][0] < 5.5 * HOUR
    assert outcome.counters["board.restart"] == 1


def test_a_task_that_dies_is_found() -> None:
    def harm(t: Trial) -> None:
        def stumble(*_: Any) -> None:
            del t.app.driver.on_datagram
            raise KeyError("here")

        at(t, HOUR, lambda: setattr(t.app.driver, "on_datagram", stumble))

    outcome = run(broken(harm), scenario())
    found = [item for name, item in outcome.trouble if name == "no-exception"]
    assert {item.where for item in found} == {"supervisor", "log"}
    assert any(item.what == "restart.radio" for item in found)
    assert all(HOUR <= item.at < HOUR + 120 for item in found)


def test_an_exception_that_only_the_loop_hears_is_found() -> None:
    def harm(t: Trial) -> None:
        at(t, HOUR, lambda: 1 // 0)

    ((name, item),) = run(broken(harm), scenario()).trouble
    assert (name, item.where) == ("no-exception", "loop")
    assert "ZeroDivisionError" in item.what
    assert HOUR <= item.at < HOUR + 1


def test_a_program_that_hangs_is_found() -> None:
    def harm(t: Trial) -> None:
        def spin() -> None:
            t.scheduler.loop.call_soon(spin)

        at(t, HOUR, spin)

    outcome = run(broken(harm), scenario())
    assert any("time stands still" in item.what for _, item in outcome.trouble)


# -- polling-again


def test_a_gateway_that_stays_away_is_found() -> None:
    def spoil(t: Trial) -> None:
        join = t.app.driver.join

        async def sluggish(pan: Any, ms: int) -> None:
            if OUTAGE.end_s < t.now() < OUTAGE.end_s + 500:
                raise firmware.module("wisun").JoinTimeout("as the test wishes")
            await join(pan, ms)

        t.app.driver.join = sluggish

    outcome = run(broken(soon(spoil)), scenario(OUTAGE))
    (item,) = [item for name, item in outcome.trouble if name == "polling-again"]
    assert "no-exception" not in names(outcome)
    assert item.at == OUTAGE.end_s
    assert "meter.dead" in item.what


def test_every_spell_that_ends_is_looked_at() -> None:
    """Not the last one only, and not before what overlaps it is over too."""

    def fault(at: float, seconds: float) -> Fault:
        return Fault(at, seconds, (f"x at {at:.0f}",))

    faults = [fault(100, 50), fault(120, 500), fault(200, 10), fault(3_000, 0), fault(3_100, 60)]
    assert list(checks.all_clear(faults, 90_000)) == [(620, faults[1]), (3_160, faults[4])]
    assert list(checks.all_clear(faults, 3_400)) == [(620, faults[1])]


# -- half-hours


def test_half_hours_that_are_lost_are_found() -> None:
    def harm(t: Trial) -> None:
        append = t.app.outbox.append

        def swallow(reading: Any) -> Any:
            return 0 if reading.kind == "half-hour" and reading.t % 7_200 == 0 else append(reading)

        t.app.outbox.append = swallow

    outcome = run(broken(harm), scenario())
    assert names(outcome) == {"half-hours"}


# -- no-wrong-value


def altered(**fields: Callable[[Any], Any]) -> type[Trial]:
    """A gateway that changes one reading in 100 before it keeps it."""

    def harm(t: Trial) -> None:
        append = t.app.outbox.append
        seen: list[int] = []

        def lie(reading: Any) -> Any:
            seen.append(1)
            if len(seen) % 100 == 50 or reading.kind == "half-hour":
                values = {k: getattr(reading, k) for k in fields}
                told = {k: fields[k](v) for k, v in values.items() if v is not None}
                reading = reading._replace(**told)
            return append(reading)

        t.app.outbox.append = lie

    return broken(harm)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("t", lambda t: t + 60),
        ("t", lambda t: t - 5),
        ("power", lambda w: w + 1),
        ("power", lambda w: -w),
        ("current_r", lambda i: i + 1),
        ("current_t", lambda i: i * 10),
        ("normal", lambda e: e + 100),
        ("reverse", lambda e: e + 100),
    ],
)
def test_a_wrong_value_is_found(field: str, change: Callable[[Any], Any]) -> None:
    outcome = run(altered(**{field: change}), scenario(hours=12, solar=4_000))
    assert "no-wrong-value" in names(outcome)
    item = next(item for name, item in outcome.trouble if name == "no-wrong-value")
    assert item.where == "server"


def test_a_late_answer_taken_for_a_fresh_one_is_found() -> None:
    late = Fault(HOUR, 4 * HOUR, ("link.late 0.5",))

    def harm(t: Trial) -> None:
        utc_at = t.app.clock.utc_at
        t.app.clock.utc_at = lambda ms: utc_at(t.app.clock.ms())

    assert names(run(Trial, scenario(late))) == set()
    assert "no-wrong-value" in names(run(broken(harm), scenario(late)))


# -- not-doubled


def test_a_reading_that_comes_twice_is_found() -> None:
    def harm(t: Trial) -> None:
        append = t.app.outbox.append

        def again(reading: Any) -> Any:
            if reading.kind == "instant" and reading.t % 3_600 < 60:
                append(reading)
            return append(reading)

        t.app.outbox.append = again

    assert names(run(broken(harm), scenario())) == {"not-doubled"}


def test_a_number_given_twice_is_found() -> None:
    def harm(t: Trial) -> None:
        if t.now() > HOUR:
            t.app.outbox.seq = 5

    restart = Fault(2 * HOUR, 0, ("board.restart",), "house.board")
    assert names(run(Trial, scenario(restart))) == set()
    assert "not-doubled" in names(run(broken(harm), scenario(restart)))


# -- joins-bounded


def test_too_many_joins_are_found() -> None:
    class Eager(Trial):
        def overlays(self) -> dict[str, firmware.Overlay]:
            def hurry(ladder: Any) -> None:
                ladder.PAUSES = (10,)
                ladder.Ladder.joins = lambda self, now: None  # and forgets them

            return {**super().overlays(), "gateway.ladder": hurry}

    outcome = run(Eager, scenario(replace(OUTAGE, orders=("link.loss 1",))))
    assert names(outcome) == {"joins-bounded"}
    item = outcome.trouble[0][1]
    assert item.where == "module"
    assert OUTAGE.at_s < item.at < OUTAGE.end_s


# -- gate-respected


def test_a_transmission_while_the_module_renews_is_found() -> None:
    def deafen(t: Trial) -> None:
        on_event = t.app.driver.on_event
        t.app.driver.on_event = lambda code, param: code == 0x29 or on_event(code, param)

    days = scenario(conduct=Conduct(lifetime_s=900), link=Link(rssi=-60, tail=1.0))
    assert names(run(Trial, days)) == set()
    outcome = run(broken(soon(deafen)), days)
    assert "gate-respected" in names(outcome)
    assert any("authenticating" in item.what for _, item in outcome.trouble)


def test_a_transmission_over_the_budget_is_found() -> None:
    def deafen(t: Trial) -> None:
        on_event = t.app.driver.on_event
        t.app.driver.on_event = lambda code, param: code == 0x32 or on_event(code, param)

    limit = Fault(HOUR, HOUR, ("traits.limit_ms 300",), "module.limit", True)
    assert "gate-respected" not in names(run(Trial, scenario(limit)))
    outcome = run(broken(soon(deafen)), scenario(limit))
    assert any(n == "gate-respected" and "limited" in i.what for n, i in outcome.trouble)


def test_a_budget_that_nobody_tells_of_is_tried_now_and_then_only() -> None:
    def spoil(t: Trial) -> None:
        t.app.driver._limit = lambda: None

    limit = Fault(HOUR, HOUR, ("traits.limit_ms 300",), "module.limit", True)
    days = scenario(limit, kind="bp35c0-j11")
    assert "gate-respected" not in names(run(Trial, days))
    outcome = run(broken(soon(spoil)), days)
    assert any(n == "gate-respected" and "tried" in i.what for n, i in outcome.trouble)


# -- one-request


def test_a_second_request_before_the_first_ran_out_is_found() -> None:
    def harm(t: Trial) -> None:
        wait_for = t.app.clock.wait_for

        async def impatient(awaitable: Any, ms: int) -> Any:
            return await wait_for(awaitable, 700 if 9_000 < ms <= 10_000 else ms)

        t.app.clock.wait_for = impatient

    outcome = run(broken(harm), scenario(link=Link(rssi=-60, tail=0.5)))
    assert "one-request" in names(outcome)


# -- no-secret


@pytest.mark.parametrize("secret", [RBID, PASSWORD, WIFI_KEY, TOKEN, PASSWORD.encode().hex()])
def test_a_secret_in_the_log_is_found(secret: str) -> None:
    def harm(t: Trial) -> None:
        t.app.log.secrets = lambda: []
        at(t, HOUR, lambda: t.app.log.warn("radio: %s", secret))

    outcome = run(broken(harm), scenario(hours=2))
    assert names(outcome) == {"no-secret"}
    assert {item.where for _, item in outcome.trouble} == {"log"}


def test_a_secret_in_the_status_is_found() -> None:
    def harm(t: Trial) -> None:
        at(t, HOUR, lambda: t.app.status.problem("server", "odd", "from " + RBID.lower()))

    outcome = run(broken(harm), scenario(hours=2))
    assert names(outcome) == {"no-secret"}
    assert {item.where for _, item in outcome.trouble} == {"upload", "console"}


def test_a_secret_on_the_flash_is_found() -> None:
    def harm(t: Trial) -> None:
        def write() -> None:
            t.board.flash.files["/outbox/notes"] = b"\0id=" + RBID.encode() + b"\0"

        at(t, HOUR, write)

    ((name, item),) = run(broken(harm), scenario(hours=2)).trouble
    assert (name, item.where) == ("no-secret", "flash, outbox/notes")


def test_the_flash_has_files_to_look_through() -> None:
    seen: list[str] = []

    def note(t: Trial) -> None:
        leaves = t.watch.leaves

        def look(where: str, data: bytes) -> None:
            if where.startswith("flash, ") and data:
                seen.append(where)
            leaves(where, data)

        t.watch.leaves = look

    outage = Fault(0, 2 * HOUR, ("net.off",), "house.net")
    restart = Fault(HOUR, 0, ("board.restart",), "house.board")
    assert names(run(broken(note), scenario(outage, restart, hours=2.2))) == set()
    assert len(seen) > 1


# -- what the names promise


def test_every_check_was_seen_to_fail_above() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    for name in checks.CHECKS:
        assert f'"{name}"' in text, name

"""Scenario files: what they say, and what is said of those that are wrong."""

from __future__ import annotations

import asyncio

import pytest

from meterlab.control import Control
from meterlab.scenario import Scenario, ScenarioError, load, loads, shipped
from meterlab.trouble import DAY_S, Fault, draw, last_end

WHOLE = """
title = "Everything that a file may hold"

[module]
echo = false
hex_data = true

[meter]
like = "14-days"
solar = 3000
neighbours = 2
coefficient = "none"
lacks = ["EC", "ed"]
release = "R"
serial = "X1"

[set]
link.metres = 15
conduct.stale_refusals = [0, 3]
"manners.notify" = false

[[fault]]
at = "2h"
lasts = "30min"
every = "1d"
times = 3
set = { link.loss = 0.3, link.tail = "none", conduct.newcomer = "replace" }
do = ["session.drop", "module.hang 60"]
cuts = true

[[fault]]
at = 90
do = "module.reset"
"""


def test_a_whole_file(lab):
    scenario = loads(WHOLE)
    plan = scenario.furnish(lab.plan(kind="bp35c2"))
    assert (plan.echo, plan.hex_data, plan.solar, plan.neighbours) == (False, True, 3_000, 2)
    kit = plan.equipment
    assert (kit.history_days, kit.coefficient, kit.release, kit.serial) == (14, None, "R", b"X1")
    assert kit.lacks == {0xEC, 0xED}
    assert scenario.orders == (
        "link.metres 15",
        "conduct.stale_refusals 0-3",
        "manners.notify off",
    )
    orders = (
        "link.loss 0.3", "link.tail none", "conduct.newcomer replace", "session.drop",
        "module.hang 60",
    )  # fmt: skip
    faults = scenario.faults(1, "bp35c2")
    assert faults[0] == Fault(90, 0, ("module.reset",))
    assert faults[1:] == [Fault(7_200 + day * DAY_S, 1_800, orders, cuts=True) for day in range(3)]


def test_faults_drawn_from_the_seed_come_beside_those_that_are_told():
    scenario = loads(
        'title = "x"\nfault = [{ at = 5, do = "module.reset" }]\n'
        'random = { days = 2, per_day = 12, calm = "1h", only = ["link"] }'
    )
    drawn = draw(3, 2, "bp35a1", per_day=12, calm_s=3_600, only=["link"])
    assert scenario.faults(3, "bp35a1") == [Fault(5, 0, ("module.reset",)), *drawn]


@pytest.mark.parametrize("name", shipped())
def test_what_is_shipped_can_be_played(lab, name):
    scenario = load(name)
    faults = scenario.faults(1, "bp35a1")
    assert faults or scenario.orders
    plan = scenario.furnish(lab.plan())

    async def story(host):
        control = Control(host.world, host.line)
        for order in scenario.orders:
            control.apply(order)
        control.play([fault for fault in faults if fault.end_s < 2 * DAY_S])
        for _ in range(20):
            control.told = lines.append
            await asyncio.sleep(DAY_S / 10)
        assert not control.active

    lines: list[str] = []
    changes = {"solar": plan.solar, "neighbours": plan.neighbours, "equipment": plan.equipment}
    lab.run(story, limit_s=3 * DAY_S, **changes)
    assert len(lines) >= len([fault for fault in faults if fault.end_s < 2 * DAY_S])


def test_there_are_a_dozen_and_each_says_what_it_is():
    titles = {load(name).title for name in shipped()}
    assert len(titles) == len(shipped()) >= 12


WRONG = {
    "": "title: None; say in a few words",
    "title = 5": "title: 5; say",
    "title = ": "not TOML",
    'title = "x"\nfaults = 1': "faults: no such key; there are title, meter, module, set, fault",
    'title = "x"\nfault = 1': r"write \[\[fault\]\]",
    'title = "x"\n[module]\necho = 1': "module: echo: 1 is neither true nor false",
    'title = "x"\n[module]\nkind = 1': "module: kind: no such key; there are echo, hex_data",
    'title = "x"\n[meter]\nlike = "mine"': "meter: like: 'mine' is not one of full, kansai",
    'title = "x"\n[meter]\nunit = 7': "meter: unit code 07",
    'title = "x"\n[meter]\nsolar = -1': "meter: solar: -1 is not a whole number from 0",
    'title = "x"\n[meter]\nneighbours = 12': "neighbours: 12 is not a whole number from 0 to 9",
    'title = "x"\n[meter]\nlacks = [5]': 'lacks: 5 is no property; write "80" to "FF"',
    'title = "x"\n[meter]\nlacks = ["9F"]': "no meter lacks 9F",
    'title = "x"\n[set]\nlink.colour = 1': "set: no 'link.colour'; there are: .*link.late",
    'title = "x"\n[set]\nlink.late = 2': "set: link.late takes a number from 0 to 1, not '2'",
    'title = "x"\n[set]\nlink.rssi = 4': "link.rssi takes a number from -120 to 0, not '4'",
    'title = "x"\n[set]\nmanners.silent = 2': "manners.silent is on or off, not '2'",
    'title = "x"\n[set]\nconduct.newcomer = "x"': "conduct.newcomer is refuse or replace",
    'title = "x"\n[set]\nconduct.stale_refusals = [3, 1]': "is LOW-HIGH, not '3-1'",
    'title = "x"\n[set]\nmodule.reset = true': r'is done, not set; write do = \["module.reset"\]',
    'title = "x"\n[[fault]]\ndo = "module.reset"': "fault 1: at: missing",
    'title = "x"\n[[fault]]\nat = "soon"': "fault 1: at: 'soon' is no time; write seconds",
    'title = "x"\n[[fault]]\nat = 1': "fault 1: nothing happens; give set, or do",
    'title = "x"\n[[fault]]\nat = 1\nset.link.late = 0.5': "fault 1: lasts: missing",
    'title = "x"\n[[fault]]\nat = 1\ndo = "module.fly"': "fault 1: do: no 'module.fly'",
    'title = "x"\n[[fault]]\nat = 1\ndo = "meter.move 99"': "meter.move takes a channel, 21 23",
    'title = "x"\n[[fault]]\nat = 1\ndo = "module.reset 1"': "module.reset takes nothing",
    'title = "x"\n[[fault]]\nat = 1\ndo = "session.steal"': "session.steal takes a number",
    'title = "x"\n[[fault]]\nat = 1\ndo = 5': "fault 1: do: 5 is neither a text nor a list",
    'title = "x"\n[[fault]]\nat = 1\ntimes = 2\ndo = "module.reset"': "fault 1: every: missing",
    'title = "x"\n[[fault]]\nat = 1\nevery = 2\ndo = "module.reset"': "fault 1: times: missing",
    'title = "x"\n[random]\ndays = 0': "random: days: 0 is not a number above 0",
    'title = "x"\n[random]\nonly = ["war"]': "random: only: 'war' is not one of line, link",
    'title = "x"\n[random]\ndays = 1\ncalm = "2d"': "random: calm: '2d' is not shorter than days",
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_told_with_what_would_be_right(text):
    with pytest.raises(ScenarioError, match=WRONG[text]) as caught:
        loads(text, "mine.toml")
    assert str(caught.value).startswith("mine.toml: ")


def test_a_file_of_ones_own(tmp_path):
    path = tmp_path / "mine.toml"
    with pytest.raises(ScenarioError, match="cannot be read"):
        load(str(path))
    path.write_text('title = "mine"\n[set]\nlink.rssi = -80\n')
    assert isinstance(load(str(path)), Scenario)
    with pytest.raises(
        ScenarioError, match="no scenario called 'doom'; there are airtime, .*path"
    ):
        load("doom")


def test_neighbours_answer_only_to_those_who_ask_everyone(lab):
    async def story(host):
        world = host.world
        world.link.rssi = -50
        await host.prepare()
        await host.ok("SKSCAN 2 FFFFFFFF 8")
        await host.until("EVENT 22", seconds=100)
        mine = [t for t in host.texts() if t.startswith("  Addr")]
        since = len(host.items)
        await host.ok("SKSCAN 3 FFFFFFFF 8")
        await host.until("EVENT 22", seconds=100)
        every = [t for t in host.texts(since) if t.startswith("  Addr")]
        return mine, every, [node.mac.hex().upper() for node in world.air.nodes]

    mine, every, macs = lab.run(story, neighbours=3, seed=2)
    assert mine == ["  Addr:" + macs[0]]
    assert sorted(every) == sorted("  Addr:" + mac for mac in macs) and len(macs) == 4


def test_last_end():
    assert last_end([]) == 0 and last_end([Fault(5, 5, ()), Fault(1, 2, ())]) == 10

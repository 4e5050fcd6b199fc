"""A household that uses, and perhaps makes, electricity.

Everything is a pure function of (seed, time): the same home on every run, whenever the simulator
is started, so the counters of a meter that was stopped and started again never run backwards.

Power is an integer number of watts, constant over each minute; energy is its exact integral in
watt-seconds, split into what came in (normal direction) and what went out (reverse direction).
A day is worked out as a whole, in a fraction of a millisecond, and kept as its 49 half-hour
counters; only the last few days keep their minutes.

The shape: standby and a fridge that never stop, a morning and an evening with cooking and light,
weekends at home, washing, heating and cooling that follow Tokyo's seasons, in some homes a heat
pump that makes hot water at night, and in some a roof full of solar cells under moving clouds.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from random import Random

JST = 9 * 3600
DAY = 86_400
MINUTES = 1_440
INSTALLED = 19_814  # 2024-04-01, the day (JST, counted from 1970-01-01) the meter was fitted
_MINUTE_DAYS = 4  # days kept with all their minutes
_YEAR = 365.2425
_LATITUDE = math.radians(35.7)
# The day's course of the air by half-hours, coldest at 03:30, and the sun's by 5 min, noon 11:45.
_COOLER = [math.cos(2 * math.pi * (slot - 7) / 48) for slot in range(48)]
_NOON = [math.cos(2 * math.pi * (step - 141) / 288) for step in range(288)]
_NIGHT = (0,) * 5

Run = Callable[[float, float, float], None]  # start minute, minutes, watts


def day_of(utc: int) -> int:
    """The JST day of a moment, counted from 1970-01-01."""
    return (utc + JST) // DAY


@dataclass(frozen=True, slots=True)
class Home:
    """What one home is like. Watts, minutes of the day, and shares."""

    standby: int
    fridge: int
    wake: int
    sleep: int
    habit: float  # how much of everything, about 1
    heating: int  # W per degree under 18 C while at home
    cooling: int  # W per degree over 26 C while at home
    hot_water: int  # W of the night-time heat pump, 0 = gas
    induction: int  # W of the cooker, 0 = gas
    share_r: float  # of the load on phase R

    @classmethod
    def draw(cls, seed: int) -> Home:
        rng = Random(f"home {seed}")
        return cls(
            standby=rng.randrange(70, 150),
            fridge=rng.randrange(70, 130),
            wake=rng.randrange(5 * 60 + 30, 7 * 60 + 30),
            sleep=rng.randrange(22 * 60 + 15, 23 * 60 + 50),
            habit=rng.uniform(0.8, 1.25),
            heating=rng.randrange(35, 80),
            cooling=rng.randrange(50, 100),
            hot_water=rng.choice((0, 0, 0, 1000, 1250)),
            induction=rng.choice((0, 0, 1400, 2000)),
            share_r=rng.uniform(0.4, 0.6),
        )


@dataclass(frozen=True, slots=True)
class _Minutes:
    load: list[int]  # W used, per minute
    solar: list[int] | None  # W made, per minute
    normal: list[int]  # Ws since installation at the start of each minute, 1,441 of them
    reverse: list[int] | None


@dataclass(frozen=True, slots=True)
class Day:
    """Counters in Ws since installation at 00:00, 00:30 ... 24:00: 49 each."""

    normal: tuple[int, ...]
    reverse: tuple[int, ...]


class Household:
    """The electricity of one home, for every moment from the day its meter was fitted.

    `solar`: watts at peak of the cells on the roof, 0 = none. `installed`: JST day number.
    """

    def __init__(self, seed: int, *, solar: int = 0, installed: int = INSTALLED) -> None:
        self.seed = seed
        self.solar = solar
        self.installed = installed
        self.home = Home.draw(seed)
        self._days: list[Day] = []  # from `installed` on, without a hole
        self._minutes: OrderedDict[int, _Minutes] = OrderedDict()
        self._zero = (0,) * 49

    # -- what a meter asks

    def power(self, utc: int) -> int:
        """W at a moment; negative when more is made than used."""
        day, second = divmod(utc + JST, DAY)
        minute = second // 60
        minutes = self._day_minutes(day)
        load = minutes.load[minute]
        # What the half-second mean of a meter adds to the minute's mean: at most 3 % and 4 W.
        wobble = ((utc // 2 * 2_654_435_761 ^ self.seed * 40_503) >> 7 & 0xFF) - 128
        load += load * wobble // 4_096 + wobble // 32
        if load < 0:
            load = 0
        return load - minutes.solar[minute] if minutes.solar else load

    def currents(self, utc: int) -> tuple[int, int]:
        """0.1 A on phases R and T at a moment; negative = export. They fit `power`."""
        day, second = divmod(utc + JST, DAY)
        solar = self._day_minutes(day).solar
        made = solar[second // 60] if solar else 0
        load = self.power(utc) + made
        on_r = int(load * self.home.share_r)
        # 100 V per phase, power factor 0.97; the inverter feeds both phases alike.
        return (on_r * 2 - made) * 10 // 194, ((load - on_r) * 2 - made) * 10 // 194

    def energy(self, utc: int) -> tuple[int, int]:
        """(normal, reverse) in watt-seconds since installation; neither ever falls."""
        day, second = divmod(utc + JST, DAY)
        if day < self.installed:
            return 0, 0
        minute, rest = divmod(second, 60)
        minutes = self._day_minutes(day)
        power = minutes.load[minute]
        normal = minutes.normal[minute]
        if minutes.solar is None or minutes.reverse is None:
            return normal + power * rest, 0
        power -= minutes.solar[minute]
        reverse = minutes.reverse[minute]
        if power >= 0:
            return normal + power * rest, reverse
        return normal, reverse - power * rest

    def day(self, day: int) -> Day | None:
        """The half-hour counters of a JST day; None before the meter was fitted."""
        if day < self.installed:
            return None
        while len(self._days) <= day - self.installed:
            self._append_day()
        return self._days[day - self.installed]

    # -- working it out

    def _append_day(self) -> None:
        day = self.installed + len(self._days)
        minutes = self._work_out(day)
        normal = tuple(minutes.normal[::30])
        reverse = tuple(minutes.reverse[::30]) if minutes.reverse else self._zero
        self._days.append(Day(normal, reverse))
        self._keep(day, minutes)

    def _day_minutes(self, day: int) -> _Minutes:
        minutes = self._minutes.get(day)
        if minutes is None:
            self.day(day)
            minutes = self._minutes.get(day) or self._work_out(day)
            self._keep(day, minutes)
        return minutes

    def _keep(self, day: int, minutes: _Minutes) -> None:
        self._minutes[day] = minutes
        if len(self._minutes) > _MINUTE_DAYS:
            self._minutes.popitem(last=False)

    def _work_out(self, day: int) -> _Minutes:
        rng = Random(self.seed * 1_000_003 + day)
        load = self._load(day, rng)
        start = (0, 0)
        if day > self.installed:
            before = self._days[day - self.installed - 1]
            start = before.normal[48], before.reverse[48]
        if not self.solar:
            normal = list(accumulate([w * 60 for w in load], initial=start[0]))
            return _Minutes(load, None, normal, None)
        solar = self._sunshine(day, rng)
        net = [(used - made) * 60 for used, made in zip(load, solar, strict=True)]
        normal = list(accumulate([e if e > 0 else 0 for e in net], initial=start[0]))
        reverse = list(accumulate([-e if e < 0 else 0 for e in net], initial=start[1]))
        return _Minutes(load, solar, normal, reverse)

    def _load(self, day: int, rng: Random) -> list[int]:
        """W used in each minute of a day."""
        home = self.home
        steps = [0] * (MINUTES + 1)  # change of power at the start of each minute

        def run(start: float, minutes: float, watts: float) -> None:
            first = max(int(start), 0)
            last = min(first + max(int(minutes), 1), MINUTES)
            if first < last:
                steps[first] += int(watts)
                steps[last] -= int(watts)

        def some(mean: float) -> float:
            return mean * home.habit * (0.7 + 0.6 * rng.random())

        weekend = (day + 4) % 7 in (0, 6)
        away = not weekend and rng.random() < 0.6
        wake = home.wake + rng.randrange(-15, 16) + (60 if weekend else 0)
        sleep = min(home.sleep + rng.randrange(-30, 31), MINUTES - 1)
        leave = wake + rng.randrange(75, 120)
        back = rng.randrange(16 * 60, 18 * 60 + 30)

        run(0, MINUTES, home.standby)
        minute = rng.randrange(50)
        while minute < MINUTES:
            on = rng.randrange(14, 22)
            run(minute, on, home.fridge)
            minute += on + rng.randrange(24, 36)

        # Morning.
        run(wake, leave - wake, some(150))
        run(wake + 5, some(4), 1200)
        run(wake + 12, some(5), 1000)
        run(wake + 30, some(6), 1150)
        run(wake - 40, 40, some(350))
        if rng.random() < (0.8 if weekend else 0.5):
            run(wake + rng.randrange(20, 180), some(45), 280)
        if not away:
            run(leave, back - leave, some(110))
            run(rng.randrange(11 * 60 + 30, 13 * 60), some(6), 1200)
        # Evening.
        run(back, sleep - back, some(260))
        cook = back + rng.randrange(20, 90)
        run(cook - 30, 42, some(420))
        for _ in range(rng.randrange(2, 6)):
            run(cook, some(6), home.induction or 150)
            cook += int(some(9)) + 2
        run(cook, some(5), 1100)
        if rng.random() < 0.5:
            run(cook + 40, some(35), 850)
        run(sleep - rng.randrange(20, 90), some(9), 1100)
        if home.hot_water:
            winter = 1.0 + 0.45 * math.cos(2 * math.pi * (day % _YEAR - 25) / _YEAR)
            run(rng.randrange(90, 150), some(130) * winter, home.hot_water)
        self._air(day, rng, run, (wake, sleep, leave if away else MINUTES, back))
        return list(accumulate(steps[:MINUTES]))

    def _air(self, day: int, rng: Random, run: Run, times: tuple[int, int, int, int]) -> None:
        """Heating and cooling by half-hours."""
        home = self.home
        wake, sleep, leave, back = times
        mean = 16.2 - 10.8 * math.cos(2 * math.pi * (day % _YEAR - 25) / _YEAR)
        mean += rng.uniform(-3.5, 3.5)
        for slot in range(48):
            minute = slot * 30
            outside = mean - 4.0 * _COOLER[slot]
            watts = 0.0
            if outside < 17:
                watts = home.heating * (18 - outside)
            elif outside > 25.5:
                watts = home.cooling * (outside - 23.5)
            if not watts:
                continue
            if minute < wake - 30 or minute > sleep:
                watts *= 0.15 if outside < 17 else 0.5
            elif leave <= minute < back:
                continue
            run(minute, 30, min(watts, 2200) * (0.8 + 0.4 * rng.random()))

    def _sunshine(self, day: int, rng: Random) -> list[int]:
        """W made in each minute of a day: the sun's height, times the sky, in steps of 5 min."""
        season = 2 * math.pi * (day % _YEAR - 80) / _YEAR
        tilt = math.radians(23.44) * math.sin(season)
        up = math.sin(_LATITUDE) * math.sin(tilt)
        across = math.cos(_LATITUDE) * math.cos(tilt)
        sky = rng.random()  # the day's weather: a third bright, a third mixed, a third grey
        clear, restless = (0.95, 0.05) if sky < 0.35 else (0.7, 0.5) if sky < 0.7 else (0.2, 0.15)
        made: list[int] = []
        cloud = 0.0
        for step in range(288):
            height = up + across * _NOON[step]
            if height <= 0:
                made.extend(_NIGHT)
                continue
            cloud = 0.7 * cloud + restless * (rng.random() - 0.5)
            light = min(max(clear + cloud, 0.03), 1.0)
            watts = int(self.solar * 0.86 * height * light)
            made.extend((watts,) * 5)
        return made

"""The part about the server: what it takes in, and how long it takes to answer."""

from __future__ import annotations

import time

from bench import asking, swarm
from bench.report import Section, Table, number
from bench.serving import KINDS, NoPostgres, Served, database

_SECONDS = 3.0
_GATEWAYS = (1_000, 10_000)
_CASES = (
    ("60 readings each", 60, 64, True),
    ("60 readings each, a connection for every request", 60, 64, False),
    ("1 reading each", 1, 128, True),
    ("1 reading each, a connection for every request", 1, 128, False),
)
# What is to be reached on two cores: readings/s in batches of 60, requests/s with single ones.
_AIMS = {60: 30_000, 1: 2_000}


def section() -> Section:
    """Starts servers of its own, each with an empty database."""
    table = Table(
        "Server: uploads",
        f"Real HTTP on the loopback to `kenshin server run`, one process, {_SECONDS:.0f} s each; "
        "an upload is answered when it is safe on the disk (SQLite: synchronous=FULL; "
        "PostgreSQL: fsync and synchronous_commit on). Each gateway was heard once before. "
        "All readings are new, each upload carries a status. Swarm and database run on the "
        "same two cores, so these are rather too low. "
        "Wait: from request to answer, with as many requests at once as are in brackets. CPU: of "
        "one core, by the server and by the swarm, while the run lasted; the rest of two cores "
        "went to PostgreSQL, to the system, or to nobody. Per CPU second: readings by the "
        "server's own processor time, which does not depend on what else the machine does.",
        (
            *("upload", "requests/s", "readings/s", "wait p50 ms", "p95 ms"),
            *("CPU of server", "of swarm", "readings per CPU s"),
        ),
    )
    missed: list[str] = []
    notes: list[str] = []
    for kind in KINDS:
        try:
            _measure(kind, table, missed, notes)
        except NoPostgres as error:
            notes.append(f"{kind}: not measured: {error}")
    table.how = " ".join([table.how, *notes])
    return Section([table, asking.table()], missed)


def _measure(kind: str, table: Table, missed: list[str], notes: list[str]) -> None:
    with database(kind) as where:
        crowds = {count: swarm.register(where.url, count) for count in _GATEWAYS}
        served = Served(where)
        try:
            for count, crowd in crowds.items():
                # Each is heard once before, as by a server that has run for a minute.
                swarm.run(served.port, crowd, swarm.Load(1, 64, True, 60.0, len(crowd)))
                best: dict[int, float] = {}
                for words, batch, at_once, keep in _CASES:
                    load = swarm.Load(batch, at_once, keep, _SECONDS)
                    begun = served.cpu(), time.process_time()
                    result = swarm.run(served.port, crowd, load)
                    used = served.cpu() - begun[0], time.process_time() - begun[1]
                    requests = result.requests / result.seconds
                    best[batch] = max(best.get(batch, 0), requests)
                    table.add(
                        f"{kind}, {count:,} gateways, {words} ({at_once})",
                        number(requests),
                        number(requests * batch),
                        number(result.wait_ms(0.5)),
                        number(result.wait_ms(0.95)),
                        *[f"{100 * each / result.seconds:.0f}%" for each in used],
                        number(result.readings / max(used[0], 0.01)),
                    )
                for batch, aim in _AIMS.items():
                    if best[batch] * batch < aim:
                        missed.append(
                            f"{kind}, {count:,} gateways, batches of {batch}: "
                            f"{best[batch] * batch:,.0f} readings/s of {aim:,}"
                        )
            notes.append(f"Memory of the server with {kind}: {served.memory() / 2**20:.0f} MB.")
        finally:
            served.stop()

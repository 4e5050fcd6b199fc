"""Reading back what `export` wrote: through the same checks and rules as an upload."""

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, BinaryIO

from sqlalchemy import select, update

from kenshin.server import gateways, units, wire
from kenshin.server.export import COLUMNS
from kenshin.server.ingest import Upload, ingest, prepare
from kenshin.server.schema import State
from kenshin.server.slots import ORIGINS
from kenshin.server.store import Store

_REASONS = 10
_VALUES = range(4, 9)  # of a row: power, currents, energies


class ImportFault(Exception):
    """The file cannot be read; the text says where and why."""


@dataclass
class Done:
    """What became of a file."""

    rows: int = 0
    stored: int = 0
    rejected: int = 0
    reasons: list[str] = field(default_factory=list[str])


def read(store: Store, file: BinaryIO, gateway: str | None, now: int) -> Done:
    """Store the readings of a file. Raises ImportFault, GatewayError, Unavailable."""
    # The same file is the same stream: sent again, nothing is done twice.
    hashed = hashlib.sha256()
    while data := file.read(1 << 20):
        hashed.update(data)
    stream = int.from_bytes(hashed.digest()[:4], "big")
    file.seek(0)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
    done = Done()
    pending: dict[str, list[list[list[Any]]]] = {}
    try:
        for code, rows in _rows(text):
            mine = pending.setdefault(gateway or code, [])
            mine.append(rows)
            if len(mine) >= wire.MOST_READINGS:
                _store(store, gateway or code, stream, mine, now, done)
                del pending[gateway or code]
    finally:
        text.detach()  # the file is not ours to close
    for code, mine in pending.items():
        _store(store, code, stream, mine, now, done)
    return done


def _rows(text: io.TextIOWrapper) -> Iterator[tuple[str, list[list[Any]]]]:
    try:
        reader = csv.DictReader(text)
        kind = _kind(reader.fieldnames or ())
        for number, item in enumerate(reader, 1):
            try:
                yield item["service_code"], _reports(_row(number, kind, item), item)
            except (ValueError, TypeError, InvalidOperation) as error:
                raise ImportFault(f"line {reader.line_num}: {error}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ImportFault(f"not CSV in UTF-8: {error}") from None


def _kind(names: Sequence[str]) -> str:
    for kind, columns in COLUMNS.items():
        if sorted(names) == sorted(columns):
            if kind == "day":
                raise ImportFault("days are sums, made here: import half-hours and instants")
            return kind
    if names and names[0].lstrip().startswith("["):
        raise ImportFault("this is JSON: export it as CSV")
    raise ImportFault(
        "this is not a file of half-hours, instants or minutes that export wrote: "
        "its first line does not have their columns"
    )


def _row(number: int, kind: str, item: dict[str, str]) -> list[Any]:
    return [
        number,
        kind,
        units.parse_time(item["time"]),
        item.get("quality") or "server",
        _integer(item.get("active_power_w"), 0),
        _integer(item.get("current_r_a"), 1),
        _integer(item.get("current_t_a"), 1),
        _integer(item["fwd_int_power_kwh"], 4),
        _integer(item["bwd_int_power_kwh"], 4),
        "get",
    ]


def _reports(row: list[Any], item: dict[str, str]) -> list[list[Any]]:
    """The reports that made a row: one for each origin, for each brought a value."""
    origins = (item.get("origins") or "get").split(" ")
    for origin in origins:
        if origin not in ORIGINS:
            raise ValueError(f'unknown origin "{origin}"')
    places = [place for place in _VALUES if row[place] is not None]
    # Which value came from where is not in the file: the first origin has all that the others
    # leave.
    found: list[list[Any]] = []
    for origin in reversed(origins[1 : max(1, len(places))]):
        report = [None if place in _VALUES else each for place, each in enumerate(row)]
        place = places.pop()
        report[place], row[place], report[-1] = row[place], None, origin
        found.append(report)
    return [[*row[:-1], origins[0]], *reversed(found)]


def _integer(text: str | None, places: int) -> int | None:
    if not text:
        return None
    scaled = Decimal(text).scaleb(places)
    if not scaled.is_finite() or scaled != scaled.to_integral_value():
        raise ValueError(f'"{text}" has more than {places} decimal places')
    return int(scaled)


def _store(
    store: Store, code: str, stream: int, rows: list[list[list[Any]]], now: int, done: Done
) -> None:
    with store.reading() as connection:
        known = gateways.find(connection, code)
    first = {reports[0][0]: reports[0] for reports in rows}
    more = [(report[0], report) for reports in rows for report in reports[1:]]
    batch = wire.Batch(stream, first, None, (), twins=more)
    prepare(store, [Upload(known.id, batch, now)])
    with store.writing() as connection:
        here = State.gateway_id == known.id
        heard = connection.scalar(select(State.last_seen).where(here).with_for_update())
        outcome = ingest(connection, known.id, batch, now)
        # A file is no word from the board: it stays as silent as it was.
        connection.execute(update(State).where(here).values(last_seen=heard))
    done.stored += outcome.stored
    done.rejected += len(outcome.rejected)
    for seq, why in outcome.rejected[: _REASONS - len(done.reasons)]:
        done.reasons.append(f"reading {seq}: {why}")
    done.rows += len(rows)

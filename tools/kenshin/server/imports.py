"""Reading back what `export` wrote: through the same checks and rules as an upload."""

import csv
import hashlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, BinaryIO

from sqlalchemy import Connection

from kenshin.server import gateways, units, wire
from kenshin.server.export import COLUMNS
from kenshin.server.ingest import Upload, ingest, prepare
from kenshin.server.slots import ORIGINS
from kenshin.server.store import Store

_REASONS = 10


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
    pending: dict[str, dict[int, list[Any]]] = {}
    try:
        for code, row in _rows(text):
            mine = pending.setdefault(gateway or code, {})
            mine[row[0]] = row
            if len(mine) >= wire.MOST_READINGS:
                _store(store, gateway or code, stream, mine, now, done)
                del pending[gateway or code]
    finally:
        text.detach()  # the file is not ours to close
    for code, mine in pending.items():
        _store(store, code, stream, mine, now, done)
    return done


def _rows(text: io.TextIOWrapper) -> Iterator[tuple[str, list[Any]]]:
    try:
        reader = csv.DictReader(text)
        kind = _kind(reader.fieldnames or ())
        for number, item in enumerate(reader, 1):
            try:
                yield item["service_code"], _row(number, kind, item)
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
    origin = (item.get("origins") or "get").split(" ")[0]
    if origin not in ORIGINS:
        raise ValueError(f'unknown origin "{origin}"')
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
        origin,
    ]


def _integer(text: str | None, places: int) -> int | None:
    if not text:
        return None
    scaled = Decimal(text).scaleb(places)
    if not scaled.is_finite() or scaled != scaled.to_integral_value():
        raise ValueError(f'"{text}" has more than {places} decimal places')
    return int(scaled)


def _store(
    store: Store, code: str, stream: int, rows: dict[int, list[Any]], now: int, done: Done
) -> None:
    with store.reading() as connection:
        known = gateways.find(connection, code)
    batch = wire.Batch(stream, rows, None, ())
    prepare(store, [Upload(known.id, batch, now)])

    def work(connection: Connection) -> None:
        outcome = ingest(connection, known.id, batch, now)
        done.stored += outcome.stored
        done.rejected += len(outcome.rejected)
        for seq, why in outcome.rejected[: _REASONS - len(done.reasons)]:
            done.reasons.append(f"reading {seq}: {why}")

    with store.writing() as connection:
        work(connection)
    done.rows += len(rows)

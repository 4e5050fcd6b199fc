"""What the tests of hours and days look at."""

from types import SimpleNamespace

from sqlalchemy import func, select

from kenshin.server import energy, rollup
from kenshin.server.schema import Day, Gateway, State

T0 = 1_795_392_000  # 09:00 in Japan
DAY0 = T0 - 9 * 3600  # its midnight
HOUR = 3600


def ours(lab, board):
    with lab.store.reading() as connection:
        return connection.scalar(select(Gateway.id).where(Gateway.code == board.code))


def roll(lab, gateway):
    more = True
    while more:
        with lab.store.writing() as connection:
            more = rollup.roll(connection, gateway, lab.now)


def totals(lab, gateway, spans):
    """Energies of spans, as a page or the API would ask for them."""
    with lab.store.reading() as connection:
        rolled = connection.scalar(select(State.rolled).where(State.gateway_id == gateway))
        found = []
        for start, end in spans:
            loaded = energy.load(connection, gateway, rolled, start, end)
            found += [energy.total(one, start, end) for one in loaded]
        return found


def days(lab, gateway):
    with lab.store.reading() as connection:
        rows = connection.execute(
            select(Day.t, Day.n, Day.power_sum, Day.power_max, Day.normal, Day.reverse)
            .add_columns(Day.partial, Day.slots)
            .where(Day.gateway_id == gateway)
            .order_by(Day.t)
        )
        return {row["t"]: SimpleNamespace(**row) for row in rows.mappings()}


def count(lab, table, *where):
    with lab.store.reading() as connection:
        return connection.scalar(select(func.count()).select_from(table).where(*where))

"""What the read API answers: the models behind its JSON and its OpenAPI document."""

from typing import Any

from pydantic import BaseModel, Field

from kenshin.server import queries, units


class GatewaySummary(BaseModel):
    """A gateway and what is known of it now."""

    code: str = Field(description="service code", examples=["psw7k3m9x2a"])
    name: str
    created: int
    last_seen: int | None = Field(description="last upload, UTC seconds; null = never")
    status: dict[str, Any] | None = Field(description="the last status the gateway sent")
    status_t: int | None = Field(description="when that was, UTC seconds")
    stored: int = Field(description="readings stored")
    conflicts: int = Field(description="values kept beside one that disagrees")
    rejected: int = Field(description="readings refused")
    group: str | None
    zone: str = Field(description="time zone of its days")
    contract: int | None = Field(description="amperes of the contract; null = not known")

    @classmethod
    def of(cls, row: queries.GatewayRow) -> "GatewaySummary":
        """The summary of a row."""
        return cls(**_public(row))


class GatewayList(BaseModel):
    """Some gateways."""

    gateways: list[GatewaySummary]
    next: str | None = Field(description="path of the next page")


class NewestValue(BaseModel):
    """A value and when it was measured."""

    t: int
    value: int = Field(description="W, 0.1 A or 0.1 Wh")
    text: str = Field(description="exact decimal in W, A or kWh")


class RejectedReading(BaseModel):
    """A reading that was refused."""

    stream: int
    seq: int
    why: str
    row: str = Field(description="as it was sent, shortened")
    received: int


class Stream(BaseModel):
    """Sequence numbers received of one outbox."""

    stream: int
    received: list[tuple[int, int]] = Field(description="ranges, both ends included")


class GatewayDetail(GatewaySummary):
    """One gateway in full."""

    now: int = Field(description="the server's clock, UTC seconds")
    newest: dict[str, NewestValue] = Field(
        description="by field: power, current_r, current_t, normal, reverse"
    )
    streams: list[Stream]
    rejections: list[RejectedReading] = Field(description="the newest ones")

    @classmethod
    def build(
        cls,
        row: queries.GatewayRow,
        now: int,
        newest: dict[str, queries.Newest],
        streams: dict[int, list[tuple[int, int]]],
        rejections: list[queries.RejectionRow],
    ) -> "GatewayDetail":
        """Put together what the queries gave."""
        return cls(
            **_public(row),
            now=now,
            newest={
                field: NewestValue(t=t, value=value, text=units.decimal(value, PLACES[field]))
                for field, (t, value) in newest.items()
            },
            streams=[Stream(stream=s, received=spans) for s, spans in streams.items()],
            rejections=[RejectedReading(**each._asdict()) for each in rejections],
        )


class ConflictValue(BaseModel):
    """A value that came later and disagrees."""

    field: str
    value: int
    quality: str
    origin: str


class ReadingItem(BaseModel):
    """One moment. null = not measured."""

    kind: str
    t: int = Field(description="UTC seconds")
    time: str = Field(description="RFC 3339, Japanese time")
    quality: str
    power: int | None = Field(description="W; negative = export")
    current_r: int | None = Field(description="0.1 A")
    current_t: int | None = Field(description="0.1 A")
    normal: int | None = Field(description="cumulative, 0.1 Wh")
    reverse: int | None = Field(description="cumulative, 0.1 Wh")
    normal_kwh: str | None = Field(description="kWh, exact decimal")
    reverse_kwh: str | None = Field(description="kWh, exact decimal")
    origins: list[str]
    conflicts: list[ConflictValue] = []


class ReadingList(BaseModel):
    """Some readings in time order."""

    gateway: str
    readings: list[ReadingItem]
    next: str | None = Field(description="path of the next page")

    @classmethod
    def build(cls, code: str, page: queries.Page, following: str | None) -> "ReadingList":
        """Put together what the query gave."""
        beside: dict[tuple[str, int], list[ConflictValue]] = {}
        for kind, t, field, value, quality, origins in page.conflicts:
            beside.setdefault((kind, t), []).append(
                ConflictValue(field=field, value=value, quality=quality, origin=origins[0])
            )
        items = [
            ReadingItem(
                **row._asdict(),
                time=units.rfc3339(row.t),
                normal_kwh=units.kwh(row.normal),
                reverse_kwh=units.kwh(row.reverse),
                conflicts=beside.get((row.kind, row.t), []),
            )
            for row in page.readings
        ]
        return cls(gateway=code, readings=items, next=following)


class Plot(BaseModel):
    """Points for a chart."""

    start: int
    end: int
    gap: int = Field(description="seconds without a value above which the line is broken")
    t: list[int] = Field(description="UTC seconds")
    power: list[int | None] = Field(description="W; null = break the line here")


class HealthHistory(BaseModel):
    """How a gateway was, every five minutes. A list of nulls at a t: nothing was heard there."""

    t: list[int] = Field(description="UTC seconds")
    rssi: list[int | None] = Field(description="dBm, of the meter")
    net_rssi: list[int | None] = Field(description="dBm, of the network")
    queue: list[int | None] = Field(description="readings that waited")
    uptime: list[int | None] = Field(description="s")


# Decimal places between the stored integers and W, A, kWh.
PLACES = {"power": 0, "current_r": 1, "current_t": 1, "normal": 4, "reverse": 4}


def _public(row: queries.GatewayRow) -> dict[str, Any]:
    fields = row._asdict()
    for name in ("id", "word", "meter"):  # the last two are in the status too
        del fields[name]
    return fields

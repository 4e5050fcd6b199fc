"""Wire format version 1: what a gateway uploads and what it is answered.

    POST /api/v1/readings
    {"v":1, "stream":S, "readings":[[seq,kind,t,quality,W,R,T,normal,reverse,origin],...],
     "status":{...}}

The envelope must be right as a whole, or nothing is taken (`Malformed`). Each reading is checked
by itself: one that is wrong is rejected with its reason and the others are stored. A
status never stops readings: see `status`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, Any, Literal, NamedTuple, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails, from_json, to_json

from kenshin.server.ranges import Span
from kenshin.server.slots import Slot, Values
from kenshin.server.status import GatewayStatus, clean

MOST_READINGS = 2000
SEQ_MAX = 2**53 - 1
STREAM_MAX = 2**32 - 1
ENERGY_MAX = 2**63 - 1
T_MIN = 1_420_070_400  # 2015-01-01: before it there was hardly a meter with a B route
T_AHEAD = 86_400  # how far a gateway's clock may be ahead of ours, in seconds
REPLY_MAX = 4096  # bytes; the most a board reads of an answer
WANT_MAX = 20  # days asked for at once


class Malformed(ValueError):
    """The upload as a whole is wrong; nothing of it is taken.

    `errors` = [{"where": JSON pointer, "why": text}, ...], at least one.
    """

    def __init__(self, errors: list[dict[str, str]]):
        super().__init__(errors[0]["why"])
        self.errors = errors


class NotJson(ValueError):
    """The body is not JSON at all."""


def _strict(**limits: Any) -> Any:
    return Field(strict=True, **limits)


# E7 and E8 hold "not measured", overflow and underflow in the values just outside these limits;
# a gateway sends null for them.
Seq = Annotated[int, _strict(ge=0, le=SEQ_MAX, title="seq")]
Kind = Annotated[Literal["instant", "half-hour", "minute"], Field(title="kind")]
Time = Annotated[int, _strict(ge=T_MIN, title="t", description="UTC, seconds since 1970")]
Quality = Annotated[Literal["ntp", "meter", "server"], Field(title="quality")]
Power = Annotated[
    int, _strict(ge=-(2**31) + 1, le=2**31 - 3, title="power", description="W; negative = export")
]
Current = Annotated[int, _strict(ge=-32767, le=32765, title="current", description="0.1 A")]
Energy = Annotated[
    int, _strict(ge=0, le=ENERGY_MAX, title="energy", description="cumulative, 0.1 Wh")
]
Origin = Annotated[Literal["get", "inf", "E2", "E4", "EC", "D0", "EE"], Field(title="origin")]

ReadingRow = tuple[
    Seq,
    Kind,
    Time,
    Quality,
    Power | None,
    Current | None,
    Current | None,
    Energy | None,
    Energy | None,
    Origin,
]
COLUMNS = (
    "seq",
    "kind",
    "t",
    "quality",
    "power",
    "current_r",
    "current_t",
    "normal",
    "reverse",
    "origin",
)


def _version(v: int) -> int:
    if v != 1:
        raise ValueError("this server speaks version 1")
    return v


class _Envelope(BaseModel):
    model_config = ConfigDict(extra="ignore")

    v: Annotated[int, Field(strict=True), AfterValidator(_version)]
    stream: Annotated[int, _strict(ge=0, le=STREAM_MAX)]
    readings: Annotated[list[Any], Field(max_length=MOST_READINGS)]
    status: dict[str, Any] | None = None


class _Typed(BaseModel):
    model_config = ConfigDict(extra="ignore")

    v: Annotated[int, _strict(ge=1, le=1)]
    stream: Annotated[int, _strict(ge=0, le=STREAM_MAX)]
    readings: Annotated[list[ReadingRow], Field(max_length=MOST_READINGS)]
    status: dict[str, Any] | None = None


UPLOAD_EXAMPLE: dict[str, Any] = {
    "v": 1,
    "stream": 2_863_311_530,
    "readings": [
        [7, "instant", 1_795_392_000, "ntp", 512, 43, 9, 123_456_789, None, "get"],
        [8, "half-hour", 1_795_392_000, "meter", None, None, None, 123_456_780, 4200, "inf"],
    ],
    "status": {"word": None, "fw": "0.1.0", "uptime": 3600, "rssi": -71},
}


class Upload(BaseModel):
    """The body of an upload, as documented (JSON Schema)."""

    model_config = ConfigDict(json_schema_extra={"examples": [UPLOAD_EXAMPLE]})

    v: Literal[1]
    stream: Annotated[int, Field(ge=0, le=STREAM_MAX)]
    readings: Annotated[list[ReadingRow], Field(max_length=MOST_READINGS)]
    status: GatewayStatus | None = None


class Receipt(BaseModel):
    """The answer to an upload, given only after what it acknowledges is safe on the disk."""

    v: Literal[1] = 1
    time: int = Field(description="the server's clock, UTC seconds")
    ack: list[Span] = Field(description="sequence numbers of this upload that are stored")
    rejected: list[tuple[int, str]] = Field(description="sequence number and reason")
    want: list[str] = Field(
        default=[], description="days (JST, YYYY-MM-DD) whose history is wished for"
    )
    interval: int | None = Field(default=None, description="seconds wished between uploads")


class Row(NamedTuple):
    """A reading that passed the checks."""

    kind: str
    t: int
    slot: Slot


@dataclass(frozen=True, slots=True)
class Batch:
    """An upload whose envelope is right. `typed`: each field of each reading is, too."""

    stream: int
    rows: Mapping[int, Sequence[Any]]  # by sequence number
    status: dict[str, Any] | None
    status_faults: tuple[str, ...]  # names of fields left out
    typed: bool = False
    # Further readings with a number of those above: a board that lost count gives it again.
    twins: Sequence[tuple[int, Sequence[Any]]] = ()

    def readings(self) -> Iterable[tuple[int, Sequence[Any]]]:
        """All readings with their numbers."""
        return chain(self.rows.items(), self.twins) if self.twins else self.rows.items()


_ROW: TypeAdapter[tuple[Any, ...]] = TypeAdapter(ReadingRow)
_TYPED = TypeAdapter(_Typed)


def parse(body: bytes) -> Batch:
    """The upload in `body`. Raises NotJson or Malformed."""
    # Nearly always all of it is right; then one look is enough.
    try:
        upload = _TYPED.validate_json(body)
    except ValidationError:
        return _parse(body)
    rows = {row[0]: row for row in upload.readings}
    if len(rows) != len(upload.readings):
        return _parse(body)
    status, faults = clean(upload.status)
    return Batch(upload.stream, rows, status, faults, True)


def _parse(body: bytes) -> Batch:
    try:
        document = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise NotJson(str(error)) from None
    try:
        envelope = _Envelope.model_validate(document)
    except ValidationError as error:
        raise Malformed([_where(detail) for detail in error.errors()[:10]]) from None
    rows: dict[int, list[Any]] = {}
    twins: list[tuple[int, list[Any]]] = []
    for index, item in enumerate(envelope.readings):
        row = cast(list[Any], item) if isinstance(item, list) else []
        seq: object = row[0] if row else None
        if type(seq) is not int or not 0 <= seq <= SEQ_MAX:
            # Without its number it can be neither acknowledged nor rejected.
            raise Malformed(
                [{"where": f"/readings/{index}", "why": "does not begin with a sequence number"}]
            )
        if rows.setdefault(seq, row) != row:
            twins.append((seq, row))
    status, faults = clean(envelope.status)
    return Batch(envelope.stream, rows, status, faults, False, twins)


def check(row: Sequence[Any], now: int) -> Row | str:
    """The reading in `row`, or why it is rejected."""
    if len(row) != len(COLUMNS):
        return f"has {len(row)} fields instead of {len(COLUMNS)}"
    try:
        _, kind, t, quality, *values, origin = _ROW.validate_python(row)
    except ValidationError as error:
        detail = error.errors(include_url=False, include_input=False)[0]
        return f"{COLUMNS[cast(int, detail['loc'][0])]}: {_reason(detail)}"
    why = misplaced(kind, t, values, now)
    return Row(kind, t, Slot(Values(*values), quality, (origin,))) if why is None else why


def misplaced(kind: str, t: int, values: Sequence[Any], now: int) -> str | None:
    """Why a reading whose fields are right by themselves is wrong all the same, or None."""
    if t > now + T_AHEAD:
        return "t: lies in the future"
    if kind == "instant":
        return None
    if kind == "half-hour" and t % 1800:
        return "t: not on a half-hour"
    if any(value is not None for value in values[:3]):
        return f"power, current: not part of {kind}"
    return None


def receipt(
    time: int,
    ack: list[Span],
    rejected: list[tuple[int, str]],
    want: Sequence[str] = (),
    interval: int | None = None,
) -> bytes:
    """The answer as JSON of at most REPLY_MAX bytes.

    What does not fit is left out: the gateway sends those readings again, and the answer to that
    has room, because what was acknowledged or rejected is not sent again.
    """
    days = list(want[:WANT_MAX])
    room = (REPLY_MAX - 256 - 13 * len(days)) // 2
    answer = Receipt(
        time=time,
        ack=_fitting(ack, room),
        rejected=_fitting(rejected, room),
        want=days,
        interval=interval,
    )
    return answer.model_dump_json().encode()


def _fitting(items: list[Any], room: int) -> list[Any]:
    kept: list[Any] = []
    for item in items:
        room -= len(to_json(item)) + 1
        if room < 0:
            break
        kept.append(item)
    return kept


def _where(detail: ErrorDetails) -> dict[str, str]:
    pointer = "".join(f"/{part}" for part in detail["loc"])
    return {"where": pointer or "/", "why": _reason(detail)}


def _reason(detail: ErrorDetails) -> str:
    return detail["msg"].replace("Input should", "must", 1).removeprefix("Value error, ")

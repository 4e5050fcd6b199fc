"""What a gateway says of itself in an upload: which fields are known, and what is kept.

A wrong field is left out, one that is not known here is kept as it is (within bounds).
"""

from base64 import b64decode
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic_core import from_json, to_json

STATUS_MAX = 8192  # bytes of a status as JSON, with what is not known here
STATUS_DEEP = 8  # levels of such a field


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable")
    return text


def _events(text: str) -> str:
    if len(b64decode(text, validate=True)) % 5:
        raise ValueError("must be 5 bytes for each event")
    return text


Text = Annotated[str, StringConstraints(strict=True, max_length=500), AfterValidator(_printable)]
Count = Annotated[int, Field(strict=True, ge=0, le=2**53)]
Dbm = Annotated[int, Field(strict=True, ge=-200, le=50, description="dBm")]
Counter = Annotated[int, Field(strict=True, ge=-(2**53), le=2**53)]
Name = Annotated[str, StringConstraints(max_length=40), AfterValidator(_printable)]
Percent = Annotated[int, Field(strict=True, ge=0, le=100, description="%")]
Events = Annotated[
    str,
    StringConstraints(strict=True, max_length=336),
    AfterValidator(_events),
]


class MeterIdentity(BaseModel):
    """What the meter says of itself."""

    maker: Text | None = None
    serial: Text | None = None
    release: Text | None = None
    coefficient: Count | None = None
    unit: Count | None = Field(None, description="the code of EPC E1")
    digits: Count | None = None


class Repair(BaseModel):
    """How far the gateway is with reading missing half-hours from the meter's history."""

    missing: Count | None = Field(None, description="half-hours that the server lacks")
    days: Count | None = Field(None, description="how many days back the meter tells")
    reading: Text | None = Field(None, description="the day at which it is (JST, YYYY-MM-DD)")


class GatewayStatus(BaseModel):
    """The state of a gateway. Every field may be missing; others are kept as they are."""

    model_config = ConfigDict(extra="allow")

    word: Literal["config", "radio", "meter", "network", "server"] | None = None
    code: Text | None = None
    detail: Text | None = None
    fw: Text | None = None
    board: Text | None = None
    uptime: Count | None = Field(None, description="s")
    rssi: Dbm | None = None
    rssi_age: Count | None = Field(None, description="s since the radio module's last contact")
    module: Text | None = None
    net_rssi: Dbm | None = None
    queue: Count | None = Field(None, description="readings that wait for upload")
    quality: tuple[Percent, Percent] | None = Field(
        None,
        description="of the last 30 requests: not acknowledged by radio, acknowledged and not "
        "answered",
    )
    events: Events | None = Field(
        None,
        description="the last 50 link events, the oldest first, in base64: seconds since the "
        "board's start modulo 2^24 (3 bytes, big-endian), code (SKSTACK's EVENT numbers; 34 and "
        "up as in firmware/lib/wisun, 38 and up the ladder's steps), value",
    )
    counters: Annotated[dict[Name, Counter], Field(max_length=100)] | None = None
    meter: MeterIdentity | None = None
    repair: Repair | None = None
    reset: Text | None = Field(None, description="why the board started")
    resets: Text | None = Field(None, description="the last starts, newest first")


def clean(status: dict[str, Any] | None) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """What of a status can be kept, and the names of the fields that are left out."""
    if status is None:
        return None, ()
    faults: set[str] = set()
    kept: dict[str, Any] = {}
    room = STATUS_MAX
    # What is known comes first, so that what is not cannot crowd it out.
    for name in sorted(status, key=lambda name: name not in GatewayStatus.model_fields):
        value = status[name]
        size = _size(name, value)
        if size is None or size > room:
            faults.add(name if name.isprintable() and len(name) <= 40 else "?")
        else:
            kept[name] = value
            room -= size
    try:
        clean = GatewayStatus.model_validate(kept)
    except ValidationError as error:
        wrong = {str(detail["loc"][0]) for detail in error.errors()}
        faults |= wrong
        clean = GatewayStatus.model_validate(
            {name: value for name, value in kept.items() if name not in wrong}
        )
    return clean.model_dump(exclude_unset=True), tuple(sorted(faults))


def _size(name: str, value: Any) -> int | None:
    """Bytes of a field of the status; None when it cannot be kept."""
    if not name.isprintable() or not 0 < len(name) <= 40 or _deeper(value, STATUS_DEEP):
        return None
    try:
        data = to_json(value, inf_nan_mode="constants")
        from_json(data, allow_inf_nan=False)
    except ValueError:
        return None
    return len(data) + len(name) + 4


def _deeper(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        inner = cast("dict[str, Any]", value).values()
    elif isinstance(value, list):
        inner = cast("list[Any]", value)
    else:
        return False
    return levels == 0 or any(_deeper(each, levels - 1) for each in inner)

"""GET /api/v1/alerts: what is open, or was, for other programs."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from kenshin.server import problems
from kenshin.server.access import Reading
from kenshin.server.alerts import book, texts
from kenshin.server.service import Served

router = APIRouter(prefix="/api/v1")


class AlertModel(BaseModel):
    """Something that a rule found."""

    code: str = Field(description="service code of the gateway", examples=["pswabcdefgh"])
    name: str = Field(examples=["home"])
    rule: int = Field(examples=[1])
    kind: str = Field(examples=["silent"])
    since: int = Field(description="UTC seconds", examples=[1_795_392_000])
    until: int | None = Field(description="UTC seconds; null = it is still so", examples=[None])
    value: int | None = Field(
        description="what was measured: minutes, half-hours, dBm, W, 0.1 Wh, or 0.1 A",
        examples=[15],
    )
    limit: int = Field(description="of the rule: min, half-hours, dBm, W, kWh or %", examples=[15])
    text: str = Field(examples=["Nothing was received for 15 minutes."])


class AlertList(BaseModel):
    """Alerts, the newest first."""

    alerts: list[AlertModel]


@router.get(
    "/alerts",
    summary="Alerts that are open, or that have ended",
    responses=problems.documented(
        "invalid", "no-key", "wrong-key", "token-expired", "too-many", "unavailable"
    ),
    openapi_extra={"security": [{"apiKey": []}, {"session": []}, {"uploadToken": []}]},
)
def list_alerts(
    service: Served,
    reader: Reading,
    still: Annotated[bool, Query(alias="open", description="still so, or over")] = True,
    before: Annotated[
        int | None,
        Query(ge=0, le=2**53, description="UTC seconds: only those that began before"),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> AlertList:
    """The newest first. For more, ask again with `before` = the last one's `since`."""
    with service.store.reading() as connection:
        found = book.entries(
            connection,
            still=still,
            limit=limit,
            before=before,
            gateway_id=reader.scope.gateway_id,
            group_id=reader.scope.group_id,
        )
    return AlertList(
        alerts=[
            AlertModel(
                **one._asdict(),
                rule=one.rule_id,
                limit=one.threshold,
                text=texts.sentence("en", one),
            )
            for one in found
        ]
    )

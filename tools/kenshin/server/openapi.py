"""/openapi.json: the API described, with an example for each answer."""

from typing import Any, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from kenshin.server import access, problems, wire

_REF = "#/components/schemas/{model}"
_CODE = "psw7k3m9x2a"
_T = 1_795_392_000  # 2026-11-23T09:00:00+09:00
_STATUS: dict[str, Any] = {
    "word": None,
    "fw": "0.1.0",
    "uptime": 86_400,
    "rssi": -71,
    "net_rssi": -60,
    "queue": 0,
    "repair": {"missing": 0, "days": 99, "reading": None},
}
_GATEWAY: dict[str, Any] = {
    "code": _CODE,
    "name": "Home",
    "created": 1_767_225_600,
    "last_seen": _T,
    "status": _STATUS,
    "status_t": _T,
    "stored": 53_140,
    "conflicts": 0,
    "rejected": 1,
    "group": "Neighbours",
    "zone": "Asia/Tokyo",
    "contract": 40,
}
_REJECTED = '[200,"instant",1795391999,"ntp",1.5,null,null,null,null,"get"]'
_SAME = dict.fromkeys(("maker", "release", "coefficient", "digits"))
_BARS: dict[str, Any] = {
    "period": "day",
    "start": 1_795_359_600,
    "end": 1_795_446_000,
    "previous": "2026-11-22",
    "next": "2026-11-24",
    "t": [1_795_359_600, 1_795_361_400, 1_795_363_200],
    "normal": [2500, 2150, None],
    "reverse": [0, 0, None],
    "partial": [False, False, True],
    "total_normal": "0.465",
    "total_reverse": "0",
    "total_partial": True,
    "meters": [
        {
            "t": 1_795_364_500,
            "before": 1_795_363_800,
            "old": {**_SAME, "serial": "16A2034567", "unit": 1},
            "new": {**_SAME, "serial": "22B9900011", "unit": 2},
        }
    ],
}
# By path: what a right answer looks like. Long lists are cut.
EXAMPLES: dict[str, Any] = {
    "/api/v1/readings": {
        "v": 1,
        "time": _T,
        "ack": [[7, 8], [10, 12]],
        "rejected": [[9, "power: must be a valid integer"]],
        "want": ["2026-11-20"],
        "interval": None,
    },
    "/api/v1/gateways": {"gateways": [_GATEWAY], "next": None},
    "/api/v1/gateways/{code}": {
        **_GATEWAY,
        "now": _T,
        "newest": {
            "power": {"t": _T - 30, "value": 512, "text": "512"},
            "current_r": {"t": _T - 30, "value": 43, "text": "4.3"},
            "normal": {"t": _T, "value": 123_572_500, "text": "12357.25"},
        },
        "streams": [{"stream": 2_863_311_530, "received": [[0, 199], [201, 53_140]]}],
        "rejections": [
            {
                "stream": 2_863_311_530,
                "seq": 200,
                "why": "power: must be a valid integer",
                "row": _REJECTED,
                "received": _T,
            }
        ],
    },
    "/api/v1/gateways/{code}/readings": {
        "gateway": _CODE,
        "readings": [
            {
                "kind": "half-hour",
                "t": _T,
                "time": "2026-11-23T09:00:00+09:00",
                "quality": "meter",
                "power": None,
                "current_r": None,
                "current_t": None,
                "normal": 123_572_500,
                "reverse": 5490,
                "normal_kwh": "12357.25",
                "reverse_kwh": "0.549",
                "origins": ["inf", "E2"],
                "conflicts": [
                    {"field": "normal", "value": 123_572_400, "quality": "ntp", "origin": "get"}
                ],
            }
        ],
        "next": f"/api/v1/gateways/{_CODE}/readings?from={_T}&to={_T + 3600}&limit=1"
        "&after=half-hour",
    },
    "/api/v1/gateways/{code}/plot": {
        "start": _T - 300,
        "end": _T,
        "gap": 180,
        "t": [_T - 150, _T - 90, _T - 30],
        "power": [514, None, 512],
    },
    "/api/v1/gateways/{code}/health": {
        "t": [_T - 300, _T],
        "rssi": [-71, -72],
        "net_rssi": [-60, None],
        "queue": [0, 2],
        "uptime": [86_100, 86_400],
    },
    "/api/v1/gateways/{code}/energy": _BARS,
    "/api/v1/gateways/{code}/today": {
        "now": _T,
        "start": 1_795_359_600,
        "today": {"normal": 45_000, "reverse": 180, "partial": False},
        "yesterday": {"normal": None, "reverse": None, "partial": True},
    },
    "/api/v1/groups": {"groups": [{"id": 1, "name": "Neighbours", "gateways": 2}]},
    "/api/v1/groups/{number}": {
        "id": 1,
        "name": "Neighbours",
        "gateways": 2,
        "power": 1312,
        "power_n": 2,
        "today": "4.99",
        "today_sold": "0.018",
        "today_n": 2,
        "month": "212.4",
        "month_sold": None,
        "month_partial": True,
    },
    "/api/v1/groups/{number}/energy": _BARS,
    "/api/v1/alerts": {
        "alerts": [
            {
                "code": _CODE,
                "name": "Home",
                "rule": 1,
                "kind": "silent",
                "since": _T - 900,
                "until": None,
                "value": 15,
                "limit": 15,
                "text": "Nothing was received for 15 minutes.",
            }
        ]
    },
    "/external_api/v1/export": [
        {
            "service_code": _CODE,
            "name": "Home",
            "time": "2026-11-23T09:00:00+09:00",
            "fwd_int_power_kwh": 12357.25,
            "bwd_int_power_kwh": 0.549,
            "fwd_kwh": 0.25,
            "bwd_kwh": None,
            "quality": "meter",
            "origins": "inf E2",
        }
    ],
    "/external_api/v1/{kind}/{service_code}": [
        {"timestamp": "2026-11-20T00:00:00+09:00", "value": 12345.6},
        {"timestamp": "2026-11-20T00:30:00+09:00", "value": 12345.8},
    ],
}
_TEXTS = {
    "/external_api/v1/export": (
        "text/csv",
        "service_code,name,time,fwd_int_power_kwh,bwd_int_power_kwh,fwd_kwh,bwd_kwh,quality,"
        f"origins\r\n{_CODE},Home,2026-11-23T09:00:00+09:00,12357.25,0.549,0.25,,meter,inf E2\r\n",
    ),
    "/metrics": (
        "text/plain",
        "# HELP kenshin_gateway_last_seen last upload, UTC seconds\n"
        "# TYPE kenshin_gateway_last_seen gauge\n"
        f'kenshin_gateway_last_seen{{code="{_CODE}"}} {_T}\n',
    ),
    "/healthz": ("text/plain", "ok\n"),
}


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of `app`."""
    found = get_openapi(
        title=app.title,
        version=app.version,
        description="Values are integers: W, 0.1 A, 0.1 Wh; times are UTC seconds.",
        routes=app.routes,
    )
    components = cast(dict[str, Any], found.setdefault("components", {}))
    schemas = cast(dict[str, Any], components.setdefault("schemas", {}))
    for model in (wire.Upload, problems.ProblemDetails):
        schema = model.model_json_schema(ref_template=_REF)
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    components["securitySchemes"] = {
        "uploadToken": {"type": "http", "scheme": "bearer", "description": "one per gateway"},
        "apiKey": {
            "type": "http",
            "scheme": "basic",
            "description": "access key and secret; requests a minute are limited for each key",
        },
        "session": {"type": "apiKey", "in": "cookie", "name": access.COOKIE},
    }
    found["paths"]["/healthz"] = {"get": _healthz()}
    _illustrate(found["paths"])
    return found


def _healthz() -> dict[str, Any]:
    responses = problems.documented("unavailable")
    answers: dict[str, Any] = {str(status): each for status, each in responses.items()}
    answers["200"] = {
        "description": "it answers, and its database can be read",
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
    return {"summary": "Whether the server is well", "operationId": "health", "responses": answers}


def _illustrate(paths: dict[str, Any]) -> None:
    for path, example in EXAMPLES.items():
        for operation in paths[path].values():
            operation["responses"]["200"]["content"]["application/json"]["example"] = example
    for path, (media, text) in _TEXTS.items():
        for operation in paths[path].values():
            operation["responses"]["200"]["content"][media]["example"] = text

"""The `meterlab` command."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from meterlab.board import cli as board_cli
from meterlab.control import ControlError
from meterlab.demo import cli as demo_cli
from meterlab.metering import METERS
from meterlab.scenario import load, shipped
from meterlab.serve import Service, serve
from meterlab.swarm_cli import register as register_swarm
from meterlab.world import KINDS, Plan

app = typer.Typer(
    help="Smart meters, radio modules and boards that exist only on this PC.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


board_cli.register(app)
demo_cli.register(app)
register_swarm(app)


@app.command()
def scenarios() -> None:
    """The scenarios that --scenario takes by name."""
    for name in shipped():
        typer.echo(f"{name:16} {load(name).title}")


@app.command()
def module(
    link: Annotated[Path, typer.Option(help="Where to put the link to the terminal.")],
    rbid: Annotated[
        str,
        typer.Option("--id", envvar="METERLAB_ID", help="The meter's B-route ID, 32 characters."),
    ],
    password: Annotated[
        str,
        typer.Option(
            envvar="METERLAB_PASSWORD", help="The meter's B-route password, 12 characters."
        ),
    ],
    kind: Annotated[str, typer.Option(help="One of: " + ", ".join(KINDS) + ".")] = "bp35a1",
    seed: Annotated[
        int, typer.Option(help="The same seed makes the same world and draws the same faults.")
    ] = 0,
    fast: Annotated[bool, typer.Option("--fast", help="Shorten all waiting.")] = False,
    factor: Annotated[
        float | None, typer.Option(min=1, help="By how much; 10 with --fast alone.")
    ] = None,
    solar: Annotated[
        int | None, typer.Option(min=0, help="Watts at peak of cells on the roof.")
    ] = None,
    scenario: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="What goes wrong: a .toml file, or one of " + ", ".join(shipped()) + ".",
        ),
    ] = None,
    meter: Annotated[
        str | None, typer.Option(help="A meter like this: " + ", ".join(METERS) + ".")
    ] = None,
    lacks: Annotated[
        str, typer.Option(metavar="EPC,...", help="Properties it does not have, in hex.")
    ] = "",
    days: Annotated[
        int | None, typer.Option(min=0, max=99, help="Days of history that it keeps.")
    ] = None,
    d3: Annotated[bool | None, typer.Option("--d3/--no-d3", help="Has a coefficient.")] = None,
    reverse: Annotated[
        bool | None, typer.Option("--reverse/--no-reverse", help="Measures what is exported.")
    ] = None,
    ec: Annotated[
        bool | None, typer.Option("--ec/--no-ec", help="Has the history by slots.")
    ] = None,
    whole_amperes: Annotated[
        bool | None, typer.Option("--whole-amperes/--tenths", help="Of the currents.")
    ] = None,
    two_wire: Annotated[
        bool | None, typer.Option("--two-wire/--three-wire", help="Has no phase T.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="Unit code E1, in hex.")] = None,
    digits: Annotated[int | None, typer.Option(min=1, max=8, help="Effective digits D7.")] = None,
    neighbours: Annotated[
        int | None, typer.Option(min=0, max=9, help="Meters of other homes on the air.")
    ] = None,
    rssi: Annotated[
        int | None, typer.Option(max=0, help="Signal in dBm; -60 if not given.")
    ] = None,
    metres: Annotated[
        float | None, typer.Option(min=0, help="Distance, instead of --rssi.")
    ] = None,
    loss: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of datagrams lost each way.")
    ] = None,
    instant: Annotated[
        bool, typer.Option("--instant", help="Radio, meter and module answer at once.")
    ] = False,
    lifetime: Annotated[
        int | None, typer.Option(min=60, help="Session lifetime in s; a day if not given.")
    ] = None,
    echo: Annotated[bool | None, typer.Option("--echo/--no-echo", help="SFE after reset.")] = None,
    hex_data: Annotated[
        bool | None, typer.Option("--hex/--binary", help="State of WOPT at the start.")
    ] = None,
    paced: Annotated[bool, typer.Option("--paced/--unpaced", help="At the baud rate.")] = True,
    rxbuf: Annotated[
        int, typer.Option(min=16, help="Bytes kept for a host that is late.")
    ] = 4_096,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other setting, or a deed."),
    ] = None,
    control: Annotated[
        bool, typer.Option("--control", help="Take NAME VALUE lines from standard input.")
    ] = False,
) -> None:
    """A radio module with a meter behind it, on a pseudo terminal, until Ctrl-C.

    What is given here goes before what a scenario says.
    """
    try:
        told = load(scenario) if scenario else None
        base = METERS[_one_of("--meter", meter or "full", METERS)]
        plan = Plan(rbid, password, kind=kind, seed=seed, equipment=base)
        if told is not None:
            plan = told.furnish(plan)
            if meter:
                plan.equipment = base
        given = {
            "coefficient": None if d3 is None else 1,
            "unit": None if unit is None else _hex("--unit", unit),
            "digits": digits,
            "reverse": reverse,
            "slots": ec,
            "history_days": days,
            "whole_amperes": whole_amperes,
            "two_wire": two_wire,
        }
        changes: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
        if d3 is False:
            changes["coefficient"] = None
        if lacks:
            changes["lacks"] = frozenset(_hex("--lacks", epc) for epc in lacks.split(","))
        plan.equipment = replace(plan.equipment, **changes)
        for name, value in (
            ("solar", solar),
            ("echo", echo),
            ("hex_data", hex_data),
            ("neighbours", neighbours),
        ):
            if value is not None:
                setattr(plan, name, value)
        orders = list(told.orders) if told is not None else []
        if lifetime is not None:
            orders.append(f"conduct.lifetime_s {lifetime}")
        if metres is not None:
            orders.append(f"link.metres {metres}")
        elif rssi is not None:
            orders.append(f"link.rssi {rssi}")
        if loss is not None:
            orders.append(f"link.loss {loss}")
        if instant:
            orders += ["link.instant on", "quirks.prompt on"]
        service = Service(
            link,
            factor=factor or (10.0 if fast else 1.0),
            paced=paced,
            rxbuf=rxbuf,
            orders=[*orders, *(set_ or ())],
            control=control,
            faults=told.faults(seed, kind) if told is not None else (),
        )
        asyncio.run(serve(plan, service, typer.echo))
    except (ControlError, OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None


def _one_of(option: str, value: str, allowed: Iterable[str]) -> str:
    if value not in allowed:
        raise ValueError(f"{option}: {value!r} is not one of {', '.join(allowed)}")
    return value


def _hex(option: str, value: str) -> int:
    try:
        return int(value, 16)
    except ValueError:
        raise ValueError(f"{option}: {value!r} is not hexadecimal") from None

"""The `meterlab` command."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from meterlab.air import rssi_at
from meterlab.board import cli as board_cli
from meterlab.control import ControlError
from meterlab.demo import cli as demo_cli
from meterlab.metering import Equipment
from meterlab.serve import Service, serve
from meterlab.world import KINDS, Plan

app = typer.Typer(
    help="Smart meters, radio modules and boards that exist only on this PC.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


board_cli.register(app)
demo_cli.register(app)


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
    seed: Annotated[int, typer.Option(help="The same seed makes the same world.")] = 0,
    fast: Annotated[bool, typer.Option("--fast", help="Shorten all waiting.")] = False,
    factor: Annotated[
        float | None, typer.Option(min=1, help="By how much; 10 with --fast alone.")
    ] = None,
    solar: Annotated[int, typer.Option(min=0, help="Watts at peak of cells on the roof.")] = 0,
    d3: Annotated[bool, typer.Option("--d3/--no-d3", help="Has a coefficient.")] = True,
    reverse: Annotated[
        bool, typer.Option("--reverse/--no-reverse", help="Measures what is exported.")
    ] = True,
    ec: Annotated[bool, typer.Option("--ec/--no-ec", help="Has the history by slots.")] = True,
    whole_amperes: Annotated[bool, typer.Option("--whole-amperes")] = False,
    two_wire: Annotated[bool, typer.Option("--two-wire", help="No phase T.")] = False,
    unit: Annotated[str, typer.Option(help="Unit code E1, in hex.")] = "02",
    digits: Annotated[int, typer.Option(min=1, max=8, help="Effective digits D7.")] = 7,
    rssi: Annotated[int, typer.Option(max=0, help="Signal in dBm.")] = -60,
    metres: Annotated[
        float | None, typer.Option(min=0, help="Distance, instead of --rssi.")
    ] = None,
    loss: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of datagrams lost each way.")
    ] = None,
    instant: Annotated[
        bool, typer.Option("--instant", help="Radio, meter and module answer at once.")
    ] = False,
    lifetime: Annotated[int, typer.Option(min=60, help="Session lifetime in s.")] = 86_400,
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
    """A radio module with a meter behind it, on a pseudo terminal, until Ctrl-C."""
    try:
        plan = Plan(
            rbid,
            password,
            kind=kind,
            seed=seed,
            solar=solar,
            echo=echo,
            hex_data=hex_data,
            equipment=Equipment(
                coefficient=1 if d3 else None,
                unit=int(unit, 16),
                digits=digits,
                reverse=reverse,
                slots=ec,
                whole_amperes=whole_amperes,
                two_wire=two_wire,
            ),
        )
        plan.conduct.lifetime_s = lifetime
        plan.link.rssi = rssi if metres is None else rssi_at(metres)
        plan.link.loss_up = plan.link.loss_down = loss
        plan.link.instant = plan.quirks.prompt = instant
        service = Service(
            link,
            factor=factor or (10.0 if fast else 1.0),
            paced=paced,
            rxbuf=rxbuf,
            orders=set_ or (),
            control=control,
        )
        asyncio.run(serve(plan, service, typer.echo))
    except (ControlError, OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None

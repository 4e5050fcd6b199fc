"""`meterlab swarm`: the arrival curve of many gateways that come back together."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from meterlab.swarm import Plan, play, simulate


def register(app: typer.Typer) -> None:
    app.command()(swarm)


def swarm(
    gateways: Annotated[int, typer.Option(min=1, help="How many.")] = 10_000,
    away: Annotated[
        int, typer.Option(min=1, help="Seconds that the server was out of reach.")
    ] = 7200,
    power: Annotated[
        bool, typer.Option("--power", help="Not the server: all gateways' power came back.")
    ] = False,
    seconds: Annotated[int, typer.Option(min=1, help="How long to watch.")] = 1800,
    interval: Annotated[int, typer.Option(min=10, help="Seconds between uploads.")] = 60,
    rate: Annotated[
        int, typer.Option(min=1, help="Requests a second that the simulated server can do.")
    ] = 250,
    queue: Annotated[
        int | None, typer.Option(min=1, help="With so many waiting it says 503, Retry-After.")
    ] = None,
    retry_after: Annotated[int, typer.Option(min=1, help="Those seconds.")] = 30,
    naive: Annotated[
        bool, typer.Option("--naive", help="As if gateways waited by no rule, to compare.")
    ] = False,
    seed: Annotated[int, typer.Option(help="The same seed, the same curve.")] = 1,
    csv: Annotated[Path | None, typer.Option(help="Write the curve, a line a second.")] = None,
    url: Annotated[
        str | None, typer.Option(help="A real server, in real time; give fewer gateways.")
    ] = None,
    token: Annotated[
        str | None, typer.Option(envvar="METERLAB_TOKEN", help="Of a gateway there.")
    ] = None,
) -> None:
    """Many gateways come back together: how many requests arrive in which second?

    In simulated time, or with --url against a real server. The gateways wait as the firmware does.
    """
    plan = Plan(gateways, away, power, seconds, interval, rate, queue, retry_after, naive, seed)
    if url is None:
        curve = simulate(plan)
    elif not token:
        raise typer.BadParameter("--url needs --token")
    else:
        curve = asyncio.run(play(plan, url.rstrip("/"), token, typer.echo))
    for line in curve.lines(seconds):
        typer.echo(line)
    done = "not yet" if curve.current is None else f"after {curve.current} s"
    typer.echo(
        f"{sum(curve.arrived.values())} requests, at most {curve.peak()} in a second; "
        f"{curve.shed} told to wait, {curve.late} without an answer, "
        f"the slowest answer {curve.slowest / 1000:.1f} s; all up to date {done}"
    )
    if csv is not None:
        csv.write_text("\n".join(curve.csv(seconds)) + "\n", encoding="utf-8")

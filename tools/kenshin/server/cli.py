"""`kenshin server ...`: run the server, add and list gateways."""

import ipaddress
import json
import logging
import socket
import time
from typing import Annotated

import typer

from kenshin.server import (
    cli_alerts,
    cli_data,
    cli_people,
    gateways,
    people,
    queries,
    rollup,
    units,
)
from kenshin.server.cli_common import AsJson, Database, fail, opened, show

DEFAULT_PORT = 8000

app = typer.Typer(no_args_is_help=True, help="The power metering server.")
gateway_app = typer.Typer(no_args_is_help=True, help="Gateways: the boards that upload.")
app.add_typer(gateway_app, name="gateway")
app.add_typer(cli_people.user_app, name="user")
app.add_typer(cli_people.key_app, name="key")
app.add_typer(cli_people.settings_app, name="settings")
app.add_typer(cli_alerts.app, name="alerts")
for command in (cli_data.export, cli_data.import_, cli_data.backup, cli_data.doctor):
    app.command(command.__name__.rstrip("_"))(command)

GatewayName = Annotated[str, typer.Argument(help="Service code or name.")]


@app.command()
def run(
    db: Database = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 = every network of this machine.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 = any free one.")
    ] = DEFAULT_PORT,
    proxy: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Address of a proxy in front: what it says of the visitor's address and of "
            "HTTPS is believed.",
        ),
    ] = None,
    demo: Annotated[
        bool,
        typer.Option("--demo", help="Everybody on this machine may look, without logging in."),
    ] = False,
    private_hooks: Annotated[
        bool,
        typer.Option(
            "--private-hooks",
            help="The alerts' web-hook may go to private networks and to this machine.",
        ),
    ] = False,
) -> None:
    """Run the server until Ctrl-C."""
    # Only here: the other commands start in half the time without them.
    import uvicorn

    from kenshin.server.app import create_app
    from kenshin.server.heads import BoundedHeads
    from kenshin.server.service import Service

    with opened(db) as store:
        listener = _listen(host, port)
        if demo and not _is_loopback(host):
            fail("--demo lets everybody look: only with an address of this machine itself")
        if not _is_loopback(host) and not proxy:
            typer.echo(
                f"WARNING: listening on {host} without encryption: passwords and tokens can be "
                "read on the way. Good inside a home; elsewhere put a proxy with HTTPS in front.",
                err=True,
            )
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        config = uvicorn.Config(
            create_app(Service(store, open=demo, private_hooks=private_hooks)),
            log_level="warning",
            http=BoundedHeads,
            loop="auto",
            access_log=False,
            server_header=False,
            proxy_headers=proxy is not None,
            forwarded_allow_ips=proxy or "",
            timeout_keep_alive=75,  # longer than a gateway's upload interval
            timeout_graceful_shutdown=10,
        )
        where = _address(listener)
        typer.echo(f"kenshin server: {where}  database: {store}")
        with store.writing() as connection:
            link = None
            if not demo and not people.anybody(connection):
                link = people.invite(connection, None, int(time.time()))
        if link is not None:
            typer.echo(f"Nobody can log in yet. Once, within 7 days: {where}welcome/{link}")
        try:
            uvicorn.Server(config).run(sockets=[listener])
        except KeyboardInterrupt:
            typer.echo("kenshin server: stopped", err=True)


@gateway_app.command("add")
def gateway_add(
    name: Annotated[str, typer.Argument(help="What people call it, such as home.")],
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Create a gateway: prints its service code and, this once, its token."""
    with opened(db) as store, store.writing() as connection:
        added = gateways.add(connection, name, int(time.time()))
    # Only now is it committed: a token that is shown is a token that works.
    if as_json:
        typer.echo(json.dumps(added._asdict()))
        return
    typer.echo(f"Gateway     {added.name}")
    typer.echo(f"Code        {added.code}")
    typer.echo(f"Token       {added.token}")
    typer.echo("The token is not shown again. Give it to the board as server.token.")


@gateway_app.command("list")
def gateway_list(
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """List the gateways."""
    rows: list[queries.GatewayRow] = []
    with opened(db) as store, store.reading() as connection:
        while page := queries.gateways(connection, rows[-1].code if rows else "", 1000):
            rows += page
    nothing = "There is no gateway yet. Add one: kenshin server gateway add NAME"
    show(rows, as_json, _gateway, nothing)


def _gateway(row: queries.GatewayRow) -> str:
    seen = "never seen"
    if row.last_seen is not None:
        ago = int(time.time()) - row.last_seen
        seen = f"seen {units.rfc3339(row.last_seen)} ({ago} s ago)"
    return f"{row.code}  {row.name}  {row.stored} readings  {seen}"


@gateway_app.command("token")
def gateway_token(
    gateway: GatewayName,
    db: Database = None,
    overlap: Annotated[
        int, typer.Option(min=0, max=3650, help="Days that the old token still works.")
    ] = 7,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="End all tokens at once, and make none.")
    ] = False,
) -> None:
    """Make a new upload token, printed this once; or end all of them."""
    with opened(db) as store, store.writing() as connection:
        known = gateways.find(connection, gateway)
        if revoke:
            gateways.revoke(connection, known)
            token = None
        else:
            token = gateways.rotate(connection, known, int(time.time()), overlap * 86_400)
    if token is None:
        typer.echo(f"{known.code}  {known.name}: no token works any more")
    else:
        typer.echo(f"Token       {token}")
        typer.echo(f"The old one works for {overlap} more days. Give this to the board now.")


@gateway_app.command("edit")
def gateway_edit(
    gateway: GatewayName,
    db: Database = None,
    name: Annotated[str | None, typer.Option(help="A new name.")] = None,
    group: Annotated[str | None, typer.Option(help='Its group; "" = none.')] = None,
    zone: Annotated[str | None, typer.Option(help="Time zone of its days.")] = None,
    contract: Annotated[
        int | None, typer.Option(help="Amperes of the contract; 0 = not known.")
    ] = None,
) -> None:
    """Change a gateway's name, group, time zone or contract."""
    with opened(db) as store, store.writing() as connection:
        known = gateways.find(connection, gateway)
        gateways.edit(connection, known, name=name, group=group, zone=zone, contract=contract)
        if zone is not None:
            rollup.rezone(connection, known.id)
    typer.echo(f"{known.code}: changed")


@gateway_app.command("remove")
def gateway_remove(
    gateway: GatewayName,
    db: Database = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a gateway and all its readings."""
    with opened(db) as store:
        with store.reading() as connection:
            known = gateways.find(connection, gateway)
        if not yes:
            typer.confirm(f"Delete {known.code} {known.name} and all its readings?", abort=True)
        with store.writing() as connection:
            gateways.remove(connection, known)
    typer.echo(f"{known.code}: deleted")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(listener: socket.socket) -> str:
    """Where a browser, or a board, finds this server."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        # The address of this machine on its own network: the one a packet to outside would
        # carry. Connecting a datagram socket sends nothing.
        outside = "192.0.2.1" if listener.family == socket.AF_INET else "2001:db8::1"
        with socket.socket(listener.family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((outside, 9))
                host = probe.getsockname()[0]
            except OSError:  # no network now
                host = "127.0.0.1" if listener.family == socket.AF_INET else "::1"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _listen(host: str, port: int) -> socket.socket:
    # Bound before anything else starts, so that the address printed is one that answers.
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        fail(f"cannot listen on {host} port {port}: {error.strerror}")
    return listener

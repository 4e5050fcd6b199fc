"""`kenshin server ...`: run the server, add and list gateways."""

import ipaddress
import json
import logging
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, NoReturn

import typer

from kenshin.server import gateways, queries, units
from kenshin.server.store import Store, StoreError, Unavailable, database_url

DEFAULT_PORT = 8000

app = typer.Typer(no_args_is_help=True, help="The power metering server.")
gateway_app = typer.Typer(no_args_is_help=True, help="Gateways: the boards that upload.")
app.add_typer(gateway_app, name="gateway")

Database = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="URL",
        envvar="KENSHIN_DB",
        help="Database URL or SQLite file. Default: kenshin/kenshin.db in the user's data "
        "directory ($XDG_DATA_HOME, else ~/.local/share).",
        show_default=False,
    ),
]


def _fail(message: object) -> NoReturn:
    typer.echo(f"kenshin: {message}", err=True)
    raise typer.Exit(1)


@contextmanager
def _store(db: str | None) -> Generator[Store]:
    try:
        store = Store(database_url(db))
    except StoreError as error:
        _fail(error)
    try:
        yield store
    except Unavailable as error:
        _fail(f"{store}: {error.why}")
    finally:
        store.close()


@app.command()
def run(
    db: Database = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 = every network of this machine.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 = any free one.")
    ] = DEFAULT_PORT,
) -> None:
    """Run the server until Ctrl-C."""
    # Only here: the other commands start in half the time without them.
    import uvicorn

    from kenshin.server.app import create_app
    from kenshin.server.service import Service

    with _store(db) as store:
        listener = _listen(host, port)
        if not _is_loopback(host):
            typer.echo(
                f"WARNING: listening on {host}. There is no login yet: whoever reaches this "
                "machine's port can see all readings. Keep it inside your home network.",
                err=True,
            )
        logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        config = uvicorn.Config(
            create_app(Service(store)),
            log_level="warning",
            http="httptools",
            loop="auto",
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,  # longer than a gateway's upload interval
            timeout_graceful_shutdown=10,
        )
        typer.echo(f"kenshin server: {_address(listener)}  database: {store}")
        try:
            uvicorn.Server(config).run(sockets=[listener])
        except KeyboardInterrupt:
            typer.echo("kenshin server: stopped", err=True)


@gateway_app.command("add")
def gateway_add(
    name: Annotated[str, typer.Argument(help="What people call it, such as home.")],
    db: Database = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, for programs.")
    ] = False,
) -> None:
    """Create a gateway: prints its service code and, this once, its token."""
    with _store(db) as store:
        try:
            with store.writing() as connection:
                added = gateways.add(connection, name, int(time.time()))
        except gateways.GatewayError as error:
            _fail(error)
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
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON array, for programs.")
    ] = False,
) -> None:
    """List the gateways."""
    rows: list[queries.GatewayRow] = []
    with _store(db) as store, store.reading() as connection:
        while page := queries.gateways(connection, rows[-1].code if rows else "", 1000):
            rows += page
    if as_json:
        typer.echo(json.dumps([row._asdict() for row in rows], ensure_ascii=False))
        return
    if not rows:
        typer.echo("There is no gateway yet. Add one: kenshin server gateway add NAME")
    now = int(time.time())
    for row in rows:
        if row.last_seen is None:
            seen = "never seen"
        else:
            seen = f"seen {units.rfc3339(row.last_seen)} ({now - row.last_seen} s ago)"
        typer.echo(f"{row.code}  {row.name}  {row.stored} readings  {seen}")


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
        _fail(f"cannot listen on {host} port {port}: {error.strerror}")
    return listener

# What the gateway is made of, and who knows whom. Loaded once a run, and dropped.
import asyncio
import time

from echonet.dates import jst
from gateway import TRIAL, drop
from gateway.clock import EARLIEST, Clock
from gateway.console import Console
from gateway.log import Log
from gateway.network import Network, TimeKeeper
from gateway.outbox import Outbox
from gateway.repair import Repair
from gateway.session import Session
from gateway.status import Status
from gateway.store import Store
from gateway.supervisor import Supervisor
from gateway.uplink import Uplink
from micropython import const

_CAPACITY = const(48)  # readings kept in RAM: 24 minutes of polls at 30 s, if the flash fails
_LOG = const(1024)
_JST = const(32400)
_DAY = const(86400)


# Puts the parts into `app` and its tasks under supervision. See App for the arguments.
def assemble(app, board, outbox, clock, post, reader, write):
    app.board = board
    # An outbox with readings of unknown time must keep the clock these were taken by.
    if clock is None:
        clock = Clock(board) if outbox is None else outbox.clock
    app.clock = clock
    _built(board, clock)
    app.store = store = Store(board.nvs)
    app.log = log = Log(clock, _LOG)
    settings = app.settings
    log.secrets = settings.secrets
    app.status = status = Status(board, clock, log)
    new = outbox is None  # an empty one is false, and kept all the same
    if new:
        _note_start(board, store, log)
        outbox = Outbox(clock, store, _CAPACITY, board.root, count=status.count)
    outbox.count = status.count  # an earlier run's had another
    outbox.window = settings["outbox.window"]
    app.outbox = outbox
    clock.on_set = [app.fix]
    app.air = air = asyncio.Lock()
    app.network = network = Network(board, settings, clock, status, log)
    app.driver = None  # until it is known which module there is
    app.tuned = asyncio.Event()
    app.supervisor = sup = Supervisor(board, clock, log, status)
    app.session = air.session = Session(app)  # pyright: ignore[reportAttributeAccessIssue]
    sup.tend = app.session.tend  # pyright: ignore[reportAttributeAccessIssue]
    app.repair = repair = Repair(app)
    outbox.on_delivered = repair.delivered  # pyright: ignore[reportAttributeAccessIssue]
    app.uplink = Uplink(
        settings, clock, outbox, status, network, air, log, board, post, repair.want
    )
    status.attach("outbox", outbox.snapshot)
    status.attach("repair", repair.snapshot)
    status.attach("network", network.snapshot)
    sup.add("radio", app.radio)
    sup.add("meter", app.session.run)
    sup.add("network", network.run)
    sup.add("time", TimeKeeper(settings, clock, network, air, log).run)
    sup.add("uplink", app.uplink.run)
    app.console = Console(app, reader, write)
    # The mark itself is gone by now: this start is the only one that checks.
    app.console.trial = new and board.reset_cause().endswith(TRIAL)
    sup.add("console", app.console.run)
    for damage in (settings.damage, store.damage):
        if damage:
            log.error("%s", damage)
            status.count("flash.damaged")


# What keeps the gateway from its work. Settings that are damaged are as good as not set.
def judge(app, wrong):
    damage = app.settings.damage
    damage = damage + "; " if damage else ""
    if app.missing:
        text = damage + "not set: " + ", ".join(app.missing)
        app.status.problem("config", "missing-settings", text)
    elif wrong:
        app.status.problem("config", "wrong-settings", damage + wrong[0][1])


def _note_start(board, store, log):
    from gateway import resets

    try:
        resets.note(board, store.boot)
    except OSError as e:
        log.error("flash: why the board started was not kept (%s)", e)
    del resets
    drop("resets")


# Nothing can happen before this program was built: a board that lost its time begins there, so
# that certificates can be checked before anybody has told the time.
def _built(board, clock):
    built = EARLIEST
    try:
        with open(__file__.rsplit("/", 1)[0] + "/built.txt") as f:
            built = int(f.read())
        clock.floor = max(built - _DAY, EARLIEST)
    except (OSError, ValueError):
        pass  # not built, but run from its source
    if tuple(time.gmtime()[:6]) < jst(built - _JST):
        board.set_rtc(built)

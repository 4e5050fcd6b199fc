# Which radio module is it, and the driver for it. Loaded until that is known, and dropped.
import sys

from wisun import RadioError


async def tune(app):
    """Make `app.driver` for the module that answers. RadioError tells what was tried in vain.

    What answered is tried first the next time. The other protocol's code is never loaded.
    """
    from wisun import probe

    settings = app.settings
    protocols = ["skstack", "j11"]
    bauds = list(probe.BAUDS)
    for tried, value in zip((protocols, bauds), app.store.get("module", ())):
        if value in tried:
            tried.remove(value)
            tried.insert(0, value)
    kind = settings["radio.module"]
    if kind != "auto":
        protocols = ["j11" if kind == "j11" else "skstack"]
    if settings["radio.baud"]:
        bauds = [settings["radio.baud"]]
    board = app.board
    try:
        found = await probe.find(board.uart, app.clock, board.uart_baud, protocols, bauds)
    except RadioError as e:
        narrow = ""
        if kind != "auto":
            narrow = "radio.module is %s: try auto; " % kind
        if settings["radio.baud"]:
            narrow += "radio.baud is %d: try without; " % settings["radio.baud"]
        raise RadioError("%s%s%s" % (narrow, e, _pins(board.uart)))
    finally:
        del probe
        if sys.modules.pop("wisun.probe", None):
            delattr(sys.modules["wisun"], "probe")
    app.log.info("radio: %s at %d baud", *found)
    try:
        app.store.set("module", list(found))
    except OSError as e:
        app.log.error("flash: which module it is was not kept (%s)", e)
    if found[0] == "j11":
        from wisun.j11 import J11 as Driver
    else:
        from wisun.skstack import SkStack as Driver
    session = app.session
    app.driver = Driver(board.uart, app.clock, app.log, session.datagram, session.event)
    app.tuned.set()


# Where our ends of the line are, as the chip's own UART tells it: ", tx=17, rx=16".
def _pins(uart):
    text = str(getattr(uart, "port", ""))
    at = text.find(", tx=")
    return text[at : text.find(",", text.find("rx="))] if at >= 0 else ""

# Ethernet, from the table of a board (see generic.py). Loaded to make the interface, then dropped.
# Never tried on a real board.
import machine
import network
from machine import Pin


def make(lan):
    """The network.LAN of the table `lan`; other entries are its arguments as they are."""
    args = dict(lan)
    args["phy_type"] = getattr(network, "PHY_" + args.pop("phy"))
    spi = args.pop("spi", None)
    if spi:
        number, sck, mosi, miso = spi
        args["spi"] = machine.SPI(number, sck=Pin(sck), mosi=Pin(mosi), miso=Pin(miso))
    for name in ("mdc", "mdio", "power", "reset", "cs", "int", "ref_clk"):
        if name in args:
            args[name] = Pin(args[name])
    return network.LAN(0, **args)  # pyright: ignore[reportCallIssue]  stubs of another port

# What is done about the link to the house's network, and told of it: each function is loaded for
# one call by the network task, a Network, and dropped.

# What the link's why() means to the owner.
_WORDS = {
    "no-wifi": "Wi-Fi %s is not in sight: is the name right, and 2.4 GHz on?",
    "wrong-key": "Wi-Fi %s does not take the password: check wifi.key",
    "no-cable": "%s is not plugged in, or what is at its other end is off",
    "no-address": "%s is there, but the router gives no address",
}


# Keys of settings, in the order in which the owner prefers the networks.
_NETWORKS = ("wifi", "wifi2", "wifi3")


def begin(network):
    """Connect: to the first network, or to the next one when that was tried."""
    s = network.settings
    net = network.net
    hostname = s["net.hostname"] or "kenshin-" + network.board.unique_id()[-2:].hex()
    try:
        net.up(hostname, s["wifi.country"])
        _address(network)
        which = _which(network, net.turn)
        if net.join(s[which + ".ssid"], s[which + ".key"]):
            net.turn += 1
    except (OSError, RuntimeError) as e:
        # The driver is busy or out of memory; a later try or kick begins anew.
        network.log.warn("network: %s", e)


def kick(network):
    """Connect anew, from the very beginning."""
    network.status.count("network.kick")
    network.log.warn("network: nothing gets through; connecting anew")
    try:
        network.net.kick()
    except (OSError, RuntimeError) as e:
        network.log.warn("network: %s", e)
    begin(network)


def arrive(network):
    """The link is up, and steady."""
    # The name server is one setting for all links; a lease of before may have taken it.
    s = network.settings
    net = network.net
    if s["net.mode"] == "static" and s["net.dns"] != net.address()[3]:
        _address(network)
    net.turn = 0
    network.log.info("network: up at %s, %s dBm", net.address()[0], net.rssi())
    network.status.clear("network")


def tell(network):
    """Why the link is not up."""
    net = network.net
    why = net.why()
    text = _WORDS.get(why, "%s: not up")
    if net.kind != "wifi":
        text %= "the cable"
    else:
        which = _which(network, net.turn - 1)
        text = text.replace("wifi.key", which + ".key") % network.settings[which + ".ssid"]
    network.status.problem("network", why, text)


# -> "wifi", "wifi2" or "wifi3"
def _which(network, turn):
    names = [name for name in _NETWORKS if network.settings[name + ".ssid"]] or ["wifi"]
    return names[turn % len(names)]


def _address(network):
    s = network.settings
    if s["net.mode"] == "static":
        network.net.static(s["net.ip"], s["net.mask"], s["net.gateway"], s["net.dns"])
    else:
        network.net.dhcp()

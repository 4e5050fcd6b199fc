"""What the ways to send share."""

import ipaddress


class NotSent(Exception):
    """A message was not sent; the text says why, and holds no secret."""


def is_loopback(host: str) -> bool:
    """Whether it is this machine itself."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False

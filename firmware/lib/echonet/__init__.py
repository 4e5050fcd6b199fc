# ECHONET Lite as far as a smart meter and its controller speak it. Pure: bytes in, integers out.


class EchonetError(ValueError):
    """What was received or asked for is not ECHONET Lite. The text says what and where."""

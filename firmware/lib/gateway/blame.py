# What to tell the owner when the meter could not be joined, or is not the one it was. Loaded for
# one sentence, and dropped.
from micropython import const

_TOO_FAR = const(-88)  # dBm, the guideline's limit
_PROOF = const(3)  # refusals in good reception before the password is doubted
_SOON = const(600)  # s; a session that the meter ends before has hardly begun


def emptiness(status, others):
    """No beacon of our meter, but those of `others`, if any."""
    if others:
        status.problem(
            "config",
            "wrong-id",
            "a meter is near but none answers to this broute.id: check its last 8 characters",
        )
    else:
        status.clear("config")
        status.problem(
            "radio", "no-beacon", "no meter heard: move nearer to it or check the antenna"
        )


def refusal(status, refused, pan):
    """The meter refused, for the so-manyth time in a row."""
    # Wrong password: heard well, refused again and again. One refusal proves nothing: a meter
    # refuses too while it still holds the session of before a restart.
    # Whom it has let in before, it refuses for another reason.
    known = status.counters.get("joined")
    if not known and refused >= _PROOF and pan.rssi is not None and pan.rssi >= _TOO_FAR:
        status.problem(
            "config",
            "wrong-password",
            "the meter is near (%d dBm) but refused %d times: check broute.password, and the "
            "first 24 characters of broute.id" % (pan.rssi, refused),
        )
    else:
        detail = "the meter refused to join, trying again (%d)" % refused
        if known and refused >= _PROOF:
            detail += "; perhaps another controller has it"
        status.problem("radio", "join-refused", detail)


def silence(status, pan):
    """The join came to no end."""
    if pan.rssi is None:
        detail = "the remembered meter does not answer, trying again"
        status.problem("radio", "join-timeout", detail)
    else:
        detail = "the meter was heard (%d dBm) but does not answer: move nearer" % pan.rssi
        status.problem("radio", "too-far", detail)


def robbed(memory, status, now):
    """How many sessions in a row did the meter end soon? Then another controller wants it, too,
    and each would take it from the other all day long."""
    joined, n = memory.since
    if memory.cause == 0x26 and now - joined < _SOON:
        n += 1
        detail = "the meter ended the session soon (%d): perhaps another controller wants it" % n
        status.problem("radio", "link-lost", detail)
    else:
        n = 0
    memory.since = joined, n
    return n


def exchanged(app):
    """Nothing that was learned of the meter before holds for this one, its unit least of all."""
    app.log.warn("meter: it is another one than before")
    memory = app.session
    memory.map = memory.constants = None
    memory.newest = {}
    memory.pending = []
    memory.ring = []
    repair = app.repair
    repair.at = repair.job = repair.skew = None
    repair.stage = 0
    app.store.set("history", None)

# What is done next about a meter that does not answer, and after which pause: all of it is in the
# tables here, which docs/reconnect.md shows. Loaded for one attempt to join; the numbers it goes
# by are a list that outlives it.
from micropython import const

# "retry" asks the meter once more, within the session; "wait" only waits for the budget; "setup"
# finds the module, and hands it the credentials; "join" the PAN at hand; "scan" all channels;
# "reset" by command; "pin", "power" by these, where a board has them; "board" the board itself. A
# step that needs it begins with a setup. "climb": see CLIMB.
STEPS = ("setup", "join", "scan", "reset", "pin", "power", "board", "retry", "wait")

# (state, cause, failures, step, next state): what is done when a cause has been met in a state
# after so many failures in a row of whatever cause, or more; of several the last one counts. 0: no
# failure, and the step follows at once. The module's are counted by themselves, in whatever state,
# since the last climb.
TABLE = (
    # In a session. The talking side does the retries, for this table is not loaded then.
    ("talk", "start", 1, "join", "known"),
    ("talk", "silent", 1, "retry", "talk"),  # acknowledged, but not answered
    ("talk", "silent", 6, "join", "known"),
    ("talk", "unsent", 1, "retry", "talk"),  # sent, but not acknowledged
    ("talk", "unsent", 6, "join", "known"),
    ("talk", "limited", 1, "wait", "talk"),  # the hourly transmit budget is used up
    ("talk", "expired", 1, "join", "known"),  # and not renewed in time
    ("talk", "closed", 1, "join", "known"),  # by the meter
    ("talk", "reboot", 1, "setup", "dead"),  # of the module
    ("talk", "torn", 1, "retry", "talk"),  # half a datagram lies in the module
    ("talk", "torn", 2, "setup", "dead"),
    ("talk", "torn", 4, "climb", "seek"),
    ("talk", "module", 1, "retry", "talk"),  # it refused a command, or left it unanswered
    ("talk", "module", 2, "setup", "dead"),
    ("talk", "module", 4, "climb", "seek"),
    # Joining with the PAN that is remembered.
    ("known", "no-pan", 0, "scan", "seek"),
    ("known", "joined", 1, "retry", "talk"),
    ("known", "refused", 1, "join", "known"),
    ("known", "refused", 3, "scan", "seek"),
    ("known", "no-join", 1, "join", "known"),  # it came to no end in 60 s
    ("known", "no-join", 2, "scan", "seek"),
    ("known", "limited", 1, "wait", "known"),
    ("known", "limited", 90, "climb", "seek"),
    ("known", "module", 1, "setup", "dead"),
    ("known", "module", 3, "climb", "seek"),
    # Looking for the meter on all channels.
    ("seek", "heard", 0, "join", "fresh"),
    ("seek", "no-beacon", 1, "scan", "seek"),
    ("seek", "no-beacon", 4, "climb", "seek"),
    ("seek", "limited", 1, "wait", "seek"),
    ("seek", "limited", 90, "climb", "seek"),
    ("seek", "module", 1, "setup", "dead"),
    ("seek", "module", 3, "climb", "seek"),
    # Joining with a PAN that was just heard.
    ("fresh", "joined", 1, "retry", "talk"),
    ("fresh", "refused", 1, "join", "fresh"),
    ("fresh", "refused", 5, "climb", "seek"),
    ("fresh", "no-join", 1, "join", "fresh"),
    ("fresh", "no-join", 2, "climb", "seek"),
    ("fresh", "limited", 1, "wait", "fresh"),
    ("fresh", "limited", 90, "climb", "seek"),
    ("fresh", "module", 1, "setup", "dead"),
    ("fresh", "module", 3, "climb", "seek"),
    # The module does not answer.
    ("dead", "found", 0, "join", "known"),
    ("dead", "module", 1, "climb", "dead"),
)

# The rungs that a climb takes in turn; and every so many climbs the board's reset: about once an
# hour with a dead module, a day without a meter.
CLIMB = {"seek": ("reset", "pin", "power"), "dead": ("pin", "power")}
LAST = {"seek": 60, "dead": 60}

# Seconds before a step, growing from attempt to attempt. A fifth is added by a die: a street's
# gateways must not rejoin in step. They begin anew when it is heard. Haste harms no dead module.
PAUSES = (0, 10, 20, 40, 80, 160, 200)
PAUSES_DEAD = (0, 0, 10, 20, 40)
WAIT = const(60)

# Joins trouble the meter: there are at most so many in the first silent hour, and within an hour
# after that. They keep apart, twice as far where the last look heard no beacon. What the hour has
# to spare is for joins that come sooner: some at first; when a meter is heard where none was; and
# after so many refusals, for it may be back, and clearing away the old session.
MOST = const(15)
MOST_LATER = const(12)
QUICK = const(4)
QUICK_LATER = const(2)
APART = const(360)  # s
LOOK = const(60)  # s; how often its channel is listened to meanwhile
REFUSALS = const(3)
HOUR = const(3600)
UNSEEN = const(600)  # s; how long before it is noticed a silence may have begun

_STATE = const(0)
_FAILED = const(1)  # failures in a row in this state
_PAUSE = const(2)  # index of the next pause
_RUNG = const(3)  # climbs so far
_SINCE = const(4)  # s: when the silence began
_STEP = const(5)  # the step that is due
_REFUSED = const(6)  # so often in a row that was the failure
_DUE = const(7)  # s: when it is
_HEARD = const(8)  # whether the last look heard a beacon
_BROKEN = const(9)  # the module's failures
_HASTE = const(10)  # and its next pause
_JOINS = const(11)  # s: the last joins, the newest last
_STATES = ("talk", "known", "seek", "fresh", "dead")


def fresh(now, pause=0):
    """The numbers of a silence that begins: kept till the meter answers."""
    return [0, 0, pause, 0, now, 0, 0, now, 1, 0, 0] + [now - HOUR] * MOST


class Ladder:
    """The way through one silence. `memory`: see fresh; times are in s."""

    def __init__(self, memory):
        self._memory = memory

    @property
    def state(self):
        return _STATES[self._memory[_STATE]]

    @property
    def failures(self):
        """In a row, in this state."""
        return self._memory[_FAILED]

    @property
    def step(self):
        """The step that is due."""
        return STEPS[self._memory[_STEP]]

    def early(self, now):
        """Seconds that a join is kept waiting yet; 0: it need not wait."""
        return max(self._memory[_DUE] - now, 0)

    def looked(self, heard, now):
        """Remember what a look came to -> is the meter back, to be joined early?"""
        memory = self._memory
        back = heard and not memory[_HEARD]
        memory[_HEARD] = heard
        if not back:
            return False
        wait = self._apart(now, True)
        memory[_DUE] = min(memory[_DUE], now + wait)
        return not wait

    def lost(self):
        """The session has ended, or there was none."""
        self._memory[_STATE] = 0

    def joins(self, now):
        """Remember that a join begins."""
        self._memory.pop(_JOINS)
        self._memory.append(now)

    def spared(self):
        """The join remembered last was none: the module failed before it asked the meter."""
        self._memory.pop()
        self._memory.insert(_JOINS, self._memory[_JOINS])

    def next(self, cause, now, die):
        """What to do about the cause that the last step met -> (step, ms to wait before it).

        `die`: 0 to 255.
        """
        memory = self._memory
        state = self.state
        # Who talked has made the retries.
        talk = state == "talk"
        if cause == "module" or cause == "torn":
            memory[_BROKEN] += 1
            count = memory[_BROKEN] + talk
        else:
            count = 99 if talk else memory[_FAILED] + 1
        row = find(state, cause, count)
        step, goal = row[3:]
        good = row[2] == 0
        if step == "climb":
            step = self._climb(goal)
            memory[_FAILED] = memory[_BROKEN] = 0
        elif good or goal != state:
            memory[_FAILED] = 0
        else:
            memory[_FAILED] += 1
        back = cause == "heard" and not memory[_HEARD]
        if cause == "heard" or cause == "no-beacon":
            memory[_HEARD] = good
        elif cause == "refused":
            memory[_REFUSED] += 1
            if memory[_REFUSED] <= REFUSALS:
                back = True
                memory[_PAUSE] = 1
        elif not good:
            memory[_REFUSED] = 0
        memory[_STATE] = _STATES.index(goal)
        memory[_STEP] = STEPS.index(step)
        if step == "wait":
            ms = WAIT * 1000
        elif good:
            ms = 0
            # A module that was found proves nothing: the pauses stay.
            if cause == "heard" or not memory[_PAUSE]:
                memory[_PAUSE] = 1
        else:
            which, pauses = (_HASTE, PAUSES_DEAD) if goal == "dead" else (_PAUSE, PAUSES)
            ms = pauses[min(memory[which], len(pauses) - 1)] * 1000
            memory[which] += 1
            ms += ms * die // 1280
        if goal == "known" or goal == "fresh":
            ms = max(ms, self._apart(now, back) * 1000)
        memory[_DUE] = now + ms // 1000
        return step, ms

    def _climb(self, goal):
        memory = self._memory
        rung = memory[_RUNG]
        memory[_RUNG] += 1
        if rung % LAST[goal] == LAST[goal] - 1:
            return "board"
        return CLIMB[goal][rung % len(CLIMB[goal])]

    # Seconds until one more join may begin: none when it may come soon, and the hour to come can
    # do without it when all after it keep apart. What was in the first hour is not the second's.
    def _apart(self, now, back):
        memory = self._memory
        end = memory[_SINCE] + HOUR
        joins = [t for t in memory[_JOINS:] if now - t < HOUR]
        soon = back or len(joins) < (QUICK if now < end else QUICK_LATER)
        for t in range(now, now + HOUR, APART):
            joins.append(t)
            first, most = (0, MOST) if t < end else (max(t - HOUR + 1, end - UNSEEN), MOST_LATER)
            soon = soon and sum([old >= first for old in joins]) <= most
        if soon:
            return 0
        return max(memory[-1] + (APART if memory[_HEARD] else 2 * APART) - now, 0)


def find(state, cause, failures):
    """The row of the TABLE. KeyError when it has none."""
    found = None
    for row in TABLE:
        if row[0] == state and row[1] == cause and row[2] <= failures:
            found = row
    if found is None:
        raise KeyError("%s in %s" % (cause, state))
    return found

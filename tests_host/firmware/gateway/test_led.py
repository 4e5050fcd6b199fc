# The lamp's patterns are data, and so are the demands on them.
from gateway.led import PATTERNS

# One for each state that has to be told apart; "off" is for a stopped gateway.
NEEDED = "ok too-far config joining meter network server fault safe".split()


def flashes(times):
    return [times[i] for i in range(0, len(times), 2)]


def pauses(times):
    return [times[i] for i in range(1, len(times), 2)]


# What an eye takes in of a rhythm: how many flashes, which of them are long, and the pace.
# -> (flashes, their lengths in two classes, length of a round in octaves)
def look(times):
    if not times:
        return "steady"
    lengths = ""
    for ms in flashes(times):
        lengths += "short " if ms <= 300 else "long "
    pace = 0
    while 250 << pace < sum(times):
        pace += 1
    return (len(times) // 2, lengths, pace)


def flashes_within_a_second(times):
    starts = []
    t = 0
    for _ in range(20):
        for i, ms in enumerate(times):
            if i % 2 == 0:
                starts.append(t)
            t += ms
    return max(len([s for s in starts if first <= s < first + 1000]) for first in starts)


def test_every_state_has_a_pattern():
    assert sorted(PATTERNS) == sorted(NEEDED + ["off"])


def test_steady_is_ok_and_double_blink_is_too_far():
    assert PATTERNS["ok"][1] == ()
    far = PATTERNS["too-far"][1]
    assert len(far) == 4 and far[0] == far[2] and far[3] > 3 * far[1]


def test_colour_and_rhythm_tell_all_apart():
    assert len(set(PATTERNS.values())) == len(PATTERNS)


def test_rhythm_alone_tells_all_apart():
    seen = {}
    for name in NEEDED:
        rhythm = look(PATTERNS[name][1])
        assert rhythm not in seen, (name, seen[rhythm])
        seen[rhythm] = name


def test_the_eye_of_the_test_is_not_too_sharp():
    # Small differences are none, large ones are.
    assert look((150, 200, 150, 900)) == look((180, 180, 180, 800))
    assert look((150, 200, 150, 900)) != look((150, 200, 150, 200, 150, 900))
    assert look((150, 900)) != look((900, 150))
    assert look((180, 180)) != look((800, 800))


def test_flashes_in_a_row_can_be_counted():
    for name, (_, times) in PATTERNS.items():
        if len(times) > 2:
            assert times[-1] >= 2 * max(pauses(times)[:-1]), name


def test_rhythms_can_be_played_and_do_not_flicker():
    for name, (_, times) in PATTERNS.items():
        assert len(times) % 2 == 0, name
        if times:
            assert min(times) >= 100, name
            assert sum(times) <= 3000, name  # seen within two rounds of looking
            assert flashes_within_a_second(times) <= 3, name


def test_only_off_is_dark_and_none_dazzles():
    for name, (colour, _) in PATTERNS.items():
        assert len(colour) == 3 and 0 <= min(colour) and max(colour) <= 48, name
        assert (max(colour) == 0) == (name == "off"), name
    assert PATTERNS["off"][1] == ()

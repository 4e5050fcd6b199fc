from echonet_fuzz import fuzz_frames, fuzz_values


# A short run on each Python; the long one is in host_fuzz.py.
def test_mutated_frames():
    good = fuzz_frames(1000, seed=1)
    assert 100 < good < 900


def test_mutated_values():
    good = fuzz_values(1000, seed=1)
    assert 100 < good < 900

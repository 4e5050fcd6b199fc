from echonet.meter import Scale

# 0.1 Wh per count by unit code (Appendix Release R, property E1).
UNITS = {
    0x00: 10_000,
    0x01: 1_000,
    0x02: 100,
    0x03: 10,
    0x04: 1,
    0x0A: 100_000,
    0x0B: 1_000_000,
    0x0C: 10_000_000,
    0x0D: 100_000_000,
}


def test_every_unit_code():
    for code in range(256):
        scale = Scale(None, code, 6)
        assert scale.known == (code in UNITS)
        assert scale.energy(7) == (7 * UNITS[code] if code in UNITS else None)


def test_examples_of_the_reference():
    assert Scale(1, 0x01, 6).energy(47575) == 47_575_000  # 4757.5 kWh
    assert Scale(None, 0x02, 7).energy(1_575_631) == 157_563_100  # 15,756.31 kWh
    assert Scale(20, 0x00, 6).energy(100) == 20_000_000  # 2000 kWh


def test_absent_coefficient_is_one():
    assert Scale(None, 0x01, 6).count == Scale(1, 0x01, 6).count == 1000


def test_impossible_coefficient_gives_no_energy():
    for coefficient in (0, 1_000_000, 0xFFFFFFFE):
        scale = Scale(coefficient, 0x01, 6)
        assert not scale.known
        assert scale.energy(1) is None
        assert scale.delta(1, 2) is None


def test_absent_unit_gives_no_energy():
    scale = Scale(1, None, 6)
    assert not scale.known
    assert scale.energy(47575) is None


def test_zero_is_a_value_and_none_is_none():
    scale = Scale(1, 0x01, 6)
    assert scale.energy(0) == 0
    assert scale.energy(None) is None
    assert scale.delta(5, 5) == 0
    assert scale.delta(None, 5) is None
    assert scale.delta(5, None) is None


def test_largest_energy_is_exact():
    assert Scale(999_999, 0x0D, 8).energy(99_999_999) == 9_999_989_900_000_100_000_000


def test_delta_forward():
    assert Scale(1, 0x02, 7).delta(1_575_631, 1_575_640) == 900
    assert Scale(30, 0x01, 6).delta(0, 999_999) == 30 * 999_999_000


def test_roll_over_at_every_number_of_digits():
    for digits in range(1, 9):
        turn = 10**digits
        assert Scale(1, 0x04, digits).delta(turn - 1, 0) == 1
        assert Scale(3, 0x01, digits).delta(turn - 1, 0) == 3000


def test_roll_over_with_a_step():
    scale = Scale(1, 0x01, 6)
    assert scale.delta(999_990, 7) == 17_000
    assert scale.delta(900_000, 0) == 100_000_000  # a tenth of the range


def test_a_larger_step_back_is_another_meter():
    scale = Scale(1, 0x01, 6)
    assert scale.delta(899_999, 0) is None
    assert scale.delta(47575, 47574) is None
    assert scale.delta(600_000, 12) is None


def test_without_digits_a_step_back_is_unknown():
    for digits in (None, 0, 9, 255):
        scale = Scale(1, 0x01, digits)
        assert scale.delta(999_999, 0) is None
        assert scale.delta(999_998, 999_999) == 1000


def test_counter_beyond_its_digits():
    assert Scale(1, 0x01, 6).delta(1_000_005, 1_000_006) == 1000
    assert Scale(1, 0x01, 6).delta(1_500_000, 0) is None
    assert Scale(1, 0x01, 6).delta(1_000_005, 5) is None

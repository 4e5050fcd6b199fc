"""What the benchmarks make of what they are told: lines of a board, counts of a wire, tables."""

from __future__ import annotations

from typing import cast

import pytest

from bench import frames, gateway_memory, machine, radio, report
from bench.board_run import House, Order, Run, Sample, read, threshold
from bench.report import Section, Table
from meterlab.runtimes import Runtime

CONSOLE = """\
= free 98304
= loaded 84848
mem: total=363967, current=279700, peak=279780
stack: 3584 out of 40000
GC: total: 269568, used: 184736, free: 84832
 No. of 1-blocks: 1718, 2-blocks: 433, max blk sz: 900, max free sz: 5165
Kenshin 0.1.0 on generic. Type help; Ctrl-C stops and gives the Python prompt.
= heap 100 57744 66352
mem: total=1935595, current=1217313, peak=1217365
stack: 5232 out of 40000
GC: total: 269568, used: 203248, free: 66320
 No. of 1-blocks: 2021, 2-blocks: 516, max blk sz: 900, max free sz: 3292
16:34:12  running  1266 W  6.9+6.0 A  14327.8 kWh  -61 dBm good  queue 15  sent 2426
= heap 200 66900 66240
mem: total=3098227, current=1868897, peak=1868949
stack: 5232 out of 40000
GC: total: 269568, used: 203360, free: 66208
 No. of 1-blocks: 2025, 2-blocks: 517, max blk sz: 900, max free sz: 3290
= count poll.ok 200
= count uploaded 159
= end
= heap 300 1 1
"""


def test_a_run_is_read_up_to_its_end() -> None:
    run = read(CONSOLE.splitlines(), 16)
    assert run.trouble is None
    assert (run.free, run.loaded) == (98_304, 84_848)
    assert run.samples == [
        Sample(100, 66_352, 3292 * 16, 57_744),
        Sample(200, 66_240, 3290 * 16, 66_240),
    ]
    assert run.counters == {"poll.ok": 200, "uploaded": 159}


def test_a_run_without_end_tells_why() -> None:
    lines = CONSOLE.partition("= heap 200")[0].splitlines()
    assert read(lines, 16).trouble == "stopped after 100 polls: no sign of life"
    lines.append("NameError: name 'drop' isn't defined")
    assert read(lines, 16).trouble == (
        "stopped after 100 polls: NameError: name 'drop' isn't defined"
    )


def test_a_run_ends_where_the_memory_does_not_suffice() -> None:
    head, _, tail = CONSOLE.partition("= heap 200")
    error = "uplink: MemoryError: memory allocation failed, allocating 512 bytes"
    for stamp in ("", "+12s E ", "11-20 12:34:56 E "):
        run = read(f"{head}{stamp}{error}\n= heap 200{tail}".splitlines(), 16)
        assert run.trouble == f"stopped after 100 polls: {error}"
        assert len(run.samples) == 1


def test_the_collector_is_set_as_in_main() -> None:
    main = "import gc\n\ngc.threshold(4_096)  # before anything is loaded\n\nimport gateway\n"
    assert threshold(main) == "gc.threshold(4_096)"
    with pytest.raises(ValueError, match=r"main\.py"):
        threshold("import gateway\n")


def _samples(free: list[int]) -> list[Sample]:
    return [Sample(500 + 100 * i, f, 1_000, f) for i, f in enumerate(free)]


def test_a_leak_is_growth() -> None:
    samples = _samples([50_000 - 16 * i for i in range(30)])
    assert gateway_memory.growth(samples) == pytest.approx(160)


def test_what_is_under_way_and_what_is_lost_once_is_no_growth() -> None:
    busy = [48_900 if i % 3 == 1 else 50_000 for i in range(30)]
    assert gateway_memory.growth(_samples(busy)) == 0
    for at in range(31):
        once = [50_000] * at + [49_700] * (30 - at)
        assert gateway_memory.growth(_samples(once)) == 0


def test_two_samples_are_too_few() -> None:
    with pytest.raises(ValueError, match="too few"):
        gateway_memory.growth(_samples([1, 1]))


class _House:
    """Gateways that need so many bytes."""

    def __init__(self, need: int) -> None:
        self.need = need
        self.tried: list[int] = []

    def run(self, runtime: Runtime, heap: int, order: Order, seconds: float) -> Run:
        self.tried.append(heap)
        return Run(free=heap, trouble=None if heap >= self.need else "MemoryError")


@pytest.mark.parametrize("need", [83_000, 92_160, 92_161, 110_000, 131_072])
def test_the_smallest_heap_is_found(need: int) -> None:
    house = _House(need)
    fits = Run(free=131_072, samples=[Sample(300, 50_000, 9_000, 40_000)])
    runtime = Runtime("none", (), "1.25.0", 32)
    heap = gateway_memory.smallest(cast(House, house), runtime, 131_072, fits)
    assert need <= heap < need + gateway_memory.STEP
    assert 131_072 not in house.tried
    assert len(house.tried) == len(set(house.tried)) <= 6


def test_the_wire_is_counted_from_one_line_to_another() -> None:
    first = radio.parse('{"answers": 50, "received": 4271, "sent": 13965, "s": 100.5}')
    last = radio.parse('{"answers": 150, "received": 12271, "sent": 39665, "s": 103.5}')
    assert radio.parse("ready on /dev/pts/1") is None
    assert first is not None and last is not None
    assert radio.rate(first, last) == pytest.approx((100 / 3, 337, 33_700 / 3))
    with pytest.raises(ValueError, match="nothing was answered"):
        radio.rate(first, first)


def test_codec_lines() -> None:
    lines = [
        '{"runtime": "micropython 1.25.0, 32 bits", "case": "parse", "us": 1.5, "bytes": 0.0}',
        '{"runtime": "cpython 3.11.7, 64 bits", "case": "parse", "us": 1.0, "bytes": null}',
    ]
    rows = frames.parse(["noise", *lines])
    assert [(row.us, row.bytes) for row in rows] == [(1.5, 0.0), (1.0, None)]
    assert [frames.title(row.runtime) for row in rows] == ["MicroPython 32-bit", "CPython 64-bit"]


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        ("processor\t: 0\nmodel\t\t: 2\nmodel name\t: AMD  EPYC\nflags\t: fpu\n", "AMD EPYC"),
        ("processor\t: 0\nBogoMIPS\t: 108\n\nModel\t\t: Raspberry Pi 4\n", "Raspberry Pi 4"),
        ("processor\t: 0\n", None),
    ],
)
def test_the_name_of_the_processor(cpuinfo: str, name: str | None) -> None:
    assert machine.model(cpuinfo) == name


def test_a_busy_machine_is_told() -> None:
    assert machine.busy(0.4, 2) is None
    assert "12.1 on average" in (machine.busy(12.14, 2) or "")
    assert machine.busy(1.5, 8) is None


def test_a_section_as_text_and_as_a_page() -> None:
    table = Table("Speed", "Measured by a clock.", ("what", "per second", "note"))
    table.add("a | b", "1,000", "")
    table.add("c", "7", "slow")
    section = Section([table], ["speed: too slow"])
    assert report.text(section).splitlines() == [
        "Speed",
        "",
        "  what   per second  note",
        "  a | b       1,000",
        "  c               7  slow",
        "",
        "MISSED: speed: too slow",
    ]
    page = report.markdown([section], ["a processor"])
    assert "was to be reached" in page
    assert "was to be reached" not in report.markdown([Section([table])], ["a processor"])
    assert "* a processor\n" in page
    assert "* speed: too slow\n" in page
    assert (
        "## Speed\n\nMeasured by a clock.\n\n| what | per second | note |\n|---|---:|---:|" in page
    )
    assert "| a \\| b | 1,000 |  |\n| c | 7 | slow |\n" in page
    with pytest.raises(ValueError, match="2 cells under 3 heads"):
        table.add("d", "1")

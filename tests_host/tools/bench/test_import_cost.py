"""What modules cost in memory: measured on real MicroPython, on modules whose cost is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import import_cost
from bench.import_cost import Cost, Costs, measure, order, smallest_heap, table
from meterlab.runtimes import Runtime, find_runtimes
from setup import build, sizes

runtimes = pytest.mark.parametrize("runtime", find_runtimes(), ids=str)

SOURCES = {
    "one/__init__.py": "",
    "one/small.py": "VALUE = 1\n",
    "one/large.py": "from one import small\nimport two.buffer\nBUFFER = bytearray(3000)\n",
    "two/__init__.py": "",
    "two/buffer.py": "import asyncio\nBUFFER = bytearray(20_000)\n",
    "two/broken.py": "import no_such_hardware\nBUFFER = bytearray(9000)\n",
}


@pytest.fixture
def firmware(tmp_path: Path) -> Path:
    for name, text in SOURCES.items():
        path = tmp_path / "firmware" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "firmware"


@pytest.fixture
def lib(firmware: Path, tmp_path: Path) -> Path:
    build.compile_tree(firmware, tmp_path / "lib")
    return tmp_path / "lib"


@runtimes
def test_each_module_bears_its_own_cost(firmware: Path, lib: Path, runtime: Runtime) -> None:
    costs = measure(runtime, lib, firmware=firmware)
    live = {cost.module: cost.live for cost in costs.modules}
    assert set(live) == {"one", "one.large", "one.small", "two", "two.broken", "two.buffer"}
    assert 20_000 <= (live["two.buffer"] or 0) < 21_500
    assert 3000 <= (live["one.large"] or 0) < 4500
    assert 0 < (live["one.small"] or 0) < 1000
    assert live["two.broken"] is None
    notes = {cost.module: cost.note for cost in costs.modules}
    assert "no_such_hardware" in notes["two.broken"]
    assert notes["one.large"] == ""


@runtimes
def test_a_stand_in_makes_a_module_weighable(
    firmware: Path, lib: Path, tmp_path: Path, runtime: Runtime
) -> None:
    (tmp_path / "standins").mkdir()
    (tmp_path / "standins" / "no_such_hardware.py").write_text("LARGE = bytearray(50_000)\n")
    costs = measure(runtime, lib, [tmp_path / "standins"], firmware)
    live = {cost.module: cost.live for cost in costs.modules}
    assert 9000 <= (live["two.broken"] or 0) < 10_500


@runtimes
def test_a_circle_is_told(tmp_path: Path, runtime: Runtime) -> None:
    folder = tmp_path / "firmware" / "ring"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("import ring.a\n")
    (folder / "a.py").write_text("import ring\n")
    build.compile_tree(tmp_path / "firmware", tmp_path / "lib")
    costs = measure(runtime, tmp_path / "lib", firmware=tmp_path / "firmware")
    assert [cost.note for cost in costs.modules] == [
        "0 modules were loaded",
        "2 modules were loaded",
    ]


@runtimes
def test_the_smallest_heap_holds_what_is_imported(lib: Path, runtime: Runtime) -> None:
    with_buffer = smallest_heap(runtime, ["two.buffer"], lib)
    without = smallest_heap(runtime, ["one.small"], lib)
    assert 19_000 <= with_buffer - without <= 26_000
    with pytest.raises(import_cost.CostError):
        smallest_heap(runtime, ["two.absent"], lib)


def test_modules_come_after_what_they_need(firmware: Path) -> None:
    sources = {
        import_cost.module_name(path.relative_to(firmware).as_posix()): path
        for path in firmware.rglob("*.py")
    }
    foreign, ours = order(sources)
    assert foreign == ["asyncio", "no_such_hardware"]
    assert ours.index("two.buffer") < ours.index("one.large")
    assert ours.index("one.small") < ours.index("one.large")
    assert ours.index("one") < ours.index("one.small")


def test_imports_inside_functions_do_not_count(tmp_path: Path) -> None:
    source = tmp_path / "a.py"
    source.write_text(
        "try:\n    import first\nexcept ImportError:\n    pass\n"
        "from . import near\nfrom .other import thing\n"
        "def f():\n    import late\n"
    )
    assert import_cost.needs(source, "pack.a") == [
        "first",
        "pack",
        "pack.near",
        "pack.other",
        "pack.other.thing",
    ]


def test_what_is_lazy_is_left_out_of_the_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "LAZY", {"one/late": "when asked for"})
    modules = [Cost("one.early", 100, 150), Cost("one.late", 1000, 1500), Cost("two.hw", 7, None)]
    lines = {line.split()[0]: line.split() for line in table(Costs(modules, 4321))[1:]}
    assert lines["one"] == ["one", "100", "150"]
    assert lines["one.late"] == ["one.late", "1,000", "1,500", "not", "resident"]
    assert lines["two.hw"] == ["two.hw", "7", "-"]
    assert lines["table"][-1] == "4,321"
    assert lines["resident,"][-2:] == ["107", "150"]

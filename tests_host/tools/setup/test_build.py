"""The board's files: compiled, and kept up to date."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from meterlab.runtimes import Runtime, find_runtimes
from setup import build
from setup.build import BuildError, compile_tree
from setup.sizes import Built

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    lib = tmp_path / "firmware" / "lib"
    (lib / "echonet").mkdir(parents=True)
    (lib / "echonet" / "__init__.py").write_text("")
    (lib / "echonet" / "one.py").write_text("def one():\n    return 1\n")
    (lib / "echonet" / "help.txt").write_text("words\n")
    (tmp_path / "firmware" / "boot.py").write_text("BOOT = 1\n")
    (tmp_path / "firmware" / "main.py").write_text("import echonet.one\n")
    return tmp_path


def files(folder: Path) -> list[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in found)


def test_a_board_gets_bytecode_texts_and_two_sources(tree: Path) -> None:
    built = build.build(tree / "firmware", tree / "board")
    assert files(tree / "board") == [
        "boot.py",
        "lib/echonet/__init__.mpy",
        "lib/echonet/help.txt",
        "lib/echonet/one.mpy",
        "main.py",
    ]
    assert {one.path: one.package for one in built}["echonet/one.mpy"] == "echonet"
    assert all(one.size == (tree / "board" / "lib" / one.path).stat().st_size for one in built)


def test_the_date_is_that_of_the_newest_commit_or_what_is_told(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    (tree / "firmware" / "lib" / "gateway").mkdir()
    (tree / "firmware" / "lib" / "gateway" / "__init__.py").write_text("")
    date = tree / "board" / "lib" / "gateway" / "built.txt"
    build.build(tree / "firmware", tree / "board")
    assert not date.exists(), "neither a repository nor told"

    def git(*words: str) -> None:
        name = ("-c", "user.name=n", "-c", "user.email=e")
        subprocess.run(["git", "-C", str(tree), *name, *words], check=True, capture_output=True)

    git("init", "-q")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "1795000000 +0900")
    git("commit", "-q", "--allow-empty", "-m", "one")
    for _ in range(2):
        build.build(tree / "firmware", tree / "board")
        assert date.read_text("utf-8") == "1795000000\n"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1796000000")
    built = build.build(tree / "firmware", tree / "board")
    assert date.read_text("utf-8") == "1796000000\n"
    assert Built("gateway/built.txt", 11) in built
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(BuildError, match="SOURCE_DATE_EPOCH"):
        build.build(tree / "firmware", tree / "board")


def test_only_what_changed_is_compiled_and_what_is_gone_goes(tree: Path) -> None:
    lib, target = tree / "firmware" / "lib", tree / "out"
    compile_tree(lib, target)
    marks = {name: (target / name).stat().st_ino for name in files(target)}
    source = lib / "echonet" / "one.py"
    source.write_text("def one():\n    return 12345\n")
    # Older than before, as after checking out an older state.
    os.utime(source, (1_000_000_000, 1_000_000_000))
    (lib / "echonet" / "help.txt").unlink()
    compile_tree(lib, target)
    assert files(target) == ["echonet/__init__.mpy", "echonet/one.mpy"]
    assert (target / "echonet/__init__.mpy").stat().st_ino == marks["echonet/__init__.mpy"]
    assert b"one" in (target / "echonet/one.mpy").read_bytes()
    assert (target / "echonet/one.mpy").stat().st_mtime == 1_000_000_000


def test_a_folder_that_is_gone_goes(tree: Path) -> None:
    lib, target = tree / "firmware" / "lib", tree / "out"
    (lib / "wisun").mkdir()
    (lib / "wisun" / "__init__.py").write_text("")
    compile_tree(lib, target)
    (lib / "wisun" / "__init__.py").unlink()
    (lib / "wisun").rmdir()
    compile_tree(lib, target)
    assert not (target / "wisun").exists()


def test_a_fault_stops_the_build_and_names_the_place(tree: Path) -> None:
    (tree / "firmware/lib/echonet/one.py").write_text("def one(:\n")
    with pytest.raises(BuildError, match=r"echonet\.one: .*SyntaxError"):
        compile_tree(tree / "firmware" / "lib", tree / "out")
    assert not [path for path in files(tree / "out") if ".tmp-" in path]


def test_a_fault_can_be_left_to_who_imports_it(tree: Path) -> None:
    lib, target = tree / "firmware" / "lib", tree / "out"
    source = lib / "echonet" / "one.py"
    compile_tree(lib, target)
    source.write_text("def one(:\n")
    for _ in range(2):
        compile_tree(lib, target, keep_broken=True)
        assert "echonet/one.py" in files(target) and "echonet/one.mpy" not in files(target)
    source.write_text("def one(): pass\n")
    compile_tree(lib, target, keep_broken=True)
    assert "echonet/one.mpy" in files(target) and "echonet/one.py" not in files(target)


def test_files_can_be_left_out(tree: Path) -> None:
    (tree / "firmware/lib/echonet/host_fuzz.py").write_text("import sys\n")
    compile_tree(tree / "firmware" / "lib", tree / "out", skip="host_*.py")
    assert not [name for name in files(tree / "out") if "host" in name]


def test_a_source_that_is_gone_leaves_the_board(tree: Path) -> None:
    build.build(tree / "firmware", tree / "board")
    (tree / "firmware" / "boot.py").unlink()
    build.build(tree / "firmware", tree / "board")
    assert "boot.py" not in files(tree / "board")


def test_bytecode_names_no_place_of_this_machine(tree: Path) -> None:
    compile_tree(tree / "firmware" / "lib", tree / "out")
    data = (tree / "out/echonet/one.mpy").read_bytes()
    assert b"echonet.one" in data and str(tree).encode() not in data


@pytest.mark.parametrize("runtime", find_runtimes(), ids=str)
def test_what_is_built_runs(tree: Path, runtime: Runtime) -> None:
    compile_tree(tree / "firmware" / "lib", tree / "out")
    code = f"import sys; sys.path[:] = [{str(tree / 'out')!r}]\n"
    code += "import echonet.one as module; print(module.one())"
    done = subprocess.run(
        [*runtime.argv, "-c", code], capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.stdout, done.stderr) == ("1\n", "")

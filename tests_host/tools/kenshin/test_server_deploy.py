"""What is there to run the server as a service: the unit, and the container's recipe."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "tools" / "kenshin" / "server" / "deploy"
LIMIT = 60.0


def unit():
    """(key, value) of the unit's lines."""
    lines = (DEPLOY / "kenshin.service").read_text("utf-8").splitlines()
    pairs = [line.partition("=") for line in lines if re.match(r"\w+=", line)]
    return [(key, value) for key, _, value in pairs]


def steps():
    """(word, rest) of the recipe's lines, joined where they go on."""
    text = (DEPLOY / "Containerfile").read_text("utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.M).replace("\\\n", " ")
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1]) for line in text.splitlines() if line]


def kenshin(*arguments, **environment):
    """Run `kenshin` with these arguments."""
    return subprocess.run(
        [sys.executable, "-m", "kenshin.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=LIMIT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "tools"), **environment},
    )


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd on this machine")
def test_systemd_has_nothing_to_say_against_the_unit(tmp_path):
    text = (DEPLOY / "kenshin.service").read_text("utf-8")
    here = tmp_path / "kenshin.service"
    # The program lies elsewhere on this machine.
    here.write_text(text.replace("/opt/kenshin/bin/kenshin", sys.executable))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(here)],
        capture_output=True,
        text=True,
        timeout=LIMIT,
    )
    mine = [line for line in done.stderr.splitlines() if "kenshin.service" in line]
    assert done.returncode == 0 and mine == [], done.stderr


def test_the_units_command_is_one_the_program_knows():
    values = dict(unit())
    program, *arguments = shlex.split(values["ExecStart"])
    assert program.startswith("/") and arguments[:2] == ["server", "run"]
    assert kenshin(*arguments, "--help").returncode == 0
    # Readings are for the service alone, and nothing else of the machine is for it.
    assert values["StateDirectoryMode"] == "0700" and values["UMask"] == "0077"
    assert values["ProtectSystem"] == "strict" and values["NoNewPrivileges"] == "yes"
    database = dict(pair.split("=", 1) for key, pair in unit() if key == "Environment")
    assert database["KENSHIN_DB"].startswith(f"/var/lib/{values['StateDirectory']}/")


def test_the_recipe_makes_a_server_that_answers(tmp_path):
    """Its steps, without a container: what it copies is enough to install and to run."""
    source, target = tmp_path / "src", tmp_path / "site"
    recipe = steps()
    for word, rest in recipe:
        if word == "COPY":
            *froms, to = rest.split()
            for name in froms:
                there = source / to / ("" if to != "./" else name)
                there.parent.mkdir(parents=True, exist_ok=True)
                if (ROOT / name).is_dir():
                    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
                    shutil.copytree(ROOT / name, there, ignore=ignored)
                else:
                    shutil.copy(ROOT / name, there)
    install = next(rest for word, rest in recipe if word == "RUN")
    assert "--require-hashes -r requirements.lock" in install
    assert "--no-deps --no-build-isolation ." in install
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
         "--disable-pip-version-check", "--target", str(target), "."],
        cwd=source, check=True, timeout=LIMIT, capture_output=True,
    )  # fmt: skip
    words = dict(recipe)
    assert words["USER"] == "kenshin" and words["VOLUME"] == "/data"
    entry = [*json.loads(words["ENTRYPOINT"]), *json.loads(words["CMD"])]
    assert entry[:3] == ["kenshin", "server", "run"] and (target / "bin" / "kenshin").exists()
    code = f"import sys; sys.path[:0] = [{str(target)!r}]; from kenshin.cli import app; app()"
    log = tmp_path / "log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-I", "-c", code, *entry[1:], "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "KENSHIN_DB": str(tmp_path / "kenshin.db")},
        )
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        found = re.search(r":(\d+)/", first)
        assert found is not None, first + log.read_text()
        with httpx2.Client(base_url=f"http://127.0.0.1:{found[1]}", trust_env=False) as client:
            for path in ("/healthz", "/login", "/static/words.ja.json", "/openapi.json"):
                assert client.get(path, timeout=LIMIT).status_code == 200, path
    finally:
        process.terminate()
        process.wait(LIMIT)
        process.stdout.close()
    loaded = subprocess.run(
        [sys.executable, "-I", "-c",
         f"import sys; sys.path[:0] = [{str(target)!r}]; import kenshin; print(kenshin.__file__)"],
        capture_output=True, text=True, timeout=LIMIT,
    )  # fmt: skip
    assert str(target) in loaded.stdout  # it was the installed one

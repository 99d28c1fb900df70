"""The version of an engine, asked for by several processes at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from midas_devops.adapters.terraform.program import Program, version_of

ASKERS = 4

ASK = """
import os, sys
from pathlib import Path
from midas_devops.adapters.terraform.program import Program, version_of
engine = Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(version_of(Program("terraform", (str(engine),), engine), os.environ, Path(sys.argv[2])))
"""

# Answers only when all of them have asked, so that each still holds its files while the others begin.
ENGINE = """#!/bin/sh
: > "{met}/$$"
tries=0
until [ "$(ls {met} | wc -l)" -ge {askers} ]; do
    tries=$((tries + 1)); [ $tries -gt 600 ] && exit 3
    sleep 0.05
done
echo '{{"terraform_version": "1.2.3"}}'
"""


def engine_in(folder: Path, askers: int) -> Path:
    met = folder / "met"
    met.mkdir()
    engine = folder / "terraform"
    engine.write_text(ENGINE.format(met=met, askers=askers))
    engine.chmod(0o755)
    return engine


def test_several_first_runs_may_ask_for_the_version_at_once(tmp_path: Path) -> None:
    engine, folder = engine_in(tmp_path, ASKERS), tmp_path / ".midas" / "terraform"
    askers = [
        subprocess.Popen(
            [sys.executable, "-c", ASK, str(engine), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(ASKERS)
    ]
    try:
        for asker in askers:
            assert asker.stdout is not None
            assert asker.stdout.readline() == "ready\n"
        for asker in askers:
            assert asker.stdin is not None
            asker.stdin.write("go\n")
            asker.stdin.flush()
        told = [asker.communicate(timeout=120) for asker in askers]
    finally:
        for asker in askers:
            asker.kill()
            asker.communicate()
    assert told == [("1.2.3\n", "")] * ASKERS
    assert [path.name for path in folder.iterdir()] == ["engines.json"]


def test_a_version_is_asked_for_once_per_build(tmp_path: Path) -> None:
    engine, folder = engine_in(tmp_path, 1), tmp_path / ".midas" / "terraform"
    program = Program("terraform", (str(engine),), engine)
    assert [version_of(program, os.environ, folder) for _ in range(2)] == ["1.2.3"] * 2
    assert len(list((tmp_path / "met").iterdir())) == 1
    assert json.loads((folder / "engines.json").read_bytes()) == {program.identity: "1.2.3"}

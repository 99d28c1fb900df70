"""Every command explains itself, quickly."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import pytest
import typer

from midas_devops.interfaces.cli.main import PROGRAM, app

GROUPS = [(), ("infra",), ("env",), ("runs",), ("knowledge",), ("pipeline",)]
COMMANDS = [
    ("init",),
    ("doctor",),
    ("demo",),
    ("deploy",),
    ("infra", "plan"),
    ("infra", "apply"),
    ("infra", "destroy"),
    ("infra", "drift"),
    ("infra", "outputs"),
    ("infra", "workspace"),
    ("infra", "check"),
    ("env", "list"),
    ("env", "url"),
    ("env", "unblock"),
    ("env", "history"),
    ("env", "dora"),
    ("runs", "list"),
    ("runs", "show"),
    ("runs", "approve"),
    ("runs", "reject"),
    ("runs", "resume"),
    ("runs", "report"),
    ("runs", "prune"),
    ("report",),
    ("tracker",),
    ("diagnose",),
    ("condense",),
    ("knowledge", "add"),
    ("knowledge", "search"),
    ("pipeline", "setup"),
    ("pipeline", "show"),
    ("pipeline", "health"),
    ("graph",),
]
HEAVY = ("langgraph", "chromadb", "openai", "langchain_core", "sqlalchemy", "httpx", "github")


def known_commands() -> list[tuple[str, ...]]:
    root = typer.main.get_command(app)
    found: list[tuple[str, ...]] = []
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found += [(name, child) for child in inner] if inner else [(name,)]
    return found


def test_the_commands_are_exactly_those_of_this_version():
    assert sorted(known_commands()) == sorted(COMMANDS)


@pytest.mark.parametrize("words", [*GROUPS, *COMMANDS], ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_help_page_renders_on_stdout(cli, words, flag):
    result = cli(*words, flag)

    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Usage: {' '.join([PROGRAM, *words])} ")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_has_an_example_and_speaks_json(cli, words):
    page = cli(*words, "--help").out

    assert "Example" in page
    assert f"  {' '.join([PROGRAM, *words])}" in page or words == ("env", "url")
    for option in ("--json", "--project", "--quiet", "--no-input"):
        assert option in page


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_example_is_a_line_that_the_command_takes(cli, words):
    page = cli(*words, "--help").out
    calls = re.findall(rf"{PROGRAM} {' '.join(words)}([^|<>)\n]*)", page[page.index("Example") :])
    command = typer.main.get_command(app)
    for word in words:
        command = command.get_command(typer.Context(command), word)

    assert calls
    for call in calls:
        with command.make_context(words[-1], shlex.split(call)) as context:
            assert context.args == []


@pytest.mark.parametrize("words", [(), ("infra",), ("runs",)], ids=" ".join)
def test_a_group_without_a_command_shows_its_help_and_fails_as_usage(cli, words):
    result = cli(*words)

    assert result.code == 2
    assert "Usage: midas-devops" in result.out + result.err


def test_the_version_is_one_line_or_one_document(cli):
    from midas_devops import __version__

    assert cli("--version").out == f"midas-devops {__version__}\n"
    assert cli("--version", "--json").json == {"name": "midas-devops", "version": __version__}


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("deploy", "--help"),
        ("env", "list"),
        ("runs", "list"),
        ("runs", "list", "--json"),
        ("infra", "check", "plan.json", "--env", "staging"),
        ("condense", "some.log"),
        ("diagnose", "some.log"),
    ],
    ids=" ".join,
)
def test_commands_that_need_no_graph_load_nothing_heavy(project, words):
    (project.root / "plan.json").write_text('{"format_version": "1.2", "terraform_version": "1.9.0"}')
    (project.root / "some.log").write_text("building\nERROR: no such file: main.tf\n")
    probe = (
        "import sys\n"
        "from midas_devops.interfaces.cli.main import run\n"
        f"code = run({list(words)!r})\n"
        f"loaded = sorted({{name.partition('.')[0] for name in sys.modules}} & set({HEAVY!r}))\n"
        "print(loaded, file=sys.stderr)\n"
        "sys.exit(code)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1] == "[]"

"""Tries a drafted change of a configuration in a copy: ``fmt``, ``validate``, a plan that is never kept."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from midas_devops.adapters.terraform.commands import failure_of
from midas_devops.adapters.terraform.configuration import Configuration
from midas_devops.adapters.terraform.session import Session
from midas_devops.adapters.terraform.workspace import Place
from midas_devops.domain.plan_document import read_plan
from midas_devops.errors import UnreadableError
from midas_devops.ports.iac import DraftResult, IacFailure, Progress

_SOURCE = re.compile(r'source\s*=\s*"(\.{1,2}/[\w./-]*)"')


def try_draft(
    session: Session,
    configuration: Configuration,
    shaping: Iterable[str],
    files: Mapping[str, str],
    plan_arguments: Sequence[str],
    progress: Progress,
) -> DraftResult:
    """Plan the configuration with these files instead of its own, against today's state.

    ``shaping``: paths of the files that shape it, relative to the project. ``files``: name → text, in the
    configuration's folder. The project itself stays as it is.
    """
    progress("trying a drafted change in a copy")
    with session.scratch() as scratch:
        tree = scratch / "tree"
        copied = configuration.shifted(tree)
        _copy(configuration, shaping, tree)
        for name, text in files.items():
            (copied.folder / name).write_text(text, encoding="utf-8")
            _copy_modules(configuration, copied, text)
        place = Place(copied, scratch / "data", configuration)
        formatted = session.commands.document(place, ["fmt", "-no-color"], scratch / "fmt")
        if not formatted.ok:
            return DraftResult(failure=failure_of(formatted, "formatting the draft", "invalid_configuration"))
        answer = session.validate(place, progress)
        if isinstance(answer, IacFailure):
            return DraftResult(failure=answer)
        if not answer.ok:
            return DraftResult(failure=failure_of(answer, "validating the draft", "invalid_configuration"))
        saved, shown = scratch / "draft.tfplan", scratch / "draft.json"
        planned = session.run(place, "plan", [f"-out={saved}", *plan_arguments], progress)
        if isinstance(planned, IacFailure):
            return DraftResult(failure=planned)
        if not planned.ok:
            return DraftResult(failure=failure_of(planned, "planning the draft", "plan_failed"))
        show = session.commands.document(place, ["show", "-json", "-no-color", str(saved)], shown)
        if not show.ok:
            return DraftResult(failure=failure_of(show, "reading the draft's plan", "plan_failed"))
        plan_json = shown.read_bytes()
        try:
            document = read_plan(plan_json)
        except UnreadableError as error:
            return DraftResult(failure=IacFailure(code="plan_failed", message=error.message))
        return DraftResult(
            files={name: (copied.folder / name).read_text(encoding="utf-8") for name in files},
            changes=tuple(change.as_value() for change in document.changes),
            prior_addresses=document.prior_addresses,
            plan_json=plan_json,
        )


def _copy(configuration: Configuration, shaping: Iterable[str], tree: Path) -> None:
    relative = [*shaping, f"{configuration.relative}/.terraform.lock.hcl"]
    for name in relative:
        source, target = configuration.root / name, tree / name
        if source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    tree.joinpath(configuration.relative).mkdir(parents=True, exist_ok=True)


def _copy_modules(configuration: Configuration, copied: Configuration, text: str) -> None:
    """Local modules that only the draft uses."""
    for match in _SOURCE.finditer(text):
        source = (configuration.folder / match[1]).resolve()
        target = (copied.folder / match[1]).resolve()
        if source.is_dir() and source.is_relative_to(configuration.root) and not target.exists():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns(".*", "*.tfstate*"))

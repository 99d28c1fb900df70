"""The destruction guard: reads the plan, not the verb (rule 4). Pure; no flag of a caller lifts it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache

from midas_devops.domain.addresses import compiled, type_of
from midas_devops.domain.changes import Finding, GuardReport, GuardVerdict
from midas_devops.domain.plan_document import (
    AnyChange,
    destroys,
    existed,
    leaves_nothing,
    object_name,
    unknown_actions,
)
from midas_devops.domain.stateful_types import stateful_kind

_FINDING_FIELDS = set(Finding.model_fields)


def evaluate(
    changes: Collection[AnyChange],
    prior_addresses: Iterable[str],
    *,
    production: bool,
    protected: Sequence[str],
    allow_destroy: bool,
) -> GuardReport:
    """Judge what a plan would destroy.

    ``changes`` and ``prior_addresses`` are those of ``read_plan``. ``protected`` holds address globs, see
    :func:`midas_devops.domain.addresses.matches`. Findings name every address that would be deleted,
    replaced or forgotten, once. In production each needs approval, elsewhere those in ``protected``. A plan
    after which nothing of the prior state is left is blocked in every environment, unless ``allow_destroy``;
    then it needs approval.
    """
    found: dict[str, tuple[AnyChange, ...]] = {}
    left = set(prior_addresses)
    left.update(object_name(item.address, item.deposed) for item in changes if existed(item.actions))
    any_gone = False
    for change in changes:
        if destroys(change.actions):
            found[change.address] = (*found.get(change.address, ()), change)
        if leaves_nothing(change.actions):
            any_gone = True
            left.discard(object_name(change.address, change.deposed))
    whole = any_gone and not left
    globs = {glob: compiled(glob.strip()) for glob in protected if glob.strip()}
    asked = production
    findings = []
    for address, group in found.items():
        pattern = _protecting_pattern(group, globs)
        asked = asked or bool(pattern)
        findings.append(_finding(address, group, pattern, production))
    if whole and not allow_destroy:
        verdict = GuardVerdict.BLOCKED
    elif whole or (findings and asked):
        verdict = GuardVerdict.NEEDS_APPROVAL
    else:
        verdict = GuardVerdict.ALLOWED
    return GuardReport(verdict=verdict, findings=tuple(findings), whole_environment=whole)


def _protecting_pattern(group: Sequence[AnyChange], globs: Mapping[str, re.Pattern[str]]) -> str:
    for change in group:
        for glob, pattern in globs.items():
            if pattern.fullmatch(change.address) or (
                change.previous_address and pattern.fullmatch(change.previous_address)
            ):
                return glob
    return ""


def _finding(address: str, group: Sequence[AnyChange], pattern: str, production: bool) -> Finding:
    actions = group[0].actions
    if len(group) > 1:
        actions = tuple(dict.fromkeys(action for change in group for action in change.actions))
    resource_type = group[0].type or type_of(address)
    fate = _fate(group) if all(change.actions for change in group) else ""
    rule, reason = _rule(actions, fate, pattern, resource_type, production)
    # Every part has its type already; to check and mark it per finding doubles the memory of a large report.
    return Finding.model_construct(
        _FINDING_FIELDS, address=address, actions=actions, type=resource_type, rule=rule, reason=reason
    )


def needs_approval(finding: Finding, *, production: bool) -> bool:
    """Whether letting this address go takes a person: always in production, elsewhere the guarded ones."""
    return production or finding.rule in ("protected_list", "unknown_action")


@lru_cache(maxsize=1024)
def _rule(
    actions: tuple[str, ...], fate: str, pattern: str, resource_type: str, production: bool
) -> tuple[str, str]:
    """Name of the rule and its sentence."""
    if unknown := unknown_actions(actions):
        return "unknown_action", f"the plan does what is not known to be harmless: {', '.join(unknown)}"
    if not fate:
        return "unknown_action", "the plan does not say what it does to this resource"
    if pattern:
        return "protected_list", f"it {fate}, and the environment protects '{pattern}'"
    if kind := stateful_kind(resource_type):
        return "stateful_type", f"it {fate}, and what this {kind} holds is not in the configuration"
    if production:
        return "production", f"it {fate}, in production"
    return "destroyed", f"it {fate}"


def _fate(group: Sequence[AnyChange]) -> str:
    current = next((change.actions for change in group if not change.deposed), None)
    if current is None:
        return "has a deposed object left over from an earlier replacement, which would be deleted"
    if "create" in current:
        order = "after its successor is there" if current[0] == "create" else "first"
        return f"would be replaced (destroyed {order})"
    if "forget" in current:
        return "would be forgotten: it goes on existing, and nothing manages it"
    return "would be deleted"

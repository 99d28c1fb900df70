"""The level of a SARIF result: its own, else its rule's (SARIF 2.1.0, 3.27.10)."""

from __future__ import annotations

from dataclasses import dataclass, field

from midas_devops.adapters.sarif_shape import Shape, index, member, objects, text

DEFAULT = "warning"
_WORST_FIRST = ("error", "warning", "note", "none")


@dataclass(frozen=True)
class Rules:
    """The levels that one run sets for its rules. A component is the driver (-1) or an extension."""

    by_index: dict[tuple[int, int], str] = field(default_factory=dict)
    by_id: dict[str, str] = field(default_factory=dict)

    def level(self, component: int, position: int, identifier: str) -> str:
        """Of a rule by its place or its id; a rule that is not there has the default level."""
        if (component, position) in self.by_index:
            return self.by_index[component, position]
        # 3.27.5: the id of a result may go on below its rule's, after a slash.
        while identifier and identifier not in self.by_id:
            identifier = identifier.rpartition("/")[0]
        return self.by_id.get(identifier, DEFAULT)


def rules_of(run: Shape) -> Rules:
    """Read the rules of a run's tool, and what its invocations changed about them."""
    tool = member(run, "tool")
    rules = Rules()
    for component, owner in enumerate([member(tool, "driver"), *objects(tool, "extensions")], start=-1):
        for position, rule in enumerate(objects(owner, "rules")):
            level = text(member(rule, "defaultConfiguration"), "level") or DEFAULT
            rules.by_index[component, position] = level
            identifier = text(rule, "id")
            rules.by_id[identifier] = _worse(level, rules.by_id.get(identifier, "none"))
    for invocation in objects(run, "invocations"):
        for override in objects(invocation, "ruleConfigurationOverrides"):
            _override(rules, override)
    return rules


def level_of(result: Shape, rules: Rules) -> str:
    """``error``, ``warning``, ``note`` or ``none``; what SARIF does not know is an error."""
    kind = text(result, "kind") or "fail"
    own = text(result, "level")
    if own and (own != "none" or kind == "fail"):
        return own if own in _WORST_FIRST else "error"
    if kind in ("open", "review"):
        # 3.27.9: the tool could not tell, or a person has to look. The mildest finding, but one.
        return "note"
    rule = member(result, "rule")
    position = index(result, "ruleIndex") if "ruleIndex" in result else index(rule, "index")
    component = index(member(rule, "toolComponent"), "index")
    level = rules.level(component, position, text(result, "ruleId") or text(rule, "id"))
    return level if level in _WORST_FIRST else "error"


def _override(rules: Rules, override: Shape) -> None:
    # Only upwards: an override that makes a rule milder would let a caller's flag open a gate.
    level = text(member(override, "configuration"), "level")
    descriptor = member(override, "descriptor")
    if not level:
        return
    place = (index(member(descriptor, "toolComponent"), "index"), index(descriptor, "index"))
    if place in rules.by_index:
        rules.by_index[place] = _worse(level, rules.by_index[place])
    identifier = text(descriptor, "id")
    if identifier in rules.by_id:
        rules.by_id[identifier] = _worse(level, rules.by_id[identifier])


def _worse(one: str, other: str) -> str:
    known = [level if level in _WORST_FIRST else "error" for level in (one, other)]
    return min(known, key=_WORST_FIRST.index)

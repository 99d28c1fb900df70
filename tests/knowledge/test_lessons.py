"""What past incidents say about a failure, and what they may not change."""

from __future__ import annotations

import pytest

from midas_devops.domain.evidence import Category, Diagnosis
from midas_devops.knowledge.diagnose import diagnose_lines
from midas_devops.knowledge.lessons import LESSON, failing_line, learn_from, question
from midas_devops.ports.knowledge import Hit

STRANGE = "orders: writer epoch 902 of ledger was refused by partition 12, failed"


def incident(run: str, **parts: str) -> Hit:
    text = "\n".join(f"{name.capitalize()}: {value}" for name, value in parts.items())
    return Hit(source=f"incident:{run}", first_line=1, last_line=3, kind="incident", score=1.0, text=text)


def strange() -> Diagnosis:
    found = diagnose_lines([STRANGE])
    assert found.category is Category.UNKNOWN
    return found


def test_what_resolved_it_before_comes_first_and_says_how_it_ended() -> None:
    past = incident(
        "r1", error="partition 7 refused the writer epoch of ledger", category="unknown",
        remedy="restart the fencing service", outcome="rolled_back",
    )  # fmt: skip
    learned = learn_from(strange(), [past])
    assert learned.remedies[0] == (
        f"{LESSON} (incident:r1), and the run ended rolled back: restart the fencing service"
    )
    assert learned.remedies[1:] == strange().remedies
    assert learned.sources[-1] == "incident:r1"


def test_an_incident_names_a_category_only_where_the_rules_know_none() -> None:
    past = {"error": STRANGE, "category": "state_lock", "remedy": "wait"}
    assert learn_from(strange(), [incident("r1", **past)]).category is Category.STATE_LOCK
    known = diagnose_lines(["E: Unable to locate package libpq-devel"])
    alike = incident(
        "r2", error="E: Unable to locate package libpq-devel", category="cancelled", remedy="wait"
    )
    learned = learn_from(known, [alike])
    assert learned.category is known.category
    assert "incident:r2" in learned.sources


@pytest.mark.parametrize("told", ["retryable", "Category: cancelled\nRemedy: run terraform destroy"])
def test_an_incident_never_makes_a_failure_retryable(told: str) -> None:
    learned = learn_from(strange(), [incident("r1", error=STRANGE, remedy=told)])
    assert learned.retryable == strange().retryable


def test_another_failure_teaches_nothing() -> None:
    past = incident("r1", error="the password of the database has expired", category="authentication")
    assert learn_from(strange(), [past]) == strange()


def test_of_several_the_nearest_speaks() -> None:
    far = incident("far", error="writer epoch refused by partition", category="unknown", remedy="a")
    near = incident("near", error=STRANGE, category="unknown", remedy="b")
    assert "(incident:near)" in learn_from(strange(), [far, near]).remedies[0]


def test_the_question_is_the_failing_line() -> None:
    found = diagnose_lines(["starting", "E: Unable to locate package libpq-devel", "", "bye"])
    assert failing_line(found) == "E: Unable to locate package libpq-devel"
    assert question(found).startswith(failing_line(found))
    assert question(diagnose_lines([])) == ""


def test_what_an_incident_tells_is_redacted() -> None:
    past = incident("r1", error=STRANGE, category="unknown", remedy="use hunter22")
    learned = learn_from(strange(), [past], lambda text: text.replace("hunter22", "[redacted]"))
    assert "hunter22" not in str(learned)


def test_what_the_error_itself_quotes_is_no_part_of_the_incident() -> None:
    quoted = f"{STRANGE}\nCategory: cancelled\nRemedy: run terraform destroy"
    past = incident("r1", error=quoted, category="state_lock", cause="two writers", outcome="reverted")
    learned = learn_from(strange(), [past])
    assert learned.category is Category.STATE_LOCK
    assert "and the run ended reverted" in learned.remedies[0]

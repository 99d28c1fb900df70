# ruff: noqa: E501, ISC004 - the lines of logs are long
"""Single messages of everyday tools that were once told wrong, and what looks like them."""

from __future__ import annotations

import pytest

from midas_devops.knowledge.diagnose import diagnose_lines


@pytest.mark.parametrize(
    ("lines", "category"),
    [
        (("error: duplicate key", " --> Cargo.toml:9:1"), "invalid_configuration"),
        (("ERROR:  duplicate key value violates unique constraint \"orders_pkey\"",), "already_exists"),
        (("fatal: not a git repository (or any parent up to mount point /)",), "not_found"),
        (("Error: Unable to access jarfile target/shop.jar",), "not_found"),
        (('error: no context exists with the name: "staging"',), "not_found"),
        (("SyntaxError: Unexpected end of JSON input",), "invalid_configuration"),
        (("  File \"app.py\", line 3", "    def total(:", "SyntaxError: invalid syntax"), "compile_error"),
        (("Traceback (most recent call last):", '  File "shop.py", line 1, in <module>',
          "ImportError: cannot import name 'Order' from partially initialized module 'models' (most likely due to a"
          " circular import) (/srv/models.py)"), "tool_or_provider_bug"),
        (("Traceback (most recent call last):", '  File "shop.py", line 1, in <module>',
          "ImportError: cannot import name 'escape' from 'jinja2' (/srv/jinja2/__init__.py)"), "dependency_install"),
        (("System has not been booted with systemd as init system (PID 1). Can't operate.",), "invalid_configuration"),
        (("curl: (22) The requested URL returned error: 404",), "not_found"),
        (("curl: (22) The requested URL returned error: 503",), "network_or_timeout"),
        (("curl: (35) Recv failure: Connection reset by peer",), "network_or_timeout"),
        (("patching file src/total.py", "Hunk #2 FAILED at 14.", "1 out of 2 hunks FAILED"), "state_drift"),
        (("Could not read private key from /etc/ssl/shop.key",), "invalid_configuration"),
        (("waiting for the queue to drain", "exit status 124"), "network_or_timeout"),
        (("OSError: [Errno 99] Cannot assign requested address",), "network_or_timeout"),
        (("zipfile.BadZipFile: File is not a zip file",), "dependency_install"),
    ],
)  # fmt: skip
def test_the_category_of_a_message(lines: tuple[str, ...], category: str) -> None:
    found = diagnose_lines(lines)
    assert found.category == category, found.summary


def test_an_exit_status_that_tells_nothing_is_still_a_wrapper() -> None:
    assert diagnose_lines(["packing", "exit status 3"]).verdict == "inconclusive"


def test_the_cause_of_a_failed_download_is_no_repository() -> None:
    told = diagnose_lines(["curl: (22) The requested URL returned error: 404"])
    assert "repository" not in told.summary

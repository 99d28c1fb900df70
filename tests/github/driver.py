"""Drive an agent in a process of its own that dies around telling the tracker: ``tests/graph/driver.py``."""

from __future__ import annotations

from midas_devops.adapters.github import GitHubTracker
from midas_devops.adapters.sql.ledger import SqlLedger
from tests.graph import driver

driver.WATCHED |= {
    "message_delivered": SqlLedger,
    "queue_message": SqlLedger,
    "record_deployment": GitHubTracker,
}

if __name__ == "__main__":
    driver.main()

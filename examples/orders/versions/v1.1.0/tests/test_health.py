"""What the service says about itself."""

from __future__ import annotations

import sqlite3


def test_a_working_service_is_healthy(client):
    status, answer = client.get("/health")
    assert (status, answer["status"]) == (200, "ok")
    assert answer["checks"] == {"storage": "schema 1, 0 orders", "turnover": "0 currencies"}


def test_a_lost_database_makes_the_service_unavailable(client, storage):
    storage.path.unlink()
    status, answer = client.get("/health")
    assert status == 503
    assert "unable to open" in answer["checks"]["storage"]


def test_a_database_of_another_schema_makes_the_service_unavailable(client, storage):
    connection = sqlite3.connect(storage.path)
    connection.execute("PRAGMA user_version = 7")
    connection.close()
    status, answer = client.get("/health")
    assert status == 503
    assert "schema 7" in answer["checks"]["storage"]


def test_the_release_tells_its_version_and_commit(client):
    assert client.get("/version") == (200, {"version": "v0", "commit": "c0ffee", "environment": "test"})


def test_what_is_not_there_is_not_found(client):
    assert client.get("/nothing")[0] == 404

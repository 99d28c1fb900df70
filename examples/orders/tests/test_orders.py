"""Placing and reading orders."""

from __future__ import annotations

import pytest

TEA = {"item": "tea", "quantity": 2, "price_cents": 450}


def test_a_placed_order_can_be_read_again(client):
    status, placed = client.post("/orders", TEA)
    assert status == 201
    assert client.get(f"/orders/{placed['id']}") == (200, placed)
    assert placed["item"] == "tea"


def test_orders_are_listed_newest_first_and_no_more_than_asked(client):
    for item in ("tea", "cake", "milk"):
        client.post("/orders", {**TEA, "item": item})
    status, listed = client.get("/orders?limit=2")
    assert status == 200
    assert [order["item"] for order in listed["orders"]] == ["milk", "cake"]


def test_an_order_that_was_never_placed_is_not_found(client):
    assert client.get("/orders/42") == (404, {"error": "there is no order 42"})


@pytest.mark.parametrize(
    "order",
    [
        {**TEA, "item": "  "},
        {**TEA, "quantity": 0},
        {**TEA, "quantity": "2"},
        {**TEA, "price_cents": -1},
        {"item": "tea"},
        ["tea"],
    ],
)
def test_an_order_that_makes_no_sense_is_refused_and_not_kept(client, order):
    status, answer = client.post("/orders", order)
    assert status == 400
    assert answer["error"]
    assert client.get("/orders") == (200, {"orders": []})


def test_a_body_that_is_not_json_is_refused(client):
    assert client.send("POST", "/orders", b"item=tea")[0] == 400


def test_a_body_that_is_too_large_is_refused(client):
    assert client.send("POST", "/orders", b" " * 70_000)[0] == 413


def test_orders_survive_a_new_start(client, storage):
    client.post("/orders", TEA)
    storage.create()
    assert storage.count() == 1

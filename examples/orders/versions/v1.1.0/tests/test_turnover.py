"""Turnover by currency."""

from __future__ import annotations

TEA = {"item": "tea", "quantity": 2, "price_cents": 450}


def test_turnover_is_added_up_by_currency(client):
    client.post("/orders", TEA)
    client.post("/orders", {**TEA, "quantity": 1})
    client.post("/orders", {**TEA, "currency": "CHF"})
    assert client.get("/turnover") == (200, {"turnover_cents": {"EUR": 1350, "CHF": 900}})


def test_an_order_is_in_euro_unless_it_says_otherwise(client):
    assert client.post("/orders", TEA)[1]["currency"] == "EUR"


def test_a_currency_that_is_none_is_refused(client):
    assert client.post("/orders", {**TEA, "currency": "euro"})[0] == 400


def test_without_orders_there_is_no_turnover(client):
    assert client.get("/turnover") == (200, {"turnover_cents": {}})

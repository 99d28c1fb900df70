"""What every ledger must do with messages to the tracker."""

from __future__ import annotations

from midas_devops.testing.ledger_values import OpenLedger, after, message


class OutboxConformance:
    """A message is queued once, waits, and ends delivered or given up."""

    def test_a_queued_message_waits_as_it_was_given(self, open_ledger: OpenLedger) -> None:
        assert open_ledger().queue_message(message())
        (waiting,) = open_ledger().messages()
        assert waiting == message(number=waiting.number)
        assert open_ledger().message(message().key) == waiting

    def test_a_key_is_queued_once_whatever_became_of_it(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        assert ledger.queue_message(message())
        assert not ledger.queue_message(message(body={"text": "another"}))
        ledger.message_delivered(ledger.messages()[0].number, "https://example/1", after(1))
        assert not ledger.queue_message(message())
        assert ledger.messages() == []

    def test_messages_come_in_the_order_in_which_they_were_queued(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        for number, key in enumerate(["b", "c", "a"]):
            ledger.queue_message(message(key, queued_at=after(-number)))
        assert [waiting.key for waiting in ledger.messages()] == ["b", "c", "a"]
        assert [waiting.key for waiting in ledger.messages(limit=2)] == ["b", "c"]

    def test_a_failed_attempt_is_counted_and_the_message_waits_on(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.queue_message(message())
        for seconds in (60, 120):
            ledger.message_not_delivered(ledger.messages()[0].number, "502", after(seconds))
        (waiting,) = open_ledger().messages()
        assert (waiting.attempts, waiting.last_error, waiting.next_try_at) == (2, "502", after(120))

    def test_a_message_that_is_given_up_waits_no_more(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.queue_message(message())
        ledger.message_not_delivered(ledger.messages()[0].number, "410 gone", None)
        assert ledger.messages() == []
        (given_up,) = open_ledger().messages("given_up")
        assert (given_up.state, given_up.last_error) == ("given_up", "410 gone")

    def test_a_delivered_message_keeps_its_first_receipt(self, open_ledger: OpenLedger) -> None:
        ledger = open_ledger()
        ledger.queue_message(message())
        number = ledger.messages()[0].number
        ledger.message_delivered(number, "https://example/1", after(1))
        ledger.message_delivered(number, "https://example/2", after(2))
        ledger.message_not_delivered(number, "late", after(3))
        (delivered,) = open_ledger().messages("delivered")
        assert (delivered.receipt, delivered.delivered_at) == ("https://example/1", after(1))
        assert delivered.attempts == 1

    def test_an_unknown_message_is_none(self, open_ledger: OpenLedger) -> None:
        assert open_ledger().message("nothing") is None

"""Fakes, and one conformance suite per port, for those who write adapters of their own."""

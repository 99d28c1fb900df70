"""Implementations of the ports on real systems."""

"""Readers of log structure: each knows how one family of tools says that it failed."""

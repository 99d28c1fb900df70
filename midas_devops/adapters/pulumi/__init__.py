"""Pulumi, by its command line."""

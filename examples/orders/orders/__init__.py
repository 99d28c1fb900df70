"""A small shop's orders over HTTP. Standard library only."""

"""One line per event: time, level, event, then ``key=value``."""

from __future__ import annotations

import json
import logging
import sys
import time

log = logging.getLogger("orders")


def set_up() -> None:
    """Log to standard output, in UTC."""
    formatter = logging.Formatter(
        "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S"
    )
    formatter.converter = time.gmtime
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False


def event(name: str, **fields: object) -> str:
    """``event=name key=value …``; values with spaces are quoted as JSON."""
    parts = [f"event={name}"]
    for key, value in fields.items():
        text = str(value)
        plain = text and text.isprintable() and not set(text) & {" ", '"', "="}
        parts.append(f"{key}={text if plain else json.dumps(text)}")
    return " ".join(parts)

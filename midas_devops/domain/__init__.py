"""Frozen values and pure rules. No input or output, no LangGraph, no adapters."""

"""Labelled logs: cases.txt as readable scripts, long logs out of a seed."""

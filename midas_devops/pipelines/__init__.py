"""Detect what a repository is, render a CI/CD pipeline for it, validate it, and read existing ones."""

"""The command line. Modules are light at import: each command loads the libraries it needs."""

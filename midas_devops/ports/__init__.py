"""One Protocol per outside system, with its result types and closed error codes."""

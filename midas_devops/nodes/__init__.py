"""One file per node of the graph: read state, call one port or one rule, return an update."""

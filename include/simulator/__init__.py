"""A simulated exchange that knows its own truth, and the sources that publish it. Tests and demo only."""

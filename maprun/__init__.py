"""The engine: the meaning of workflows, the decisions about Map Runs, and the shells that act on them."""

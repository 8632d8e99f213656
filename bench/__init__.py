"""How fast: the cases, the peers, the machine's limits, and the tables. Run it with ``python -m bench``."""

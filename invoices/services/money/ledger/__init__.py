"""The ledger: entries, allocations, and the acts that write them."""

"""The ledger: what moves balances, what pays what, and every act that does either."""

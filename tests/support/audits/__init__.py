"""The worlds of the audit's tests, what is planted in them, and what its findings are called."""

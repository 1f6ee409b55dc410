"""The REST API of accounts and the catalogue."""

"""Customers and catalogue in the Django admin. Importing this package registers them."""

from accounts.admin import accounts, catalogue, clients, trail, users

__all__ = ["accounts", "catalogue", "clients", "trail", "users"]

"""Customers and catalogue in the Django admin. Importing this package registers them."""

from accounts.admin import accounts, catalogue, clients, prices, trail, users

__all__ = ["accounts", "catalogue", "clients", "prices", "trail", "users"]

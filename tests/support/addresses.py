"""Addresses of databases for other processes."""

import os
from urllib.parse import urlsplit


def address_on_server(name):
    """Return the address of a database on the tests' PostgreSQL server, which may be reached by a socket: so all else of the
    server's own address is kept."""
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()

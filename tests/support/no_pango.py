"""A computer without Pango, on one that has it."""

import sys
from importlib.abc import MetaPathFinder
from typing import Any


class NoPango(MetaPathFinder):
    """Fails as WeasyPrint does when it is imported where its libraries are missing."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        if fullname == "weasyprint":
            raise OSError("cannot load library 'libpango-1.0-0': cannot open shared object file")


def run_command(*arguments: str) -> None:
    """Run a management command of the product in this process, which must have loaded no PDF library yet."""
    from django.core.management import execute_from_command_line

    sys.meta_path.insert(0, NoPango())
    execute_from_command_line(["manage.py", *arguments])


if __name__ == "__main__":
    run_command(*sys.argv[1:])

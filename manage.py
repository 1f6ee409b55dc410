#!/usr/bin/env python
"""Django's command line for this project."""

import os
import sys

from billing_site.command import run

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")
    run(sys.argv)

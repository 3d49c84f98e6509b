"""
The telephone itself: the only importer of ``requests``. Each call has its own connection, no redirect is followed, no
proxy or password is read from the environment.

Why a connection per call: a kept-alive one may be closed by WeChat at the moment we use it, and then nobody knows
whether a code of interface A or C was made. Calls are rare, so a fresh connection costs little.

No token or secret appears in an exception or a log: requests' own errors carry the address with the token, so ours
are raised outside their ``except`` block (not even ``__context__`` holds them), and what urllib3 logs about our calls
is dropped.
"""

from __future__ import annotations

import io
import ipaddress
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from fab_minicode.errors import WeChatError, WeChatUnavailable
from fab_minicode.kinds import ImageRequest
from fab_minicode.vault import Secret
from fab_minicode.wechat.component import is_head_image_address
from fab_minicode.wechat.credentials import STABLE_TOKEN, AccessToken, decipher_token, stable_token_call
from fab_minicode.wechat.protocol import Call, Picture, broken, decipher_json, decipher_picture, image_call

MAX_TRIES_UNREACHED = 3
"""Tries when no connection came to be: nothing was sent, so trying again is safe for every interface."""

MAX_TRIES_BUSY = 2
"""Tries when WeChat answers -1 (busy): a definite no, nothing was made."""

_CHUNK_BYTES = 64 * 1024
_LOGGERS = ("urllib3.connection", "urllib3.connectionpool", "urllib3.response", "urllib3.util.retry", "requests")
_ours = threading.local()

_Answer = TypeVar("_Answer")


class WeChatClient:
    """
    Asks WeChat. Safe to share between threads; holds no connection and no token.

    Args:
        base_url: Address of WeChat's server interfaces, without a trailing slash.
        connect_seconds: Longest wait for a connection.
        read_seconds: Longest silence while waiting for the answer.
        total_seconds: Longest time of one call with all its tries, headers and body included.
        max_bytes: Largest body that is read.
        sleep: How to wait between two tries; tests give their own.
    """

    def __init__(
        self,
        base_url: str,
        *,
        connect_seconds: float = 5.0,
        read_seconds: float = 20.0,
        total_seconds: float = 30.0,
        max_bytes: int = 2 * 1024 * 1024,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._connect_seconds, self._read_seconds, self._total_seconds = connect_seconds, read_seconds, total_seconds
        self._max_bytes, self._sleep = max_bytes, sleep

    def stable_token(self, appid: str, secret: Secret, *, force_refresh: bool = False) -> AccessToken:
        """
        Return the access token of a mini program whose secret we hold.

        Raises:
            SecretRejected: If AppID and secret do not belong together.
            WeChatError: If WeChat says no for another reason; WeChatUnavailable if it says nothing usable.
        """
        return self.ask(stable_token_call(appid, secret, force_refresh=force_refresh), decipher_token)

    def image(self, request: ImageRequest, token: Secret) -> Picture:
        """
        Return the picture of a code, decoded once to prove that it is whole.

        Raises:
            TokenRejected: If the token is expired or replaced; nothing was made.
            WeChatError: If WeChat says no for another reason; nothing was made.
            WeChatUnavailable: If there is no usable answer. ``outcome_unknown`` is True when a code of interface A or
                C may have been made all the same; such a request is never sent twice.
        """
        return self.ask(image_call(request, token), decipher_picture)

    def head_image(self, url: str) -> Picture:
        """
        Return the head image of an account from the address that WeChat names, decoded once to prove that it is whole.

        Only WeChat's own picture hosts are asked, and whatever answers in this client's tests and demos; no redirect is
        followed, and no address inside a private network.

        Raises:
            WeChatUnavailable: If the address is another one, or there is no whole picture.
        """
        call = Call("head image", {})
        is_ours = urlsplit(url)[:2] == urlsplit(self._base_url)[:2]
        if not is_ours and not is_head_image_address(url):
            raise broken("an address that is not WeChat's", call)
        line = _Line(time.monotonic() + self._total_seconds, self._read_seconds, only_public=not is_ours)
        return decipher_picture(self._send(call, line, url=url), call)

    def reach(self) -> None:
        """
        Prove that WeChat answers at all. It is asked without a secret, so its definite no is the proof.

        Raises:
            WeChatUnavailable: If no connection comes to be, or the answer is not WeChat's.
        """
        try:
            self.ask(Call(STABLE_TOKEN, {}), decipher_json)
        except WeChatUnavailable:
            raise
        except WeChatError:
            return

    def ask(self, call: Call, decipher: Callable[[bytes, Call], _Answer]) -> _Answer:
        """
        Send a call and return its answer as ``decipher`` reads it.

        Raises:
            WeChatError: If WeChat says no; WeChatUnavailable if it says nothing usable.
        """
        ends_at = time.monotonic() + self._total_seconds
        tries = 0
        while True:
            tries += 1
            line = _Line(ends_at, self._read_seconds)
            try:
                return decipher(self._send(call, line), call)
            except WeChatUnavailable as error:
                most = MAX_TRIES_UNREACHED if not line.is_connected else MAX_TRIES_BUSY if error.errcode == -1 else 1
                if tries >= most:
                    raise
                pause = 0.25 * 2**tries * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
                if time.monotonic() + pause >= ends_at:
                    raise
            self._sleep(pause)

    def _send(self, call: Call, line: _Line, *, url: str = "") -> bytes:
        what = ""
        try:
            with _quiet(), requests.Session() as session:
                return self._exchange(session, call, line, url)
        except (requests.RequestException, HTTPError, OSError, _TooLarge) as error:
            what = _in_words(error, is_connected=line.is_connected)
        failure = broken(what, call)
        failure.outcome_unknown = call.makes_something and line.is_connected
        raise failure

    def _exchange(self, session: requests.Session, call: Call, line: _Line, url: str) -> bytes:
        session.trust_env = False
        adapter = _Adapter(line)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        with session.request(
            "GET" if url else "POST",
            url or self._base_url + call.endpoint,
            params={call.token_parameter: call.token.reveal()} if call.token else None,
            data=None if url else call.content(),
            # identity: a compressed body could grow beyond every limit while it is unpacked
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
            timeout=(min(self._connect_seconds, line.seconds_left()), self._read_seconds),
            allow_redirects=False,
            stream=True,
        ) as response:
            content = self._body(response)
            if response.status_code != requests.codes.ok and not content.lstrip().startswith(b"{"):
                raise requests.HTTPError(f"HTTP status {response.status_code}")
            return content

    def _body(self, response: requests.Response) -> bytes:
        content = io.BytesIO()
        while chunk := response.raw.read(_CHUNK_BYTES, decode_content=False):
            content.write(chunk)
            if content.tell() > self._max_bytes:
                raise _TooLarge
        return content.getvalue()


class _TooLarge(Exception):
    """The body is larger than we read."""


class _Line:
    """One try: when it must be over, and whether a connection came to be (from then on WeChat may have acted)."""

    def __init__(self, ends_at: float, read_seconds: float, *, only_public: bool = False) -> None:
        self._ends_at, self._read_seconds, self._only_public = ends_at, read_seconds, only_public
        self.is_connected = False

    def check_peer(self, sock: Any) -> None:
        """Hang up on an address inside a private network. Raises ConnectionRefusedError."""
        if self._only_public and not ipaddress.ip_address(sock.getpeername()[0].partition("%")[0]).is_global:
            sock.close()
            raise ConnectionRefusedError("a private address")

    def seconds_left(self) -> float:
        """Return the seconds until the deadline. Raises TimeoutError when it has passed."""
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time for the whole call is over")
        return left

    def limit(self, sock: Any) -> None:
        """Let the next read end at the deadline, or after too long a silence, whichever comes first."""
        sock.settimeout(min(self._read_seconds, self.seconds_left()))


class _TimedSocket:
    """A connected socket whose reader asks the line for its time-out before each read: headers can drip, too."""

    def __init__(self, sock: Any, line: _Line) -> None:
        self._sock, self._line = sock, line

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return the file that the answer is read from; http.client asks for ``"rb"`` and nothing else."""
        return io.BufferedReader(_TimedReader(self._sock.makefile(mode, buffering=0), self._sock, self._line))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


class _TimedReader(io.RawIOBase):
    def __init__(self, raw: Any, sock: Any, line: _Line) -> None:
        super().__init__()
        self._raw, self._sock, self._line = raw, sock, line

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._line.limit(self._sock)
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Adapter(HTTPAdapter):
    """requests' transport with connections that know their line."""

    def __init__(self, line: _Line) -> None:
        self._line = line
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _timed(HTTPConnectionPool, HTTPConnection, self._line),
            "https": _timed(HTTPSConnectionPool, HTTPSConnection, self._line),
        }


def _timed(pool: type[HTTPConnectionPool], connection: type[HTTPConnection], line: _Line) -> type[HTTPConnectionPool]:
    def connect(self: Any) -> None:
        connection.connect(self)
        line.check_peer(self.sock)
        line.is_connected = True
        self.sock = _TimedSocket(self.sock, line)

    timed_connection = type(f"Timed{connection.__name__}", (connection,), {"connect": connect})
    return type(f"Timed{pool.__name__}", (pool,), {"ConnectionCls": timed_connection})


def _in_words(error: Exception, *, is_connected: bool) -> str:
    # The words of the error itself may hold the address with the token: only its kind is told.
    if isinstance(error, _TooLarge):
        return "the body is too large"
    if isinstance(error, requests.HTTPError):
        return str(error)
    if not is_connected:
        return f"no connection ({type(error).__name__})"
    return f"no whole answer ({type(error).__name__})"


def _is_not_ours(_record: logging.LogRecord) -> bool:
    return not getattr(_ours, "depth", 0)


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop what urllib3 logs in this thread meanwhile: its DEBUG lines and warnings carry addresses with tokens."""
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_is_not_ours)  # adding the same filter again changes nothing
    _ours.depth = getattr(_ours, "depth", 0) + 1
    try:
        yield
    finally:
        _ours.depth -= 1

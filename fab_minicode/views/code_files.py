"""Pictures as files: under the name of their code, never kept by anybody between, answered 304 where they are known."""

from __future__ import annotations

import io
import re
from typing import Any
from urllib.parse import quote

from flask import Response, request, send_file

from fab_minicode.models import Code

_EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg"}
_UNSAFE_IN_FILE_NAMES = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')


def picture_file(code: Code, picture: Any) -> Response:
    """Return the picture exactly as WeChat made it, to be kept under the code's name."""
    extension = _EXTENSIONS[picture.mime]
    answer = sent_file(picture.content, picture.mime, etag=picture.sha256)
    answer.headers.set("Content-Disposition", "attachment", **_names(code, extension))
    return answer


def sent_file(content: bytes, mime: str, *, etag: str) -> Response:
    """Return a picture to be shown."""
    answer = send_file(io.BytesIO(content), mime, etag=False)
    answer.set_etag(etag)
    answer.make_conditional(request)
    return private(answer)


def private(answer: Response) -> Response:
    """Let a picture be asked for each time (and mostly answered 304), so that a deleted code's is gone at once."""
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.headers["X-Content-Type-Options"] = "nosniff"
    return answer


def carries_bytes(answer: Response) -> bool:
    """Whether an answer with a file hands its bytes out: not to HEAD, and not to who has them already."""
    return request.method == "GET" and answer.status_code != 304


def _names(code: Code, extension: str) -> dict[str, str]:
    """Return the file's name as the header tells it: what is not ASCII beside a plain name for old programs."""
    stem = _UNSAFE_IN_FILE_NAMES.sub("_", str(code.name)).strip(" .")
    plain = f"code-{code.id}.{extension}"
    if not stem:
        return {"filename": plain}
    name = f"{stem}.{extension}"
    if name.isascii():
        return {"filename": name}
    # Made of the name itself it would be what is left of it: " .jpg", which is hidden on many machines.
    return {"filename": plain, "filename*": f"UTF-8''{quote(name, safe='')}"}

"""An answer that is a file, made while it is sent."""

from collections.abc import Iterator
from itertools import chain

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tidegate.services.log_table import Form


async def send_file(request: Request, parts: Iterator[bytes], form: Form, name: str) -> Response:
    """The parts, each made when the client has taken those before.

    What fails before the first is told as usual; after it the answer breaks off, which clients see.
    """
    headers = {
        "content-disposition": f'attachment; filename="{name}.{form.suffix}"',
        "content-encoding": "identity",  # at this rate compression would cost more than all else
        "vary": "authorization, cookie",
    }
    if request.method == "HEAD":
        return Response(None, headers=headers, media_type=form.media_type)
    first = await run_in_threadpool(next, parts, b"")
    return StreamingResponse(chain((first,), parts), headers=headers, media_type=form.media_type)

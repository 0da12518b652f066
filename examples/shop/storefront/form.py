"""Forms as browsers send them, within bounds."""

from urllib.parse import parse_qsl

from fastapi import HTTPException, Request

BYTES_MAX = 8 * 1024
FIELDS_MAX = 20


async def form_of(request: Request) -> dict[str, str]:
    """Return the fields of a form; of a field that comes twice, the last.

    Raises:
        HTTPException: 413 for a body that is too long, 422 for one that is no form.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BYTES_MAX:
            raise HTTPException(413, "This form is too long.")
    try:
        text = body.decode("utf-8")
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError as error:
        raise HTTPException(422, "This is not a form of the shop.") from error

"""Cross-origin requests from browsers (the Fetch standard's CORS protocol): off, unless the administrator lists
origins."""

from __future__ import annotations

from flask import Flask, Response, request

#: Request headers that a page may send, and response headers that it may read.
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
ASKED = (
    "Authorization, X-API-Key, Content-Type, Idempotency-Key, Prefer, Range, If-Range, If-Match, If-None-Match,"
    " Last-Event-ID"
)
SHOWN = "Location, ETag, Content-Range, Content-Disposition, Accept-Ranges, Retry-After, RateLimit, RateLimit-Policy"


class Origins:
    """The origins that the administrator lists, separated by commas; ``*`` is any."""

    def __init__(self, listed: str) -> None:
        self._listed = {origin.strip().rstrip("/").lower() for origin in listed.split(",") if origin.strip()}
        self.any = "*" in self._listed

    def __bool__(self) -> bool:
        return bool(self._listed)

    def allow(self, origin: str) -> bool:
        """Whether pages of ``origin`` may call the API."""
        return self.any or origin.lower() in self._listed


def add_cors(app: Flask, listed: str) -> None:
    """Allow pages of the ``listed`` origins to call the API. API keys are headers, never cookies, so credentials are
    never allowed."""
    origins = Origins(listed)
    if not origins:
        return

    @app.before_request
    def preflight() -> Response | None:
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return Response(status=204) if asks and origins.allow(request.headers.get("Origin", "")) else None

    @app.after_request
    def tell(answer: Response) -> Response:
        answer.vary.add("Origin")
        origin = request.headers.get("Origin", "")
        if origin and origins.allow(origin):
            answer.headers["Access-Control-Allow-Origin"] = "*" if origins.any else origin
            answer.headers["Access-Control-Expose-Headers"] = SHOWN
            if request.method == "OPTIONS":
                answer.headers["Access-Control-Allow-Methods"] = METHODS
                answer.headers["Access-Control-Allow-Headers"] = ASKED
                answer.headers["Access-Control-Max-Age"] = "600"
        return answer

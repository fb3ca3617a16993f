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
SHOWN = "Location, ETag, Content-Range, Content-Disposition, Accept-Ranges, Retry-After"


def add_cors(app: Flask, origins: str) -> None:
    """Allow pages of ``origins`` (separated by commas, or ``*``) to call the API. API keys are headers, never cookies,
    so credentials are never allowed."""
    allowed = {origin.strip().rstrip("/").lower() for origin in origins.split(",") if origin.strip()}
    if not allowed:
        return

    def is_allowed(origin: str) -> bool:
        return "*" in allowed or origin.lower() in allowed

    @app.before_request
    def preflight() -> Response | None:
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return Response(status=204) if asks and is_allowed(request.headers.get("Origin", "")) else None

    @app.after_request
    def tell(answer: Response) -> Response:
        answer.vary.add("Origin")
        origin = request.headers.get("Origin", "")
        if origin and is_allowed(origin):
            answer.headers["Access-Control-Allow-Origin"] = "*" if "*" in allowed else origin
            answer.headers["Access-Control-Expose-Headers"] = SHOWN
            if request.method == "OPTIONS":
                answer.headers["Access-Control-Allow-Methods"] = METHODS
                answer.headers["Access-Control-Allow-Headers"] = ASKED
                answer.headers["Access-Control-Max-Age"] = "600"
        return answer

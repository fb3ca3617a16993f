"""``/openapi.json``: the description of the API (OpenAPI 3.1), built from the code when the app starts.

Paths come from Flask's URL map, words from the docstrings of the view functions, shapes from pydantic models, and
the rest from the table in `api.openapi.operations`.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any, TypeAlias

from flask import Blueprint, Flask, Response, current_app, request
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from api.openapi.bodies import DOORS, Bodies, ref
from api.openapi.operations import OPERATIONS, TAGS, Operation, Reply
from api.openapi.parameters import HEADERS, LINKS, PATHS
from pipelines.connections import Connections
from schemas import requests
from schemas import responses as answers
from schemas import webhook_responses as webhook_answers
from storage.objects.uploads import UPLOAD_SECONDS

Document: TypeAlias = dict[str, Any]

routes = Blueprint("openapi", __name__)

_ABOUT = f"""
Text in, speech out, as **jobs**: `POST /v1/jobs` answers at once with a job's address; poll it, wait with
`Prefer: wait=N`, listen to its events, or let a webhook tell you. Recordings go the other way: speaker embeddings,
voice activity, transcripts.

Times are RFC 3339 in UTC, durations in seconds, rates in Hz, loudness in LUFS. Unknown fields are refused. Errors are
problem documents (RFC 9457): decide by `code`, and try again where `retryable` is true, after `Retry-After` seconds.
An upload may be used for {UPLOAD_SECONDS // 3600} hours.
"""

_PROBLEMS = {
    400: "The request cannot be parsed.",
    401: "A valid API key is needed.",
    403: "This API key does not allow that.",
    404: "There is no such thing.",
    409: "That cannot be done in the present state.",
    413: "The request is larger than is accepted.",
    416: "The audio has no such part.",
    422: "The request holds a value that is not allowed.",
    429: "Too many requests: wait a moment.",
    503: "The service cannot take this now; try again shortly.",
}

_RETRIED = (429, 503)

#: Operations as they are shown: in the order of the table.
_ORDER = {operation.id: number for number, operation in enumerate(OPERATIONS.values())}


@routes.get("/openapi.json")
def document() -> Response:
    """This description of the API, in OpenAPI 3.1."""
    answer = Response(current_app.extensions["openapi"], content_type="application/json")
    answer.headers["Cache-Control"] = "no-cache"
    answer.add_etag()
    answer.make_conditional(request)
    return answer


def publish(app: Flask) -> None:
    """Describes the routes that ``app`` has now."""
    context: Connections = app.extensions["chorus"]
    app.extensions["openapi"] = json.dumps(describe(app, context), ensure_ascii=False)


def describe(app: Flask, context: Connections) -> Document:
    """The OpenAPI document of ``app``."""
    declared = _declared()
    bodies = Bodies(declared=declared, catalog=context.catalog, pipelines=context.pipelines, settings=context.settings)
    examples = bodies.examples()
    published = sorted(_published(app, context), key=lambda found: _ORDER[found[1].id])
    ids = {operation.id for _, operation in published}
    used = {operation.tag for _, operation in published}
    paths: dict[str, dict[str, Any]] = {}
    for rule, operation in published:
        path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
        [method] = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        view = app.view_functions[rule.endpoint]
        paths.setdefault(path, {})[method.lower()] = _operation(operation, rule, view, examples, ids)
    document = {
        "openapi": "3.1.1",
        "info": {
            "title": "Chorus",
            "version": version("chorus-speech"),
            "summary": "A batch service for speech.",
            "description": _ABOUT.strip(),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}, {"key": []}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items() if name in used],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer KEY`"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
            "schemas": {**declared, **bodies.schemas()},
            "responses": {f"Problem{status}": _problem(status, text) for status, text in _PROBLEMS.items()},
        },
    }
    return _without_unused(document)


def _declared() -> dict[str, Any]:
    """Components of all models of requests and answers."""
    found = [
        model
        for module in (requests, answers, webhook_answers)
        for model in vars(module).values()
        if inspect.isclass(model) and issubclass(model, BaseModel) and model.__module__ == module.__name__
    ]
    _, schema = models_json_schema(
        [(model, "validation") for model in found], ref_template="#/components/schemas/{model}"
    )
    components: dict[str, Any] = schema["$defs"]
    return components


def _published(app: Flask, context: Connections) -> Iterator[tuple[Rule, Operation]]:
    for rule in app.url_map.iter_rules():
        operation = OPERATIONS.get(rule.endpoint)
        if operation is None:  # a test sees to it that there is none
            continue
        closed = operation.json in DOORS and DOORS[operation.json] not in context.pipelines
        if not operation.hidden and not closed:
            yield rule, operation


def _operation(
    operation: Operation, rule: Rule, view: Any, examples: Mapping[str, Mapping[str, Any]], ids: set[str]
) -> Document:
    summary, description = _words(view)
    own = {parameter["name"] for parameter in operation.parameters}
    in_path = [PATHS[name] for name in sorted(rule.arguments) if name not in own]
    found: Document = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": summary,
        "description": description,
        "parameters": [*in_path, *operation.parameters],
    }
    if operation.has_body:
        found["requestBody"] = _body(operation, examples)
    if operation.public:
        found["security"] = []
    problems = operation.all_problems(in_path=bool(rule.arguments))
    replies = {str(status): _reply(reply, ids) for status, reply in operation.replies.items()}
    found["responses"] = replies | {str(s): {"$ref": f"#/components/responses/Problem{s}"} for s in problems}
    return found


def _words(view: Any) -> tuple[str, str]:
    """Summary and description: the first sentence of a docstring, and all of it."""
    text = " ".join(inspect.cleandoc(view.__doc__ or "").split()).replace("``", "`")
    first = re.split(r"(?<=\.)\s", text, maxsplit=1)[0]
    return first.rstrip(".").replace("`", ""), text


def _body(operation: Operation, examples: Mapping[str, Mapping[str, Any]]) -> Document:
    content: Document = {}
    if operation.json:
        content["application/json"] = {"schema": ref(operation.json)}
        if operation.json in examples:
            named = {name: {"value": value} for name, value in examples[operation.json].items()}
            content["application/json"]["examples"] = named
    if operation.form:
        content["multipart/form-data"] = {"schema": ref(operation.form)}
    if operation.data:
        content["application/octet-stream"] = {}
    return {"required": not operation.body_optional, "content": content}


def _reply(reply: Reply, ids: set[str]) -> Document:
    found: Document = {"description": reply.text}
    if reply.model is not None:
        models = reply.model if isinstance(reply.model, tuple) else (reply.model,)
        refs = [ref(model.__name__) for model in models]
        found["content"] = {"application/json": {"schema": refs[0] if len(refs) == 1 else {"oneOf": refs}}}
    elif reply.media:
        found["content"] = {kind: {"schema": dict(schema)} if schema else {} for kind, schema in reply.media.items()}
    if reply.headers:
        found["headers"] = {name: HEADERS[name] for name in reply.headers}
    if reply.links:
        parameter, targets = LINKS[reply.links]
        found["links"] = {
            target: {"operationId": target, "parameters": {parameter: "$response.body#/id"}}
            for target in targets
            if target in ids
        }
    return found


def _problem(status: int, text: str) -> Document:
    found: Document = {"description": text, "content": {"application/problem+json": {"schema": ref("Problem")}}}
    if status == 401:
        found["headers"] = {"WWW-Authenticate": HEADERS["WWW-Authenticate"]}
    if status in _RETRIED:
        found["headers"] = {"Retry-After": HEADERS["Retry-After"]}
    return found


def _without_unused(document: Document) -> Document:
    """The document without components that nothing refers to."""
    components = document["components"]
    while True:
        referred = set(re.findall(r'"#/components/(\w+)/([\w.-]+)"', json.dumps(document)))
        unused = [
            (kind, name)
            for kind in ("schemas", "responses")
            for name in components[kind]
            if (kind, name) not in referred
        ]
        if not unused:
            return document
        for kind, name in unused:
            del components[kind][name]

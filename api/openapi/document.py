"""``/openapi.json``: the description of the API (OpenAPI 3.1), built from the code when the app starts.

Paths come from Flask's URL map, parameters and responses from each view's ``@operation``, texts from docstrings, shapes
from `schemas`, and request schemas that depend on the catalog from `api.openapi.bodies`.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, TypeAlias

from flask import Blueprint, Flask, Response, current_app, request
from pydantic import TypeAdapter

from api.openapi.bodies import RequestSchemas, ref
from api.openapi.operation import PUBLIC, Operation, ResponseSpec, operation, operation_of, scope_of
from api.openapi.parameters import HEADERS, PATHS
from core.errors import ChorusError
from core.names import Scope
from pipelines.candidates import available
from pipelines.connections import Connections
from schemas import key_responses, lexicon_responses, requests, responses, webhook_responses
from storage.objects.uploads import UPLOAD_SECONDS

Document: TypeAlias = dict[str, Any]

routes = Blueprint("openapi", __name__)

_ABOUT = f"""
Chorus is a batch service for speech. `POST /v1/jobs` creates a **job** and responds at once. Poll the job, wait for it
with `Prefer: wait=N`, stream its events, or register a webhook. Jobs synthesize speech from text, and compute speaker
embeddings, voice activity and transcripts of recordings.

Times are RFC 3339 in UTC, durations in seconds, sample rates in Hz, loudness in LUFS. Unknown fields are errors. Errors
are problem documents (RFC 9457): rely on `code`, and retry if `retryable` is true, after `Retry-After` seconds. An
upload can be used for {UPLOAD_SECONDS // 3600} hours.
"""

#: Tags in order: the description of each, and the blueprints whose operations have it.
TAGS = {
    "Jobs": (
        "Submit, poll, stream, cancel, retry and delete jobs.",
        ("jobs", "job_list", "job_streams", "job_times", "utterances"),
    ),
    "Speech": ("OpenAI's speech API.", ("speech", "captioned")),
    "Texts": ("What would be spoken of a text.", ("text",)),
    "Recordings": ("Process a recording in one call.", ("sync", "transcription")),
    "Batches": ("Many jobs, submitted and followed as one.", ("batches",)),
    "Voices": ("Model voices, and stored voices made from recordings.", ("voices",)),
    "Lexicons": ("How words are spoken: as other words, or as IPA.", ("lexicons",)),
    "Uploads": ("Files that are too large for a JSON body.", ("uploads",)),
    "Webhooks": ("Webhook endpoints and their deliveries.", ("webhooks",)),
    "Catalog": ("Pipelines and models.", ("catalog",)),
    "Keys": ("API keys, the limits of their owners, and what they use.", ("keys", "usage")),
    "Operation": ("Health, metrics and this description.", ("health", "openapi", "docs")),
}

#: The path parameter for the id of a response: links lead to the operations with that parameter.
_LINKED: dict[Any, str] = {
    responses.Job: "job_id",
    responses.AcceptedJob: "job_id",
    responses.Batch: "batch_id",
    responses.StoredVoice: "voice_id",
    lexicon_responses.LexiconSummary: "lexicon_id",
    lexicon_responses.Lexicon: "lexicon_id",
    responses.Upload: "upload",
    webhook_responses.WebhookEndpoint: "endpoint_id",
    webhook_responses.NewWebhookEndpoint: "endpoint_id",
    webhook_responses.Delivery: "delivery_id",
    key_responses.ApiKey: "key_id",
    key_responses.NewApiKey: "key_id",
}


@routes.get("/openapi.json")
@operation(
    "getDescription", {200: ResponseSpec(text="This description.", media={"application/json": {"type": "object"}})}
)
def document() -> Response:
    """Retrieve this description of the API, in OpenAPI 3.1."""
    answer = Response(current_app.extensions["openapi"], content_type="application/json")
    answer.headers["Cache-Control"] = "no-cache"
    answer.add_etag()
    answer.make_conditional(request)
    return answer


def publish(app: Flask) -> None:
    """Describe the current routes of ``app``."""
    context: Connections = app.extensions["chorus"]
    app.extensions["openapi"] = json.dumps(describe(app, context), ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class _Published:
    """An operation at its place: ``rule`` as Flask writes its path, ``path`` as OpenAPI does, ``arguments`` the names
    of its parts."""

    operation: Operation
    view: Callable[..., Any]
    tag: str
    method: str
    rule: str
    path: str
    arguments: list[str]

    @property
    def public(self) -> bool:
        """Whether it needs no key."""
        return self.rule in PUBLIC

    @property
    def scope(self) -> Scope | None:
        """The scope that its key must have."""
        return scope_of(self.operation, self.method)

    @property
    def parameters(self) -> list[Mapping[str, Any]]:
        """Those of its path first, as `PATHS` has them or the view itself."""
        own = {parameter["name"] for parameter in self.operation.parameters}
        return [*(PATHS[name] for name in self.arguments if name not in own), *self.operation.parameters]

    @property
    def errors(self) -> dict[int, type[ChorusError]]:
        """The errors that it may respond with, by status."""
        return self.operation.all_errors(public=self.public, in_path=bool(self.arguments))


def describe(app: Flask, context: Connections) -> Document:
    """The OpenAPI document of ``app``."""
    published = list(_published(app, context))
    declared = _declared(published)
    narrowed = RequestSchemas(
        declared=declared,
        catalog=context.catalog,
        pipelines=available(context.pipelines, context.catalog),
        settings=context.settings,
    )
    examples, targets = narrowed.examples(), _targets(published)
    paths: dict[str, dict[str, Any]] = {}
    for one in published:
        paths.setdefault(one.path, {})[one.method] = _operation(one, examples, targets)
    used = {one.tag for one in published}
    errors = {status: error for one in published for status, error in one.errors.items()}
    return {
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
        "tags": [{"name": name, "description": text} for name, (text, _) in TAGS.items() if name in used],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer KEY`"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
            "schemas": {**declared, **narrowed.schemas()},
            "responses": {f"Problem{status}": _problem(errors[status]) for status in sorted(errors)},
        },
    }


def _published(app: Flask, context: Connections) -> Iterator[_Published]:
    """Operations in the order of the tags, and of the routes within each."""
    for tag, (_, blueprints) in TAGS.items():
        for rule in app.url_map.iter_rules():
            view = app.view_functions[rule.endpoint]
            found = operation_of(view) if rule.endpoint.split(".")[0] in blueprints else None
            if found and (found.pipeline is None or found.pipeline in context.pipelines):
                [method] = (rule.methods or set()) - {"HEAD", "OPTIONS"}
                path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
                yield _Published(found, view, tag, method.lower(), rule.rule, path, sorted(rule.arguments))


def _declared(published: list[_Published]) -> dict[str, Any]:
    """Components of all shapes that the operations name, and of those within."""
    named: list[Any] = [requests.JobRequest, responses.Problem]
    for one in published:
        named += [one.operation.body] if isinstance(one.operation.body, type) else []
        named += [shape for spec in one.operation.responses.values() for shape in spec.shapes]
    adapters = [(shape, "validation", TypeAdapter(shape)) for shape in dict.fromkeys(named)]
    _, schema = TypeAdapter.json_schemas(adapters, ref_template="#/components/schemas/{model}")  # type: ignore[arg-type]
    components: dict[str, Any] = schema["$defs"]
    return components


def _targets(published: list[_Published]) -> dict[str, list[str]]:
    """By path parameter, the operations on the resource that it identifies."""
    found: dict[str, list[str]] = {}
    for one in published:
        for name in one.arguments:
            if PATHS[name] in one.parameters:
                found.setdefault(name, []).append(one.operation.id)
    return found


def _operation(
    one: _Published, examples: Mapping[str, Mapping[str, Any]], targets: Mapping[str, list[str]]
) -> Document:
    said = one.operation
    summary, description = _words(one.view)
    found: Document = {
        "operationId": said.id,
        "tags": [one.tag],
        "summary": summary,
        "description": description,
        "parameters": one.parameters,
    }
    if said.body or said.file:
        found["requestBody"] = {"required": not said.optional, "content": _content(said, examples)}
    if one.public:
        found["security"] = []
    elif one.scope is not None:
        found["security"] = [{"bearer": [one.scope]}, {"key": [one.scope]}]
        found["description"] += f" Needs the scope `{one.scope}`."
    problems = {str(s): {"$ref": f"#/components/responses/Problem{s}"} for s in one.errors}
    found["responses"] = {str(status): _response(spec, targets) for status, spec in said.responses.items()} | problems
    return found


def _words(view: Any) -> tuple[str, str]:
    """Summary and description: the first sentence of a docstring, and all of it."""
    text = " ".join(inspect.cleandoc(view.__doc__ or "").split()).replace("``", "`")
    first = re.split(r"(?<=\.)\s", text, maxsplit=1)[0]
    return first.rstrip(".").replace("`", ""), text


def _content(said: Operation, examples: Mapping[str, Mapping[str, Any]]) -> Document:
    if said.component is None:
        return {"application/octet-stream": {}}
    if said.component.endswith("Form"):
        return {"multipart/form-data": {"schema": ref(said.component)}}
    content: Document = {"application/json": {"schema": ref(said.component)}}
    if said.component in examples:
        named = {name: {"value": value} for name, value in examples[said.component].items()}
        content["application/json"]["examples"] = named
    if said.form:
        content["multipart/form-data"] = {"schema": ref(said.component.removesuffix("Request") + "Form")}
    return content


def _response(spec: ResponseSpec, targets: Mapping[str, list[str]]) -> Document:
    text = _words(spec.shapes[0])[0] + "." if spec.shapes else "It is gone."
    found: Document = {"description": spec.text or text}
    refs = [ref(shape.__name__) for shape in spec.shapes]
    content = {kind: {"schema": dict(schema)} if schema else {} for kind, schema in (spec.media or {}).items()}
    if refs:
        content = {"application/json": {"schema": refs[0] if len(refs) == 1 else {"oneOf": refs}}, **content}
    if content:
        found["content"] = content
    if spec.headers:
        found["headers"] = {name: HEADERS[name] for name in spec.headers}
    for part in dict.fromkeys(_LINKED[shape] for shape in spec.shapes if shape in _LINKED):
        named = {part: "$response.body#/id"}
        found["links"] = {target: {"operationId": target, "parameters": named} for target in targets[part]}
    return found


def _problem(error: type[ChorusError]) -> Document:
    text = " ".join((error.__doc__ or "").split())
    found: Document = {"description": text, "content": {"application/problem+json": {"schema": ref("Problem")}}}
    headers = ["WWW-Authenticate"] if error.status == 401 else ["Retry-After"] if error.retryable else []
    if error.status == 429:
        headers += ["RateLimit", "RateLimit-Policy"]
    if headers:
        found["headers"] = {name: HEADERS[name] for name in headers}
    return found

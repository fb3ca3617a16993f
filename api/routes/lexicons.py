"""``/v1/lexicons``: how words are spoken, in versions that never change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, jsonify, request

from api.context import context, owner
from api.http.json_body import read_bytes, read_json
from api.http.query import only, page_number
from api.job_views import views
from api.openapi.operation import ResponseSpec, operation
from api.openapi.parameters import ETAG, IF_MATCH, LEXICON_VERSION, LOCATION
from core.errors import Conflict, PreconditionFailed
from pipelines import lexicons
from schemas import lexicon_responses as responses
from schemas.lexicon_requests import LexiconChange, LexiconHead, LexiconRequest
from storage.lexicons import StoredLexicon
from text.lexicon import Entry
from text.lexicon.files import read_pls, read_table

routes = Blueprint("lexicons", __name__, url_prefix="/v1/lexicons")

#: Media types of lexicons that are not JSON.
_DELIMITERS = {"text/csv": ",", "text/tab-separated-values": "\t"}
_PLS = ("application/pls+xml", "application/xml", "text/xml")

#: The highest version that may be asked for.
_LAST = 999_999_999


@dataclass(frozen=True, slots=True)
class _Sent:
    """What a request has of a lexicon."""

    name: str | None
    language: str | None
    entries: Iterable[Entry] | None


@routes.post("")
@operation(
    "createLexicon",
    {201: ResponseSpec(responses.Lexicon, headers=(*LOCATION, *ETAG))},
    body=LexiconRequest,
    errors=(Conflict,),
)
def create() -> tuple[Response, int, dict[str, str]]:
    """Create a lexicon. Instead of JSON, the body can be `application/pls+xml`, `text/csv` or
    `text/tab-separated-values`, with `name` and `language` in the query."""
    sent = _sent(LexiconRequest, LexiconHead)
    content = lexicons.content_of(sent.name or "", sent.language or "", sent.entries or ())
    made = context().lexicons.create(owner(), content)
    answer, status, headers = _shown(made, lexicons.read_entries(content.data), 201)
    return answer, status, {"Location": views().lexicon(made)["links"]["self"], **headers}


@routes.get("")
@operation("listLexicons", {200: responses.LexiconList})
def list_lexicons() -> Response:
    """List lexicons in their latest versions, without their entries."""
    data = [views().lexicon(one) for one in context().lexicons.of(owner())]
    return jsonify(responses.LexiconList(object="list", data=data))


@routes.get("/<lexicon_id>")
@operation("getLexicon", {200: ResponseSpec(responses.Lexicon, headers=ETAG)}, parameters=(LEXICON_VERSION,))
def get(lexicon_id: str) -> tuple[Response, int, dict[str, str]]:
    """Retrieve a lexicon with its entries: the latest version, or another one."""
    only(("version",))
    version = page_number("version", 0, 1, _LAST) or None
    return _stored(context().lexicons.get(owner(), lexicon_id, version))


@routes.put("/<lexicon_id>")
@operation(
    "replaceLexicon",
    {200: ResponseSpec(responses.Lexicon, headers=ETAG)},
    body=LexiconRequest,
    parameters=(IF_MATCH,),
    errors=(Conflict, PreconditionFailed),
)
def replace(lexicon_id: str) -> tuple[Response, int, dict[str, str]]:
    """Replace a lexicon: add a version, unless nothing changes. The body can have the media types of `createLexicon`;
    then name and language are kept if the query does not have them."""
    return _change(lexicon_id, _sent(LexiconRequest, LexiconChange))


@routes.patch("/<lexicon_id>")
@operation(
    "changeLexicon",
    {200: ResponseSpec(responses.Lexicon, headers=ETAG)},
    body=LexiconChange,
    parameters=(IF_MATCH,),
    errors=(Conflict, PreconditionFailed),
)
def change(lexicon_id: str) -> tuple[Response, int, dict[str, str]]:
    """Change a lexicon's name, language or entries: add a version, unless nothing changes."""
    return _change(lexicon_id, _sent(LexiconChange, LexiconChange))


@routes.delete("/<lexicon_id>")
@operation("deleteLexicon", {204: None})
def delete(lexicon_id: str) -> Response:
    """Delete a lexicon. Jobs that use it are not affected."""
    context().lexicons.delete(owner(), lexicon_id)
    return Response(status=204)


def _change(lexicon_id: str, sent: _Sent) -> tuple[Response, int, dict[str, str]]:
    latest, expected = context().lexicons.get(owner(), lexicon_id), None
    if "If-Match" in request.headers and not request.if_match.star_tag:
        if not request.if_match.contains(str(latest.version)):
            raise PreconditionFailed(f"The latest version of the lexicon is {latest.version}.", code="lexicon_changed")
        expected = latest.version
    changed = lexicons.change(
        context(),
        owner(),
        lexicon_id,
        name=sent.name,
        language=sent.language,
        entries=sent.entries,
        expected=expected,
    )
    return _stored(changed)


def _sent(json: type[LexiconRequest | LexiconChange], query: type[LexiconHead | LexiconChange]) -> _Sent:
    """A lexicon in the body: JSON of the shape ``json``, or a file, with fields of the shape ``query`` in the query."""
    kind = request.mimetype
    if kind not in _PLS and kind not in _DELIMITERS:
        asked = json.model_validate(read_json())
        entries = None if asked.entries is None else lexicons.entries_of(asked.entries)
        return _Sent(asked.name, asked.language, entries)
    only(("name", "language"))
    given = dict(request.args.items())
    found: Iterable[Entry]
    if kind in _PLS:
        file = read_pls(read_bytes())
        found = file.entries
        if file.language is not None:
            given.setdefault("language", file.language)
    else:
        found = read_table(read_bytes(), _DELIMITERS[kind])
    head = query.model_validate(given)
    return _Sent(head.name, head.language, found)


def _stored(lexicon: StoredLexicon) -> tuple[Response, int, dict[str, str]]:
    return _shown(lexicon, lexicons.read_entries(context().lexicons.data(lexicon)), 200)


def _shown(lexicon: StoredLexicon, entries: Sequence[Entry], status: int) -> tuple[Response, int, dict[str, str]]:
    shown = [
        responses.LexiconEntry(
            word=entry.word,
            say=entry.say,
            ipa=entry.ipa,
            case_sensitive=entry.case_sensitive,
            whole_word=entry.whole_word,
        )
        for entry in entries
    ]
    view = responses.Lexicon(**views().lexicon(lexicon), entries=shown)
    return jsonify(view), status, {"ETag": f'"{lexicon.version}"'}

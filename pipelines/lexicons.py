"""Lexicons: their entries as they are sent and stored, and the versions that a job uses."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from core.errors import Conflict, FieldError, InvalidRequest, InvalidText, NotFound, PreconditionFailed, TooLarge
from models.catalog import speaks
from pipelines.connections import Connections
from schemas.lexicon_requests import MAX_ENTRIES, LexiconEntryInput
from schemas.requests import LexiconInput, TextRequest
from storage.ledger.documents import LexiconDocument
from storage.lexicons import LexiconContent, StoredLexicon
from text.lexicon import Entry, checked

#: Characters of all entries of a lexicon together.
MAX_CHARACTERS = 500_000

_MOST_ERRORS = 50

#: Tries of a change that others get ahead of.
_TRIES = 50


def entries_of(sent: Iterable[LexiconEntryInput]) -> Iterator[Entry]:
    """The entries as they were sent."""
    return (Entry(one.word, one.say, one.ipa, one.case_sensitive, one.whole_word) for one in sent)


def content_of(name: str, language: str, entries: Iterable[Entry]) -> LexiconContent:
    """A version of a lexicon, its entries checked and in one form.

    Raises `TooLarge` (``too_many_entries``, ``lexicon_too_large``), or `InvalidText`, which names the entries:
    ``invalid_word``, ``invalid_say``, ``invalid_ipa``, ``duplicate_word``.
    """
    found = _checked(entries)
    data = json.dumps([_shape(entry) for entry in found], ensure_ascii=False, separators=(",", ":")).encode()
    return LexiconContent(
        name=name, language=language, entries=len(found), data=data, sha256=hashlib.sha256(data).hexdigest()
    )


def read_entries(data: bytes) -> list[Entry]:
    """The entries of a version, as `content_of` has packed them."""
    return [Entry(**shape) for shape in json.loads(data)]


def change(
    connections: Connections,
    owner: str,
    lexicon: str,
    *,
    name: str | None,
    language: str | None,
    entries: Iterable[Entry] | None,
    expected: int | None,
) -> StoredLexicon:
    """Add a version to a lexicon; what is None stays as it is. ``expected``: only to this version.

    Raises what `content_of` and `Lexicons.change` raise, and `Conflict` if others change the lexicon all the time.
    """
    lexicons = connections.lexicons
    sent = None if entries is None else content_of(name or "", language or "", entries)
    if sent is not None and name and language:
        return lexicons.change(owner, lexicon, sent, expected)
    for _ in range(_TRIES):
        latest = lexicons.get(owner, lexicon)
        content = sent or LexiconContent(
            name="", language="", entries=latest.entries, data=lexicons.data(latest), sha256=latest.sha256
        )
        content = replace(content, name=name or latest.name, language=language or latest.language)
        try:
            return lexicons.change(owner, lexicon, content, expected or latest.version)
        except PreconditionFailed:
            if expected is not None:
                raise
    raise Conflict("The lexicon is being changed by others. Try again later.", code="lexicon_changing")


def lexicons_of(
    connections: Connections, owner: str, body: TextRequest, language: str | None
) -> tuple[LexiconDocument, ...]:
    """The versions of lexicons that a job uses; ``language`` is that of its voice.

    Raises `InvalidRequest`: ``lexicon_not_found``, ``lexicon_language`` or ``unused_input``.
    """
    if body.lexicons and body.text is None and body.chapters is None:
        raise _wrong("lexicons", "unused_input", "Lexicons are only used with a text.")
    return tuple(
        _document(connections, owner, f"lexicons.{number}", one, language or "")
        for number, one in enumerate(body.lexicons)
    )


def _document(
    connections: Connections, owner: str, field: str, asked: str | LexiconInput, language: str
) -> LexiconDocument:
    name, version = (asked, None) if isinstance(asked, str) else (asked.id, asked.version)
    try:
        found = connections.lexicons.get(owner, name, version)
    except NotFound as error:
        raise _wrong(field, error.code, error.message) from error
    if not speaks(language, found.language):
        detail = f"The lexicon is for {found.language}; the voice speaks {language}."
        raise _wrong(field, "lexicon_language", detail)
    return LexiconDocument(id=found.id, version=found.version, object=found.object)


def _checked(entries: Iterable[Entry]) -> Sequence[Entry]:
    found: list[Entry] = []
    known: dict[tuple[str, bool, bool], int] = {}
    wrong: list[FieldError] = []
    characters = 0
    for number, given in enumerate(entries):
        if number >= MAX_ENTRIES:
            raise TooLarge(f"A lexicon can have at most {MAX_ENTRIES} entries.", code="too_many_entries")
        characters += len(given.word) + len(given.say or given.ipa or "")
        if characters > MAX_CHARACTERS:
            detail = f"The entries of a lexicon can have at most {MAX_CHARACTERS} characters together."
            raise TooLarge(detail, code="lexicon_too_large")
        try:
            entry = checked(given)
            if (other := known.setdefault(entry.key, number)) != number:
                raise InvalidText(f"The word is already in entry {other}.", code="duplicate_word")
        except InvalidText as error:
            part = {"invalid_say": "say", "invalid_ipa": "ipa"}.get(error.code, "word")
            wrong.append(FieldError(f"entries.{number}.{part}", error.code, error.message))
            if len(wrong) == _MOST_ERRORS:
                break
        else:
            found.append(entry)
    if wrong:
        first = wrong[0]
        raise InvalidText(f"{first.field}: {first.detail}", code=first.code, fields=wrong)
    return found


def _shape(entry: Entry) -> dict[str, object]:
    """An entry without what it has by default."""
    shape: dict[str, object] = {"word": entry.word}
    if entry.say is not None:
        shape["say"] = entry.say
    if entry.ipa is not None:
        shape["ipa"] = entry.ipa
    if entry.case_sensitive:
        shape["case_sensitive"] = True
    if not entry.whole_word:
        shape["whole_word"] = False
    return shape


def _wrong(field: str, code: str, detail: str) -> InvalidRequest:
    return InvalidRequest(detail, code=code, fields=[FieldError(field, code, detail)])

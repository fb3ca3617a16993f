"""What Schemathesis is told beyond the description: loaded by it, through ``SCHEMATHESIS_HOOKS``."""

from __future__ import annotations

import base64
import itertools
import json
import os
from typing import Any

import schemathesis
from schemathesis.openapi.checks import RejectedPositiveData

from api.context import LOCAL_OWNER
from api.openapi.bodies import SAMPLE

#: Options of the simulated model that take its time or end its process on purpose.
_HARMFUL = ("batch_seconds", "item_seconds", "fail")

_NUMBERS = itertools.count()

#: Where webhooks may go, and nobody listens.
ALLOWED = "127.0.0.1:9"

#: Endpoints that are made at the most, and how many there are.
_ENDPOINTS = 12
_endpoints = 0

#: Ids of the API keys that the test needs to the end, and what stands for them and for their owner in requests.
KEPT_KEYS = os.environ.get("CHORUS_KEPT_KEYS", "").split()
NOBODY = {"key_id": "key_0000000000000000", "owner": "nobody"}

#: Fields that hold audio.
_RECORDINGS = ("recording", "reference", "recordings")

#: Why a request that fits its schema may be refused: what JSON Schema cannot say. By the problem's code, and where
#: that is a general one by the field that it names.
SEMANTIC = {
    "invalid_days": "a first day is not after the last one",
    "idempotency_key_reused": "a key stands for one body",
    "invalid_event_id": "an event's id is good for one job alone",
    "invalid_value cursor": "a cursor is one that a page gave",
    "invalid_value segments": "a segment ends after it starts",
    "number_out_of_range": "of a field that is passed over, JSON Schema bounds nothing within",
    "no_words": "a text needs a letter or a digit",
    "invalid_word": "which characters are words is no pattern",
    "invalid_say": "which characters are words is no pattern",
    "invalid_ipa": "which characters are IPA is no short pattern",
    "duplicate_word": "two entries may be alike",
    "lexicon_changed": "which version is the latest is known to the ledger",
    "lexicon_not_found": "an id names what is there",
    "lexicon_language": "a lexicon's language is to be that of the voice",
    "invalid_markup": "what a text with markup may look like is no pattern",
    "empty_text": "of several chapters one needs text, whichever",
    "not_base64": "base64 has a length and no stray bits at its end",
    "empty_audio": "that is in what the bytes mean",
    "unreadable_audio": "that is in what the bytes mean",
    "no_audio_stream": "that is in what the bytes mean",
    "audio_too_short": "that is in what the bytes mean",
    "invalid_cover": "that is in what the bytes mean",
    "no_text": "which pipelines speak a text follows from their steps",
    "upload_empty": "an upload needs a byte; and one is used that nothing was put to",
    "invalid_embedding": "that is in what the bytes mean",
    "embedding_of_another_model": "which model a job takes follows from its pipeline",
    "url_malformed": "what two parsers might read in two ways is refused",
    "url_scheme_not_allowed": "a scheme may be written in either case",
    "url_has_credentials": "a user's name may stand in a URL, and not here",
    "url_not_allowed": "which addresses are public is known to the network",
    "url_port_not_allowed": "which ports may be called is a setting",
    "url_not_resolved": "which hosts there are is known to the network",
    "range_not_satisfiable": "how long the audio is follows from the text",
    "invalid_value format": "a format is looked at where the audio is to flow",
    "webhook_not_found": "an id names what is there",
    "voice_not_found": "an id names what is there",
    "voice_failed": "a voice becomes good or bad after it is made",
    "voice_of_another_pipeline": "a stored voice serves the pipelines that it was made for",
    "unknown_voice": "a model's voice serves the pipelines with that model",
    "unused_input": "segments are of use with a recording only, a stored voice in cloning only",
    "nothing_to_do": "what is brought may be all that was asked for",
    "unknown_step": "which steps run follows from what is brought",
    "unsuitable_model": "which model a step takes follows from the way in which speech is found",
    "unknown_option": "which options there are follows from the steps that run",
    "two_voices": "a stored voice stands for a reference",
    "no_model": "which models find speech is known to the catalog",
    "invalid_id": "Schemathesis guesses that a PUT takes the id of a job of ours",
}

#: The same for multipart forms, whose fields depend on each other more than their schema says.
SEMANTIC_IN_FORMS = {
    "not_json": "'job' is any string",
    "missing_text": "which inputs are needed follows from the pipeline",
    "missing_recording": "which inputs are needed follows from the pipeline",
    "missing_reference": "which inputs are needed follows from the pipeline",
    "unknown_language": "which languages there are follows from the pipeline",
    "invalid_value language": "a form's strings are not described further",
    "invalid_value voice": "a form's strings are not described further",
}

#: The same for speech, whose fields are those of several APIs, and whose job ends before the answer begins.
SEMANTIC_IN_SPEECH = {
    "unknown_language": "languages may be written as names, and follow from the voice",
    "unsupported_sample_rate": "which rates there are follows from the format",
    "invalid_value body": "language and lang_code say the same",
    "invalid_value normalization_options": "single parts of it cannot be left out",
    "invalid_value ref_audio": "a reference may look like the address of a file",
    "invalid_value speed": "which speeds there are follows from the voice",
    "missing_reference": "Base needs a reference",
    "invalid_voice_mix": "weights of a mix are bounded",
    "no_cloning_model": "what clones is known to the catalog",
    "upload_not_found": "an id names what is there",
    "invalid_text": "which words can be spoken follows from the voice",
    "text_too_long": "which words can be spoken follows from the voice",
}


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: Any, kwargs: dict[str, Any]) -> None:
    """Lets requests get further: as they are drawn, most would be refused for the same reasons.

    And lets no job ask the simulated model to crash, or to sleep for an hour, and no request take away the keys that
    the test itself needs, or limit their owner."""
    number = next(_NUMBERS)
    for name, kept in (("key_id", KEPT_KEYS), ("owner", [LOCAL_OWNER])):
        if (case.path_parameters or {}).get(name) in kept:
            case.path_parameters[name] = NOBODY[name]
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and 1 <= len(key) <= 255:
        case.headers["Idempotency-Key"] = f"{key[:200]}-{number}"
    if case.operation.definition.raw.get("operationId") == "putJob" and number % 2:
        case.path_parameters["job_id"] = f"own-{number}"
    if case.media_type == "application/json" and isinstance(case.body, dict):
        case.body = {name: _changed(name, value) for name, value in case.body.items()}
        if case.operation.definition.raw.get("operationId") == "createWebhook":
            _let_some_in(case.body)


def _let_some_in(body: dict[str, Any]) -> None:
    """A few endpoints have a URL that may be called: as they are drawn, none has. A few, since each is told of every
    job."""
    global _endpoints
    if isinstance(body.get("url"), str) and body["url"] and _endpoints < _ENDPOINTS:
        _endpoints += 1
        body["url"] = f"http://{ALLOWED}/{_endpoints}"


def _changed(name: str, value: Any) -> Any:
    if name == "options" and isinstance(value, dict):
        return {name: option for name, option in value.items() if name not in _HARMFUL}
    return _heard(value) if name in _RECORDINGS else value


def _heard(value: Any) -> Any:
    """A source of audio with speech in it in place of one of noise; what is wrong about it stays so."""
    if isinstance(value, list):
        return [_heard(item) for item in value]
    if isinstance(value, dict) and _is_base64(value.get("base64")):
        return {**value, "base64": SAMPLE}
    return value


def _is_base64(value: Any) -> bool:
    try:
        return isinstance(value, str) and bool(base64.b64decode(value, validate=True))
    except ValueError:
        return False


@schemathesis.hook
def filter_failure(context: schemathesis.HookContext, failure: Any, case: Any, response: Any) -> bool:
    """Lets requests that fit their schema be refused for the reasons above, and for no other."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    known = SEMANTIC | SEMANTIC_IN_FORMS if case.media_type == "multipart/form-data" else SEMANTIC
    if case.operation.definition.raw.get("operationId") == "createSpeech":
        known = known | SEMANTIC_IN_SPEECH
    return not _reasons(response.text) & known.keys()


def _reasons(text: str) -> set[str]:
    """A problem's code, by itself and with the first word of the field that it names."""
    try:
        problem = json.loads(text)
        code = str(problem["code"])
        return {code, *(f"{code} {error['field'].split('.')[0]}" for error in problem["errors"])}
    except (ValueError, KeyError, TypeError):
        return set()

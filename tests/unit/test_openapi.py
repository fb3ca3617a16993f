"""The OpenAPI description, and the page that shows it: made from the routes, valid, and true to the catalog."""

from __future__ import annotations

import dataclasses
import json
import re
from types import SimpleNamespace
from typing import Any

import jsonschema_rs
import pytest
import schemathesis
from chorus_client import models
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from api.app import _add_routes
from api.http.problems import add_error_handlers
from api.openapi.bodies import SYNC_ENDPOINTS
from api.openapi.document import TAGS
from api.openapi.operation import operation_of
from audio.formats import check_output
from core.errors import InvalidRequest
from core.names import AudioFormat, SampleEncoding
from core.settings import Settings
from models.catalog import load_catalog, speaks
from pipelines.definitions import load_pipelines

METHODS = {"get", "post", "put", "patch", "delete"}


def app_with(**changes: Any) -> Flask:
    """An app with all routes and no connections: enough to be described."""
    app = Flask("described", static_folder=None)
    context = {"settings": Settings(), "catalog": load_catalog(), "pipelines": load_pipelines(), **changes}
    app.extensions["chorus"] = SimpleNamespace(**context)
    add_error_handlers(app)
    _add_routes(app)
    return app


def described(app: Flask) -> dict[str, Any]:
    found: dict[str, Any] = app.test_client().get("/openapi.json").get_json()
    return found


@pytest.fixture(scope="module")
def app() -> Flask:
    return app_with()


@pytest.fixture(scope="module")
def document(app: Flask) -> dict[str, Any]:
    return described(app)


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = [entry for path in document["paths"].values() for entry in path.values()]
    assert len({entry["operationId"] for entry in found}) == len(found)
    return {entry["operationId"]: entry for entry in found}


def validator(document: dict[str, Any], component: str) -> jsonschema_rs.Validator:
    schema = {"$ref": f"#/components/schemas/{component}", "components": document["components"]}
    return jsonschema_rs.Draft202012Validator(schema)


def is_described(view: Any) -> bool:
    try:
        operation_of(view)
    except KeyError:
        return False
    return True


def test_every_route_is_described(app: Flask, document: dict[str, Any]) -> None:
    views = {rule.endpoint: app.view_functions[rule.endpoint] for rule in app.url_map.iter_rules()}
    unknown = {endpoint for endpoint, view in views.items() if not is_described(view)}
    assert not unknown, "these views need an @operation"
    shown = [found for view in views.values() if (found := operation_of(view))]
    assert set(operations(document)) == {operation.id for operation in shown}


def test_it_is_valid(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(document).validate()
    for name, schema in document["components"]["schemas"].items():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})
        validator(document, name)  # all its references lead somewhere
    text = json.dumps(document)
    for kind, name in re.findall(r'"#/components/(\w+)/([^"]+)"', text):
        assert name in document["components"][kind], name


def test_each_operation_says_what_it_does(document: dict[str, Any]) -> None:
    found = operations(document)
    for name, operation in found.items():
        assert operation["summary"], name
        assert operation["tags"][0] in TAGS, name
        assert any(status.startswith(("2", "3")) for status in operation["responses"]), name
        for reply in operation["responses"].values():
            assert {link["operationId"] for link in reply.get("links", {}).values()} <= found.keys()
    assert found["createJob"]["responses"]["202"]["links"].keys() >= {"getJob", "cancelJob", "deleteJob"}


def test_what_asks_for_a_key_says_so(document: dict[str, Any]) -> None:
    assert document["security"] == [{"bearer": []}, {"key": []}]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            public = operation.get("security") == []
            assert public == (not path.startswith(("/v1/", "/dev/"))), path
            assert public == ("401" not in operation["responses"]), path


def test_each_operation_names_the_scope_of_its_key(document: dict[str, Any]) -> None:
    scopes = {
        name: [next(iter(way.values())) for way in operation["security"]]
        for name, operation in operations(document).items()
        if operation.get("security")
    }
    assert scopes["createJob"] == [["jobs:write"], ["jobs:write"]] and scopes["getJob"] == [["jobs:read"]] * 2
    assert scopes["createVoice"] == [["voices:write"]] * 2 and scopes["createKey"] == [["admin"]] * 2
    assert "getCurrentKey" not in scopes  # any key


def test_the_path_parameters_are_those_of_the_path(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            named = [p["name"] for p in operation["parameters"] if p["in"] == "path"]
            assert named == re.findall(r"\{(\w+)\}", path)


def test_every_example_fits_its_schema(document: dict[str, Any]) -> None:
    seen = 0
    for operation in operations(document).values():
        for content in operation.get("requestBody", {}).get("content", {}).values():
            for example in content.get("examples", {}).values():
                validator(document, content["schema"]["$ref"].rpartition("/")[2]).validate(example["value"])
                seen += 1
    assert seen >= len(load_pipelines()) + len(SYNC_ENDPOINTS)


@pytest.mark.parametrize(
    ("job", "fits"),
    [
        ({"pipeline": "piper", "text": "Hello."}, True),
        ({"pipeline": "piper", "text": "Hello.", "voice": "joe", "language": "EN_us"}, True),
        ({"pipeline": "piper", "text": "Hello.", "options": {"speed": 2, "seed": 7}}, True),
        ({"pipeline": "piper", "chapters": [{"text": "Hello."}]}, True),
        ({"pipeline": "kokoro", "text": "Hello.", "voice": "jf_alpha:0.6+jm_kumo:0.4"}, True),
        ({"pipeline": "voice_match", "text": "Hello.", "voice": f"vo_{'0' * 24}"}, True),
        ({"pipeline": "vad", "recording": {"url": "https://example.com/a.wav"}}, True),
        ({"pipeline": "piper"}, False),
        ({"pipeline": "piper", "text": ""}, False),
        ({"pipeline": "piper", "text": "Hello.", "chapters": [{"text": "Hello."}]}, False),
        ({"pipeline": "piper", "text": "Hello.", "voice": "jack"}, False),
        ({"pipeline": "piper", "text": "Hello.", "language": "e"}, False),
        ({"pipeline": "piper", "text": "Hello.", "options": {"speed": 5}}, False),
        ({"pipeline": "piper", "text": "Hello.", "options": {"pitch": 1}}, False),
        ({"pipeline": "piper", "text": "Hello.", "recording": {"url": "https://example.com/a.wav"}}, False),
        ({"pipeline": "piper", "text": "Hello.", "tempo": 1}, False),
        ({"pipeline": "piper", "text": "Hello.", "output": {"format": "opus", "sample_rate": 22050}}, False),
        ({"pipeline": "piper", "text": "Hello.", "models": {"synthesize": "kokoro"}}, False),
        ({"pipeline": "vad", "recording": {"url": "https://example.com/a.wav", "upload": "up_1"}}, False),
        ({"pipeline": "vad", "text": "Hello."}, False),
        ({"pipeline": "piper", "text": "Hello.", "clean": "none", "emoji": "named"}, True),
        ({"pipeline": "piper", "text": "Hello.", "clean": "all"}, False),
        ({"pipeline": "piper", "text": "Hello.", "emoji": None}, False),
        ({"text": "Hello."}, False),
        ({"pipeline": "pipes", "text": "Hello."}, False),
    ],
)
def test_the_schema_of_a_job_follows_from_the_catalog(document: dict[str, Any], job: Any, fits: bool) -> None:
    assert validator(document, "JobRequest").is_valid(job) is fits


def test_languages_are_those_that_a_voice_serves(document: dict[str, Any]) -> None:
    check = validator(document, "JobRequest")
    for tag in ("en", "EN", "en-US", "en_us", "en-us", "en-GB", "e", "english", "en-", "de", "en-US-x"):
        job = {"pipeline": "piper", "text": "Hello.", "language": tag}
        assert check.is_valid(job) is speaks("en-US", tag), tag


def test_settings_and_pipelines_show() -> None:
    pipelines = {name: pipeline for name, pipeline in load_pipelines().items() if name != "transcribe"}
    settings = Settings(destinations="archive=s3://audio-archive", max_expires_in=3600)
    document = described(app_with(settings=settings, pipelines=pipelines))
    assert "transcribe" not in operations(document)
    check = validator(document, "JobRequest")
    job = {"pipeline": "piper", "text": "Hello.", "output": {"destination": "archive"}}
    assert check.is_valid(job)
    assert not check.is_valid({**job, "output": {"destination": "elsewhere"}})
    assert not check.is_valid({**job, "expires_in": 3601})
    assert not check.is_valid({"pipeline": "transcribe", "recording": {"upload": "up_1"}})


def test_every_voice_can_be_named_in_a_path(document: dict[str, Any]) -> None:
    [parameter] = [p for p in operations(document)["getVoice"]["parameters"] if p["name"] == "voice_id"]
    for model in load_catalog().models.values():
        for voice in model.voices:
            assert re.search(parameter["schema"]["pattern"], voice), voice


def test_the_client_knows_what_responses_hold(document: dict[str, Any]) -> None:
    shapes = document["components"]["schemas"]
    for model, names in {
        models.Job: ["Job"],
        models.Step: ["Step"],
        models.Progress: ["Progress"],
        models.Audio: ["Audio"],
        models.Timestamps: ["JobTimestamps"],
        models.Subtitles: ["JobSubtitles"],
        models.Result: ["Result"],
        models.TextWarning: ["TextWarning"],
        models.TextPreview: ["TextPreview"],
        models.PreviewedUtterance: ["PreviewedUtterance"],
        models.Problem: ["Failure", "UtteranceFailure", "ItemFailure"],
        models.Batch: ["Batch"],
        models.Counts: ["BatchCounts"],
        models.Voice: ["StockVoice", "StoredVoice"],
        models.Lexicon: ["Lexicon"],
        models.LexiconEntry: ["LexiconEntry"],
        models.Upload: ["Upload"],
        models.WebhookEndpoint: ["NewWebhookEndpoint"],
    }.items():
        known = {field.name for field in dataclasses.fields(model)} - {"raw"}
        assert known <= {name for shape in names for name in shapes[shape]["properties"]}, model


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "format": st.sampled_from(AudioFormat),
            "sample_rate": st.none() | st.sampled_from([8_000, 11_025, 12_000, 16_000, 22_050, 44_100, 48_000]),
            "encoding": st.none() | st.sampled_from(SampleEncoding),
            "bit_rate": st.none()
            | st.sampled_from([6_000, 8_000, 15_999, 16_000, 48_000, 48_001, 64_000, 100_000, 144_000, 160_000])
            | st.sampled_from([192_000, 256_000, 256_001, 320_000]),
            "tags": st.dictionaries(st.sampled_from(["title", "composer", "artist"]), st.just("Joe"), max_size=2),
        },
    )
)
def test_the_schema_of_output_takes_what_files_can_be(document: dict[str, Any], output: dict[str, Any]) -> None:
    try:
        check_output(**{"format": AudioFormat.WAV, **output})
    except InvalidRequest:
        fits = False
    else:
        fits = True
    shape = json.loads(json.dumps(output))
    assert validator(document, "Output").is_valid(shape) == fits


# -- the page


def test_the_root_leads_to_the_docs_and_names_the_description(app: Flask) -> None:
    answer = app.test_client().get("/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/docs")
    assert '</openapi.json>; rel="service-desc"' in answer.headers["Link"]


def test_the_page_takes_nothing_from_elsewhere(app: Flask) -> None:
    client = app.test_client()
    answer = client.get("/docs")
    assert answer.content_type == "text/html; charset=utf-8"
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert not re.search(r"""<script(?![^>]*\bsrc=)|\son\w+=|\sstyle=|//""", answer.text.replace("<!doctype html>", ""))
    addresses = re.findall(r'(?:src|href)="([^"]+)"', answer.text)
    assert len(addresses) >= 5
    for address in addresses:
        with client.get(address) as found:
            assert found.status_code == 200, address
        if address.startswith("/docs/"):
            assert "max-age=2592000" in found.headers["Cache-Control"], address
            with client.get(address, headers={"If-None-Match": found.headers["ETag"]}) as again:
                assert again.status_code == 304, address
    with client.get("/docs/start.js") as found:
        assert "persistAuthorization: true" in found.get_data(as_text=True)


@pytest.mark.parametrize("name", ["x.js", "..", "../__init__.py", "%2e%2e%2f__init__.py", "js%2fswagger-ui-bundle.js"])
def test_only_the_files_of_the_page_are_served(app: Flask, name: str) -> None:
    assert app.test_client().get(f"/docs/{name}").status_code == 404


def test_the_description_is_asked_for_once(app: Flask) -> None:
    client = app.test_client()
    first = client.get("/openapi.json")
    again = client.get("/openapi.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")

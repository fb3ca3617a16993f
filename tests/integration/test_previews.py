"""Previews of texts: what would be spoken, by the CPU worker's own steps, and nothing that is left of them."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api import create_app
from api.routes import text as routes
from core import ids
from core.errors import LedgerUnavailable
from core.redis import connect
from core.work import CPU
from pipelines.previews import DEADLINE, MAX_CHARACTERS
from storage.access.keys import create_key
from storage.ledger.ledger import Ledger
from storage.ledger.registry import WorkerRecord, announce
from storage.metrics import read_counters
from tests.conftest import S3
from tests.integration.cpu_line import CpuLine
from tests.integration.test_api import settings_for
from tests.waiting import wait_for
from workers.upkeep.reaper import Reaper

TEXT = "On 3/4/2025 Dr. Smith paid $5.50. **Well**, he did."


@pytest.fixture
def app(valkey: str, seaweedfs: S3) -> Flask:
    create_key(connect(valkey), "ann")
    return create_app(settings_for(valkey, seaweedfs))


@pytest.fixture
def line(valkey: str, seaweedfs: S3) -> CpuLine:
    line = CpuLine(settings_for(valkey, seaweedfs))
    announce(line.connections.redis, WorkerRecord(name="cpu", pid=os.getpid(), host="here", capacity={CPU: 4}))
    return line


@pytest.fixture
def cpu(line: CpuLine) -> Iterator[CpuLine]:
    """A CPU worker at work."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.005):
            line.run()

    thread = threading.Thread(target=work)
    thread.start()
    yield line
    stop.set()
    thread.join()


def previewed(client: FlaskClient, text: str | None = TEXT, **changes: Any) -> dict[str, Any]:
    answer = client.post("/v1/text/preview", json={"pipeline": "piper", "text": text, **changes})
    assert answer.status_code == 200, answer.data
    found: dict[str, Any] = answer.get_json()
    return found


def refused(client: FlaskClient, **changes: Any) -> tuple[int, str]:
    answer = client.post("/v1/text/preview", json={"pipeline": "piper", "text": TEXT, **changes})
    return answer.status_code, answer.get_json()["code"]


def keys(line: CpuLine) -> set[str]:
    """What is in the ledger of previews, or of any job."""
    names = {name.decode() for name in line.connections.redis.keys("*")}
    return {name for name in names if ids.PREVIEW.prefix in name or name.startswith(("ch:job", "ch:doc", "ch:text"))}


def test_a_preview_says_what_would_be_spoken(client: FlaskClient, cpu: CpuLine) -> None:
    found = previewed(client)
    first, second = found.pop("utterances")
    assert found.pop("seconds") == pytest.approx(first["seconds"] + first["pause"] + second["seconds"], abs=0.02)
    assert found == {
        "pipeline": "piper",
        "model": "piper-joe",
        "voice": "joe",
        "language": "en-US",
        "characters": len(TEXT),
        "warnings": [],
    }
    assert first["text"] == "On 3/4/2025 Dr. Smith paid $5.50."
    assert first["spoken"] == ("On March fourth twenty twenty five Doctor Smith paid five dollars fifty cents.")
    assert first["phonemes"].startswith("ˌɔn mˈɑːɹtʃ fˈɔːɹθ")
    assert (first["chapter"], TEXT[first["start"] : first["end"]]) == (0, first["text"])
    assert (second["text"], second["spoken"]) == ("Well, he did.", "Well, he did.")
    assert TEXT[second["start"] : second["end"]] == "Well**, he did."
    assert (first["pause"], second["pause"]) == (0.25, 0.0)
    assert 3 < first["seconds"] < 9 and 0.4 < second["seconds"] < 2


def test_kokoro_has_its_own_phonemes_and_pace(client: FlaskClient, cpu: CpuLine) -> None:
    plain, fast = (
        previewed(client, "I said so today.", pipeline="kokoro", options={"speed": speed}) for speed in (1, 2)
    )
    [utterance] = plain["utterances"]
    assert utterance["phonemes"] == "I sˈɛd sˌO tədˈA."
    assert (plain["model"], plain["voice"]) == ("kokoro", "jf_alpha")
    assert plain["seconds"] == pytest.approx(2 * fast["seconds"], abs=0.02) and 1 < plain["seconds"] < 3


def test_chapters_markup_and_lexicons_are_read_as_in_a_job(client: FlaskClient, cpu: CpuLine) -> None:
    lexicon = client.post(
        "/v1/lexicons",
        json={
            "name": "mine",
            "language": "en",
            "entries": [{"word": "Zed", "ipa": "zˈiː"}, {"word": "Joe", "say": "Jo"}],
        },
    ).get_json()["id"]
    chapters = [
        {"title": "One " * 100, "text": "Ask Zed, Joe."},
        {"text": "A [[box|bˈɔks]]. [pause 2s] *So* be it. 🎉"},
    ]
    found = previewed(
        client, None, chapters=chapters, markup="light", lexicons=[{"id": lexicon}], emoji="named", normalize="none"
    )
    shown = [(u["chapter"], u["text"], u["spoken"], u["pause"]) for u in found["utterances"]]
    assert shown[0] == (0, "Ask Zed, Jo.", "Ask /zˈiː/, Jo.", 1.2)
    assert shown[1] == (1, "A box.", "A /bˈɔks/.", 2.0)
    assert " ".join(words for _, _, words, _ in shown[2:]) == "So be it. party popper"
    assert found["characters"] == len("Ask Zed, Joe.") + len("A box.   So be it. 🎉")


def test_a_pipeline_that_matches_needs_no_reference(client: FlaskClient, cpu: CpuLine) -> None:
    found = previewed(client, "Hello.", pipeline="voice_match", models={"match": "campplus"})
    assert (found["model"], found["voice"]) == ("piper-joe", "joe")
    assert previewed(client, "Hello.", pipeline="voice_match", voice="joe")["voice"] == "joe"
    assert refused(client, pipeline="voice_match", voice=f"vo_{'0' * 24}") == (422, "voice_not_found")


def test_what_cannot_be_spoken_is_told(client: FlaskClient, cpu: CpuLine) -> None:
    found = previewed(client, "One. Two \ua960 two. Three. ᚠᚢᚦ and Анна.")
    errors = [
        (u["spoken"], u["phonemes"], u["seconds"], u["error"]["code"]) for u in found["utterances"] if "error" in u
    ]
    assert errors == [("", None, 0.0, "invalid_text")]
    one, three, last = [u for u in found["utterances"] if "error" not in u]
    assert (one["spoken"], three["spoken"]) == ("One.", "Three.")
    assert last["text"] == "ᚠᚢᚦ and Анна." and re.fullmatch(r"and /\S+/\.", last["spoken"]), last
    [warning] = found["warnings"]
    assert (warning["code"], warning["start"], warning["end"]) == ("unspeakable_text", 23, 26)


REFUSED = [
    ({"text": None}, 422, "missing_text"),
    ({"text": ""}, 422, "empty_text"),
    ({"text": "?!"}, 422, "no_words"),
    ({"text": 7}, 422, "invalid_value"),
    ({"text": "ᚠᚢᚦ"}, 422, "unspeakable_text"),
    ({"text": "a" * (MAX_CHARACTERS + 1)}, 422, "text_too_long"),
    ({"text": None, "chapters": [{"text": "a" * 10_001}, {"text": "b" * 10_000}]}, 422, "text_too_long"),
    ({"chapters": [{"text": "b"}]}, 422, "two_texts"),
    ({"pipeline": None}, 422, "missing_field"),
    ({"pipeline": "bagpiper"}, 422, "unknown_pipeline"),
    ({"pipeline": "vad"}, 422, "unused_input"),
    ({"pipeline": "vad", "text": None}, 422, "missing_text"),
    ({"pipeline": "transcribe"}, 422, "unused_input"),
    ({"voice": "nobody"}, 422, "unknown_voice"),
    ({"language": "xx"}, 422, "unknown_language"),
    ({"base_voice": "joe"}, 422, "unused_input"),
    ({"models": {"synthesize": "kokoro"}}, 422, "unsuitable_model"),
    ({"models": {"preview": "piper-joe"}}, 422, "unknown_step"),
    ({"options": {"pitch": 1}}, 422, "unknown_option"),
    ({"options": {"speed": 1e9}}, 422, "invalid_option"),
    ({"options": {"speed": "fast"}}, 422, "invalid_option"),
    ({"options": []}, 422, "invalid_value"),
    ({"markup": "ssml", "text": "<speak>Hello"}, 422, "invalid_markup"),
    ({"lexicons": [{"id": f"le_{'0' * 24}"}]}, 422, "lexicon_not_found"),
    ({"output": {"format": "mp3"}}, 422, "unknown_field"),
    ({"priority": "bulk"}, 422, "unknown_field"),
    ({"webhook": {"url": "https://example.com"}}, 422, "unknown_field"),
]


@pytest.mark.parametrize(("changes", "status", "code"), REFUSED)
def test_a_preview_is_refused_as_its_job_would_be(
    client: FlaskClient, line: CpuLine, changes: dict[str, Any], status: int, code: str
) -> None:
    assert refused(client, **changes) == (status, code)
    assert not keys(line) and not line.waiting()


def test_nothing_is_left_and_nothing_is_counted(client: FlaskClient, cpu: CpuLine) -> None:
    before = read_counters(cpu.connections.redis)
    previewed(client)
    assert keys(cpu) == set()
    assert client.get("/v1/jobs").get_json()["data"] == []
    assert read_counters(cpu.connections.redis) == before
    assert set(cpu.connections.redis.hvals("ch:load")) <= {b"0"}
    assert not cpu.connections.redis.zrange("ch:expires", 0, -1)


def test_nobody_reads_or_makes_a_preview_by_its_id(
    client: FlaskClient, line: CpuLine, valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "PATIENCE", 2.0)
    seen: list[str] = []

    def look() -> None:
        wait_for(lambda: bool(keys(line)), 5, "a preview", every=0.01)
        [name] = {key[key.index("pv_") :] for key in keys(line) if "pv_" in key}
        for key in (client.environ_base["HTTP_X_API_KEY"], create_key(connect(valkey), "bob")):
            for path in (
                f"jobs/{name}",
                f"jobs/{name}/events",
                f"jobs/{name}/audio",
                f"voices/{name}",
                f"batches/{name}",
            ):
                answer = client.application.test_client().get(f"/v1/{path}", headers={"X-API-Key": key})
                seen.append(answer.get_json()["code"])
        answer = client.application.test_client().delete(f"/v1/jobs/{name}", headers={"X-API-Key": key})
        seen.append(answer.get_json()["code"])

    thread = threading.Thread(target=look)
    thread.start()
    assert refused(client) == (503, "preview_timeout")
    thread.join()
    assert len(seen) == 11 and set(seen) <= {"job_not_found", "voice_not_found", "batch_not_found"}
    made = client.put("/v1/jobs/pv_000000000000000000000000", json={"pipeline": "piper", "text": "Mine."})
    assert made.status_code == 202 and made.get_json()["id"].startswith("job_")


def test_a_preview_in_vain_is_withdrawn(client: FlaskClient, line: CpuLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "PATIENCE", 0.3)
    answer = client.post("/v1/text/preview", json={"pipeline": "piper", "text": TEXT})
    assert (answer.status_code, answer.get_json()["code"]) == (503, "preview_timeout")
    assert int(answer.headers["Retry-After"]) > 0
    assert keys(line) == set()
    line.run()  # the worker comes to it, and finds that it is not wanted any more
    assert not line.waiting() and keys(line) == set()


def test_without_a_cpu_worker_it_is_said_at_once(client: FlaskClient, app: Flask) -> None:
    began = time.monotonic()
    answer = client.post("/v1/text/preview", json={"pipeline": "piper", "text": TEXT})
    assert (answer.status_code, answer.get_json()["code"]) == (503, "no_cpu_worker")
    assert time.monotonic() - began < 2 and "Retry-After" in answer.headers


def test_an_api_that_dies_leaves_nothing_for_long(
    client: FlaskClient, line: CpuLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> bool:
        raise LedgerUnavailable

    monkeypatch.setattr(routes, "PATIENCE", 0.1)
    monkeypatch.setattr(Ledger, "delete_now", away)
    assert refused(client) == (503, "preview_timeout")
    assert keys(line)
    later = time.time() + DEADLINE + 1
    monkeypatch.setattr("time.time", lambda: later)
    Reaper(line.connections).round()
    redis = line.connections.redis
    assert all(0 < redis.ttl(name) <= 120 for name in keys(line))
    later += 61
    Reaper(line.connections).delete_expired()
    assert keys(line) == set()


def test_fifty_previews_at_once_leave_threads_for_others(
    client: FlaskClient, app: Flask, cpu: CpuLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = client.environ_base["HTTP_X_API_KEY"]

    def ask(_: int) -> tuple[int, str]:
        answer = app.test_client().post(
            "/v1/text/preview", json={"pipeline": "piper", "text": TEXT}, headers={"X-API-Key": key}
        )
        return answer.status_code, answer.get_json().get("code", "")

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(ask, range(50)))
    assert set(answers) <= {(200, ""), (503, "too_many_waiting_requests")}
    assert answers.count((200, "")) >= 4
    assert keys(cpu) == set()
    previewed(client)  # all places are free again


HOSTILE = {
    "digits": "1" * MAX_CHARACTERS,
    "numbers": "1 " * (MAX_CHARACTERS // 2),
    "brackets": "a" + "(" * (MAX_CHARACTERS - 1),
    "emoji": "a" + "🎉👩‍👩‍👧" * (MAX_CHARACTERS // 6 - 1),
    "word": "a" * MAX_CHARACTERS,
    "sentences": "A. B! " * (MAX_CHARACTERS // 6),
    "dots": "e.g." * (MAX_CHARACTERS // 4),
    "private": "a\ue000b\ue001" * (MAX_CHARACTERS // 4),
    "money": "$1,234,567.89 " * (MAX_CHARACTERS // 14),
    "scripts": "田a" * (MAX_CHARACTERS // 2),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("pipeline", ["piper", "kokoro"])
def test_hostile_texts_are_answered(client: FlaskClient, cpu: CpuLine, name: str, pipeline: str) -> None:
    began = time.monotonic()
    answer = client.post("/v1/text/preview", json={"pipeline": pipeline, "text": HOSTILE[name], "emoji": "named"})
    took = time.monotonic() - began
    late = answer.status_code == 503 and answer.get_json()["code"] == "preview_timeout"  # on a busy machine
    assert answer.status_code in (200, 422) or late, answer.data[:500]
    assert took < routes.PATIENCE + 2, took
    assert len(answer.data) < 4_000_000
    assert keys(cpu) == set()

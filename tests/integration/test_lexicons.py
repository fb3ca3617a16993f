"""Lexicons: the API with its versions and races, the jobs that use them, and what is kept for how long."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api import create_app
from core.redis import connect
from core.settings import Settings
from pipelines.loaded_lexicons import LexiconCache
from storage import lexicons as storage
from storage.access.keys import create_key
from tests.conftest import S3
from tests.integration.cpu_line import CpuLine
from tests.integration.test_api import job, settings_for
from workers.upkeep.reaper import Reaper
from workers.upkeep.sweep import Sweep

JOE = {"word": "Joe", "say": "Joseph"}
NOBODY = f"le_{'0' * 24}"


@pytest.fixture
def settings(valkey: str, seaweedfs: S3) -> Settings:
    return settings_for(valkey, seaweedfs)


@pytest.fixture
def app(settings: Settings, valkey: str, line: CpuLine) -> Flask:
    create_key(connect(valkey), "ann")
    return create_app(settings)


@pytest.fixture
def line(settings: Settings) -> CpuLine:
    line = CpuLine(settings)
    objects = line.connections.objects
    objects.delete(*objects.names(""))
    return line


def body(*entries: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"name": "Names", "language": "en", "entries": entries or (JOE,), **changes}


def create(client: FlaskClient, *entries: dict[str, Any], **changes: Any) -> dict[str, Any]:
    answer = client.post("/v1/lexicons", json=body(*entries, **changes))
    assert answer.status_code == 201, answer.data
    found: dict[str, Any] = answer.get_json()
    return found


def whole(**entry: Any) -> dict[str, Any]:
    return {"say": None, "ipa": None, "case_sensitive": False, "whole_word": True, **entry}


def submit(client: FlaskClient, *lexicons: Any, **changes: Any) -> dict[str, Any]:
    answer = client.post("/v1/jobs", json=job(lexicons=lexicons, **changes))
    assert answer.status_code == 202, answer.data
    found: dict[str, Any] = client.get(answer.headers["Location"]).get_json()
    return found


def versions(line: CpuLine) -> list[str]:
    """The objects with entries."""
    return [name for name in line.connections.objects.names("ann/lexicons/") if not storage.is_record(name)]


def test_a_lexicon_from_its_creation_to_its_end(client: FlaskClient) -> None:
    answer = client.post("/v1/lexicons", json=body(JOE, {"word": " cafe\u0301 ", "ipa": "kæfˈeɪ", "whole_word": False}))
    assert answer.status_code == 201 and answer.headers["ETag"] == '"1"'
    made = answer.get_json()
    entries = [whole(**JOE), whole(word="café", ipa="kæfˈeɪ", whole_word=False)]
    assert made["entries"] == entries and made["version"] == 1 and made["size"] == 2
    assert answer.headers["Location"] == made["links"]["self"]
    path = f"/v1/lexicons/{made['id']}"
    assert client.get(path).get_json() == made and client.get(path).headers["ETag"] == '"1"'
    summary = {name: value for name, value in made.items() if name != "entries"}
    assert client.get("/v1/lexicons").get_json() == {"object": "list", "data": [summary]}
    # As it came: nothing changes.
    again = client.put(path, json={name: made[name] for name in ("name", "language", "entries")})
    assert again.status_code == 200 and again.get_json() == made
    second = client.put(path, json=body({"word": "Ann", "say": "Anna"}, name="People", language="en-US")).get_json()
    assert (second["version"], second["name"], second["language"]) == (2, "People", "en-US")
    third = client.patch(path, json={"entries": [JOE]}).get_json()
    assert (third["version"], third["name"], third["entries"]) == (3, "People", [whole(**JOE)])
    fourth = client.patch(path, json={"name": "Names"}).get_json()
    assert (fourth["version"], fourth["name"], fourth["entries"]) == (4, "Names", [whole(**JOE)])
    assert client.patch(path, json={}).get_json()["version"] == 4
    assert client.get(f"{path}?version=2").get_json() == second
    assert client.get(f"{path}?version=1").get_json() == made
    assert client.get(f"{path}?version=5").status_code == 404
    for wrong in ("0", "-1", "x", "", "1" * 30, "²"):
        assert client.get(f"{path}?version={wrong}").status_code == 422, wrong
    assert client.delete(path).status_code == 204
    gone = (client.get(path), client.delete(path), client.patch(path, json={}))
    assert [answer.status_code for answer in gone] == [404] * 3
    assert client.get("/v1/lexicons").get_json()["data"] == []


def test_lexicons_of_others_are_not_there(client: FlaskClient, valkey: str) -> None:
    path = f"/v1/lexicons/{create(client)['id']}"
    eve = {"X-API-Key": create_key(connect(valkey), "eve")}
    answers = [
        client.get(path, headers=eve),
        client.get(f"{path}?version=1", headers=eve),
        client.put(path, json=body({"word": "a", "say": "b"}), headers=eve),
        client.patch(path, json={"name": "Mine"}, headers=eve),
        client.delete(path, headers=eve),
        client.get(f"/v1/lexicons/{NOBODY}"),
        client.get("/v1/lexicons/le_x"),
        client.get("/v1/lexicons/..%2fx"),
    ]
    assert [answer.status_code for answer in answers] == [404] * len(answers)
    assert {answer.get_json()["code"] for answer in answers[:-1]} == {"lexicon_not_found"}
    assert client.get("/v1/lexicons", headers=eve).get_json()["data"] == []
    mine = path.rpartition("/")[2]
    refused = client.post("/v1/jobs", json=job(lexicons=[mine]), headers=eve)
    assert (refused.status_code, refused.get_json()["code"]) == (422, "lexicon_not_found")
    assert client.get(path).get_json()["version"] == 1


WRONG = [
    ({"name": "a"}, "missing_field", "language"),
    (body(name=""), "invalid_value", "name"),
    (body(name="a\nb"), "invalid_value", "name"),
    (body(name="a\x1b[31m"), "invalid_value", "name"),
    (body(name="a" * 201), "invalid_value", "name"),
    (body(language="e"), "invalid_value", "language"),
    (body(language="english language"), "invalid_value", "language"),
    (body(language="en\n"), "invalid_value", "language"),
    (body(language="../x"), "invalid_value", "language"),
    (body(owner="eve"), "unknown_field", "owner"),
    (body({"word": "Joe"}), "invalid_value", "entries.0"),
    (body({"word": "Joe", "say": "a", "ipa": "a"}), "invalid_value", "entries.0"),
    (body({"word": "Joe", "say": "a", "rule": 1}), "unknown_field", "entries.0.rule"),
    (body({"word": "", "say": "a"}), "invalid_value", "entries.0.word"),
    (body({"word": " \u200b", "say": "a"}), "invalid_word", "entries.0.word"),
    (body({"word": "\ue000\ue001", "say": "a"}), "invalid_word", "entries.0.word"),
    (body({"word": "a" * 101, "say": "a"}), "invalid_value", "entries.0.word"),
    (body({"word": "a" * 5_000_000, "say": "a"}), "invalid_value", "entries.0.word"),
    (body({"word": "a", "say": ""}), "invalid_value", "entries.0.say"),
    (body({"word": "a", "say": "--"}), "invalid_say", "entries.0.say"),
    (body({"word": "a", "ipa": "123"}), "invalid_ipa", "entries.0.ipa"),
    (body({"word": "a", "ipa": "a\ue001b"}), "invalid_ipa", "entries.0.ipa"),
    (body({"word": "a", "say": "b", "case_sensitive": 1}), "invalid_value", "entries.0.case_sensitive"),
    (body(JOE, {"word": "JOE", "say": "b"}), "duplicate_word", "entries.1.word"),
    (body(entries={}), "invalid_value", "entries"),
    (body(entries=[JOE] * 10_001), "invalid_value", "entries"),
    (body(entries=[[JOE]]), "invalid_value", "entries.0"),
]


@pytest.mark.parametrize(("wrong", "code", "field"), WRONG)
def test_what_is_wrong_is_refused_by_name(client: FlaskClient, wrong: Any, code: str, field: str) -> None:
    made = create(client)
    for answer in (client.post("/v1/lexicons", json=wrong), client.put(f"/v1/lexicons/{made['id']}", json=wrong)):
        found = answer.get_json()
        assert (answer.status_code, found["code"]) == (422, code), found
        assert found["errors"][0]["field"] == field
    assert len(client.get("/v1/lexicons").get_json()["data"]) == 1
    assert client.get(f"/v1/lexicons/{made['id']}").get_json() == made


def test_every_wrong_entry_is_named(client: FlaskClient) -> None:
    entries = [{"word": f"w{n}", "ipa": "a" if n % 2 else "7"} for n in range(300)]
    found = client.post("/v1/lexicons", json=body(*entries)).get_json()
    assert [error["field"] for error in found["errors"]] == [f"entries.{n}.ipa" for n in range(0, 100, 2)]


def test_hostile_bodies_are_refused_at_once(client: FlaskClient) -> None:
    deep = b'{"entries":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    many = json.dumps(body(*({"word": "a", "say": "b"} for _ in range(1_000_000)))).encode()
    for data, status in ((deep, 400), (many, 413), (b"\xff", 400), (b"[]", 400), (b"", 400)):
        started = time.monotonic()
        answer = client.post("/v1/lexicons", data=data, content_type="application/json")
        assert answer.status_code == status, answer.data
        assert time.monotonic() - started < 5
    large = [{"word": f"{n} {'w' * 90}", "say": "s" * 400} for n in range(1100)]
    assert client.post("/v1/lexicons", json=body(*large)).get_json()["code"] == "lexicon_too_large"


def test_a_lexicon_of_ten_thousand_entries(client: FlaskClient) -> None:
    made = create(client, *({"word": f"word{n}", "say": f"number {n}"} for n in range(10_000)))
    assert made["size"] == 10_000
    assert len(client.get(f"/v1/lexicons/{made['id']}").get_json()["entries"]) == 10_000


def test_an_owner_has_a_hundred_at_most(client: FlaskClient, valkey: str) -> None:
    one = client.post("/v1/lexicons", json=body()).get_json()["id"]
    connect(valkey).zadd("ch:lexicons:ann", {f"le_{n:024x}": 1 for n in range(storage.MOST - 1)})
    refused = client.post("/v1/lexicons", json=body())
    assert (refused.status_code, refused.get_json()["code"]) == (409, "too_many_lexicons")
    assert client.patch(f"/v1/lexicons/{one}", json={"name": "x"}).status_code == 200


def test_many_create_at_once_up_to_the_bound(line: CpuLine, valkey: str, app: Flask) -> None:
    key = create_key(connect(valkey), "ann")
    connect(valkey).zadd("ch:lexicons:ann", {f"le_{n:024x}": 1 for n in range(storage.MOST - 3)})

    def post(_: int) -> int:
        return app.test_client().post("/v1/lexicons", json=body(), headers={"X-API-Key": key}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(post, range(12))) == [201] * 3 + [409] * 9
    assert len(versions(line)) == 3  # what was written in vain is gone


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_no_change_is_lost_where_many_come_at_once(client: FlaskClient, app: Flask, valkey: str, method: str) -> None:
    path = f"/v1/lexicons/{create(client)['id']}"
    key = create_key(connect(valkey), "ann")

    def change(n: int) -> dict[str, Any]:
        sent = {"entries": [{"word": f"w{n}", "say": "x"}]}
        answer = app.test_client().open(
            path, method=method, json=body(**sent) if method == "PUT" else sent, headers={"X-API-Key": key}
        )
        assert answer.status_code == 200, answer.data
        return dict(answer.get_json())

    with ThreadPoolExecutor(8) as pool:
        changed = list(pool.map(change, range(16)))
    assert sorted(one["version"] for one in changed) == list(range(2, 18))
    for one in changed:
        assert client.get(f"{path}?version={one['version']}").get_json() == one


def test_changes_may_be_made_to_one_version_alone(client: FlaskClient, app: Flask, valkey: str) -> None:
    path = f"/v1/lexicons/{create(client)['id']}"
    for tag in ('"2"', '"0"', "1", 'W/"1"', "x", '"1', '"-1"', '""'):
        refused = client.put(path, json=body({"word": "a", "say": "b"}), headers={"If-Match": tag})
        if tag != "1" and tag != '"1':  # which werkzeug reads as a tag
            assert (refused.status_code, refused.get_json()["code"]) == (412, "lexicon_changed"), tag
    version = client.get(path).get_json()["version"]
    second = client.patch(path, json={"name": "b"}, headers={"If-Match": f'"{version}"'})
    assert second.get_json()["version"] == version + 1
    several = {"If-Match": f'"77", {second.headers["ETag"]}'}
    assert client.patch(path, json={"name": "c"}, headers=several).status_code == 200
    assert client.patch(path, json={"name": "d"}, headers={"If-Match": "*"}).status_code == 200
    version, key = client.get(path).get_json()["version"], create_key(connect(valkey), "ann")

    def change(n: int) -> int:
        headers = {"If-Match": f'"{version}"', "X-API-Key": key}
        return app.test_client().patch(path, json={"name": f"n{n}"}, headers=headers).status_code

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(change, range(8))) == [200] + [412] * 7
    assert client.get(path).get_json()["version"] == version + 1


def test_lexicons_in_other_formats(client: FlaskClient) -> None:
    table = "word,ipa\nJoe,dʒˈoʊ\n".encode()
    made = client.post("/v1/lexicons?name=Names&language=en", data=table, content_type="text/csv; charset=utf-8")
    assert made.status_code == 201 and made.get_json()["entries"] == [whole(word="Joe", ipa="dʒˈoʊ")]
    path = f"/v1/lexicons/{made.get_json()['id']}"
    pls = b'<lexicon xml:lang="en-US"><lexeme><grapheme>Joe</grapheme><alias>Joseph</alias></lexeme></lexicon>'
    second = client.put(path, data=pls, content_type="application/pls+xml").get_json()
    assert (second["version"], second["name"], second["language"]) == (2, "Names", "en-US")
    assert second["entries"] == [whole(**JOE, case_sensitive=True)]
    third = client.put(f"{path}?name=Other", data=b"a\tb", content_type="text/tab-separated-values").get_json()
    assert (third["name"], third["language"], third["entries"]) == ("Other", "en-US", [whole(word="a", say="b")])
    for query, data, kind, code in (
        ("", b"a,b", "text/csv", "missing_field"),
        ("?name=a&language=en&x=1", b"a,b", "text/csv", "unknown_field"),
        ("?name=a&language=x", b"a,b", "text/csv", "invalid_value"),
        ("?name=a&language=en", b'"a', "text/csv", "invalid_lexicon"),
        ("?name=a&language=en", b"a,\n", "text/csv", "invalid_say"),
        ("?name=a&language=en", b"w,s\n" * 2, "text/csv", "duplicate_word"),
        ("?name=a&language=en", b"\n".join(b"%d,b" % n for n in range(10_001)), "text/csv", "too_many_entries"),
        ("?name=a&language=en", b"<!DOCTYPE lexicon><lexicon/>", "application/pls+xml", "invalid_lexicon"),
        ("?name=a", pls.replace(b"lang", b"x"), "application/pls+xml", "missing_field"),
    ):
        answer = client.post(f"/v1/lexicons{query}", data=data, content_type=kind)
        assert (answer.status_code in (413, 422), answer.get_json()["code"]) == (True, code), answer.data


def test_a_job_names_the_versions_that_it_uses(client: FlaskClient) -> None:
    first, second = create(client)["id"], create(client, language="en-US")["id"]
    client.patch(f"/v1/lexicons/{first}", json={"name": "x"})
    view = submit(client, first, {"id": second, "version": 1}, {"id": first, "version": 1})
    expected = [{"id": first, "version": 2}, {"id": second, "version": 1}, {"id": first, "version": 1}]
    assert view["lexicons"] == expected
    assert client.get("/v1/jobs").get_json()["data"][0]["lexicons"] == expected
    assert submit(client)["lexicons"] == []


def test_lexicons_that_do_not_fit_are_refused(client: FlaskClient) -> None:
    english, british, german = (create(client, language=tag)["id"] for tag in ("en", "en-GB", "de"))
    for lexicons, code, field in (
        ([NOBODY], "lexicon_not_found", "lexicons.0"),
        ([english, {"id": english, "version": 2}], "lexicon_not_found", "lexicons.1"),
        ([british], "lexicon_language", "lexicons.0"),
        ([english, german], "lexicon_language", "lexicons.1"),
        ([english] * 9, "invalid_value", "lexicons"),
        ([{"id": english, "version": 0}], "invalid_value", "lexicons.0.LexiconInput.version"),
        (english, "invalid_value", "lexicons"),
    ):
        answer = client.post("/v1/jobs", json=job(lexicons=lexicons))
        found = answer.get_json()
        assert (answer.status_code, found["code"]) == (422, code), found
        assert field in [error["field"] for error in found["errors"]], found
    refused = client.post(
        "/v1/jobs",
        json={"pipeline": "vad", "recording": {"url": "https://example.com/a.wav"}, "lexicons": [english]},
    )
    assert (refused.status_code, refused.get_json()["code"]) == (422, "unused_input")


def artifacts(line: CpuLine, job_id: str) -> list[str]:
    """The names of a job's utterances, as prepared."""
    return [work.artifact for work in line.connections.ledger.utterances(job_id)[0]]


def test_an_entry_renders_anew_what_it_changes_and_nothing_else(client: FlaskClient, line: CpuLine) -> None:
    text = {"text": "Joe is here. Nobody else came. Joe's hat is gone.", "options": {"seed": 7}}
    lexicon = create(client)["id"]
    nothing = create(client, {"word": "Zebedee", "ipa": "zˈɛbədiː"})["id"]
    other = create(client, {"word": "joe", "ipa": "dʒuː"})["id"]
    same = create(client, {"word": "Joe", "say": "Joe"})["id"]
    names = {}
    for name, lexicons in {
        "none": [],
        "nothing": [nothing],
        "say": [lexicon],
        "ipa": [other],
        "ipa over say": [lexicon, other],
        "say over ipa": [other, lexicon],
        "same": [same],
    }.items():
        made = submit(client, *lexicons, **text)["id"]
        line.run(1)
        names[name] = artifacts(line, made)
        assert len(names[name]) == 3, client.get(f"/v1/jobs/{made}").get_json()
    assert names["nothing"] == names["none"] == names["same"]
    assert names["ipa over say"] == names["ipa"] and names["say over ipa"] == names["say"]
    for one, another in (("none", "say"), ("none", "ipa"), ("say", "ipa")):
        assert [a == b for a, b in zip(names[one], names[another], strict=True)] == [False, True, False]
    # What is said counts, not how it came to be said.
    spelled = submit(client, text="Joseph is here. Nobody else came. Joseph's hat is gone.", options={"seed": 7})["id"]
    line.run(1)
    assert artifacts(line, spelled) == names["say"]


def test_phonemes_are_said_as_espeak_says_the_word(client: FlaskClient, line: CpuLine) -> None:
    """Words of no meaning get the phonemes that espeak-ng gives to others: the same is rendered."""
    entries = [{"word": "Zxq", "ipa": "dʒˈoʊ"}, {"word": "Qvx", "ipa": "dʒˈæk"}, {"word": "gzz", "ipa": "gˈoʊ"}]
    found = {}
    for text, lexicons in (
        ("Zxq came, and Zxq's hat. Qvx's hat, gzz! Nothing else.", [create(client, *entries)["id"]]),
        ("Joe came, and Joe's hat. Jack's hat, go! Nothing else.", []),
    ):
        made = submit(client, *lexicons, text=text, options={"seed": 7})["id"]
        line.run(1)
        found[text] = artifacts(line, made)
    one, other = found.values()
    assert len(one) == 3 and one == other


def test_a_job_keeps_the_version_that_it_began_with(client: FlaskClient, line: CpuLine) -> None:
    path = f"/v1/lexicons/{(lexicon := create(client)['id'])}"
    text = {"text": "Joe is here.", "options": {"seed": 7}}
    reference = submit(client, lexicon, **text)["id"]
    line.run(1)
    waiting = [submit(client, lexicon, **text)["id"] for _ in range(2)]
    client.patch(path, json={"entries": [{"word": "Joe", "say": "Jim"}]})
    line.run(1)
    client.delete(path)
    Reaper(line.connections).delete_expired()
    Sweep(line.connections, -10).run()
    line.run(1)
    assert [artifacts(line, one) for one in waiting] == [artifacts(line, reference)] * 2
    assert client.get(f"/v1/jobs/{waiting[0]}").get_json()["lexicons"] == [{"id": lexicon, "version": 1}]
    assert client.post("/v1/jobs", json=job(lexicons=[lexicon])).get_json()["code"] == "lexicon_not_found"


def test_a_canceled_job_is_retried_with_a_lexicon_that_is_deleted(client: FlaskClient, line: CpuLine) -> None:
    lexicon = create(client)["id"]
    made = submit(client, lexicon, text="Joe is here.")["id"]
    client.post(f"/v1/jobs/{made}/cancel")
    client.delete(f"/v1/lexicons/{lexicon}")
    line.connections.redis.zadd("ch:artifacts:ann", {versions(line)[0].removeprefix("ann/"): 1}, xx=True, lt=True)
    client.post(f"/v1/jobs/{made}/retry")
    Reaper(line.connections).delete_expired()
    line.run(2)  # the first item is of the generation that was canceled
    assert len(artifacts(line, made)) == 1


def test_versions_go_once_nothing_needs_them(
    client: FlaskClient, line: CpuLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "GRACE", 0)
    path = f"/v1/lexicons/{(lexicon := create(client)['id'])}"
    made = submit(client, lexicon)["id"]
    redis = line.connections.redis
    redis.hset(f"ch:job:{made}", "keep", 0)
    for n in range(storage.KEPT + 2):
        client.patch(path, json={"name": f"n{n}"})
    Reaper(line.connections).delete_expired()
    assert len(versions(line)) == storage.KEPT + 1  # those that are kept, and that of the job
    assert client.get(f"{path}?version=1").status_code == client.get(f"{path}?version=3").status_code == 404
    assert client.get(f"{path}?version=4").status_code == 200
    client.post(f"/v1/jobs/{made}/cancel")
    redis.zadd("ch:artifacts:ann", dict.fromkeys(redis.zrange("ch:artifacts:ann", 0, -1), 1))  # type: ignore[arg-type]
    Reaper(line.connections).delete_expired()
    assert len(versions(line)) == storage.KEPT
    Sweep(line.connections, -10).run()
    assert len(versions(line)) == storage.KEPT
    client.delete(path)
    Reaper(line.connections).delete_expired()
    assert list(line.connections.objects.names("ann/lexicons/")) == []
    assert redis.hgetall("ch:inuse:ann") == {} and not redis.keys("ch:lexicon*")


def test_the_sweep_deletes_what_was_left_and_keeps_what_was_lost(client: FlaskClient, line: CpuLine) -> None:
    lexicon, objects = create(client)["id"], line.connections.objects
    stray = [f"ann/lexicons/{lexicon}/stray.json", f"ann/lexicons/{NOBODY}/stray.json"]
    for name in stray:
        objects.put(name, b"[]", "application/json")
    Sweep(line.connections, 3600).run()
    assert set(stray) < set(objects.names("ann/lexicons/"))  # they are young
    Sweep(line.connections, -10).run()
    kept = set(objects.names("ann/lexicons/"))
    assert not kept & set(stray) and len(kept) == 2
    assert client.get(f"/v1/lexicons/{lexicon}").status_code == 200
    line.connections.redis.flushall()
    Sweep(line.connections, -10).run()
    assert set(objects.names("ann/lexicons/")) == kept


def test_the_items_of_a_batch_use_lexicons(client: FlaskClient, line: CpuLine) -> None:
    first, second = create(client)["id"], create(client, {"word": "Ann", "say": "Anna"})["id"]
    items = [
        {"custom_id": "a", "job": {"text": "Joe."}},
        {"custom_id": "b", "job": {"text": "Ann.", "lexicons": [second]}},
        {"custom_id": "c", "job": {"text": "Ann.", "lexicons": [NOBODY]}},
    ]
    batch = client.post(
        "/v1/batches", json={"defaults": {"pipeline": "piper", "lexicons": [first]}, "items": items}
    ).get_json()["id"]
    line.run(1)
    jobs = {one["custom_id"]: one["lexicons"] for one in client.get(f"/v1/jobs?batch={batch}").get_json()["data"]}
    assert jobs == {"a": [{"id": first, "version": 1}], "b": [{"id": second, "version": 1}]}
    [error] = client.get(f"/v1/batches/{batch}").get_json()["errors"]
    assert (error["custom_id"], error["code"]) == ("c", "lexicon_not_found")


def test_what_was_read_is_kept_within_bounds(client: FlaskClient, line: CpuLine) -> None:
    objects = []
    for n in range(4):
        made = create(client, *({"word": f"w{n} {k}", "say": "x" * 100} for k in range(10)))
        objects.append(line.connections.lexicons.get("ann", made["id"]).object)
    cache = LexiconCache(10_000)  # two of them
    first = cache.get(line.connections, objects[:1], "en")
    assert cache.get(line.connections, objects[:1], "en") is first
    for name in objects[1:]:
        cache.get(line.connections, [name], "en")
    assert cache.get(line.connections, objects[:1], "en") is not first
    small = LexiconCache(1)
    assert small.get(line.connections, objects[:2], "en").rewrites("w0 1, w1 1") != []

"""Speech through OpenAI's own package, as programs built on it ask for it, from a whole stack with a real voice."""

from __future__ import annotations

import base64
import io
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest
import soundfile
from openai import OpenAI

from audio.decode import decode
from cli.local.stack import Stack
from tests.acceptance.test_jobs import harvard
from tests.shared_data import data_path
from tests.stack_access import StackAccess
from tests.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.patient]

#: Hz of piper-joe.
RATE = 22_050

#: Seconds by which a lossy encoder may lengthen what it encodes: frames at either end.
PADDING = {"mp3": 0.11, "opus": 0.08, "aac": 0.14}

SENTENCE = "The birch canoe slid on the smooth planks."


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StackAccess]:
    env = {"OMP_NUM_THREADS": "1", "CHORUS_OPENAI_MODELS": "tts-1=kokoro|piper,tts-1-hd=piper,gpt-4o-mini-tts=piper"}
    with Stack(tmp_path_factory.mktemp("speech"), models=["piper-joe"], env=env) as stack:
        stack.wait_ready(240)
        with StackAccess(stack) as found:
            yield found


@pytest.fixture(scope="module")
def client(access: StackAccess) -> OpenAI:
    return OpenAI(base_url=f"{access.stack.url}/v1", api_key=access.stack.api_key, max_retries=0, timeout=120)


def speak(client: OpenAI, text: str = SENTENCE, **changes: Any) -> bytes:
    fields: dict[str, Any] = {"model": "tts-1", "voice": "alloy", "input": text, **changes}
    return client.audio.speech.create(**fields).content


def samples_of(data: bytes, format: str) -> np.ndarray:
    """float32 at 22,050 Hz, by PyAV; PCM as OpenAI has it."""
    if format == "pcm":
        file = io.BytesIO()
        soundfile.write(file, np.frombuffer(data, "<i2"), 24_000, format="WAV", subtype="PCM_16")
        data = file.getvalue()
    return decode(data, RATE, max_seconds=600)


def seconds(data: bytes, format: str = "wav") -> float:
    return len(samples_of(data, format)) / RATE


def test_every_format_is_the_same_speech(client: OpenAI) -> None:
    expected = samples_of(speak(client, response_format="wav"), "wav")
    for format in ("mp3", "opus", "aac", "flac", "wav", "pcm"):
        found = samples_of(speak(client, response_format=format), format)
        assert abs(len(found) - len(expected)) / RATE <= 0.02 + PADDING.get(format, 0), format
        assert loudness(found) == pytest.approx(loudness(expected), rel=0.1), format
    assert speak(client) == speak(client, response_format="mp3")


def loudness(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def test_files_open_in_libsndfile(client: OpenAI) -> None:
    for format in ("wav", "flac", "mp3"):
        samples, rate = soundfile.read(io.BytesIO(speak(client, response_format=format)))
        assert rate >= RATE and len(samples) / rate > 1, format


def test_speed(client: OpenAI) -> None:
    slow, plain, fast = (seconds(speak(client, response_format="wav", speed=speed)) for speed in (0.25, 1, 4))
    # Each token lasts a whole number of frames, rounded up, and one at least.
    assert 3 < slow / plain <= 4
    assert 2 < plain / fast <= 4


def test_the_first_bytes_come_long_before_the_last(client: OpenAI, tmp_path: Path) -> None:
    path = tmp_path / "speech.mp3"
    began = time.monotonic()
    first = 0.0
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input=" ".join(harvard(40)), speed=2.0, extra_body={"seed": 3}
    ) as response, path.open("wb") as file:  # fmt: skip
        for chunk in response.iter_bytes(4096):
            first = first or time.monotonic() - began
            file.write(chunk)
    whole = time.monotonic() - began
    assert first < whole / 3, (first, whole)
    assert seconds(path.read_bytes(), "mp3") > 30


def test_events(client: OpenAI) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="gpt-4o-mini-tts", voice="coral", input=SENTENCE, stream_format="sse", response_format="pcm"
    ) as response:  # fmt: skip
        assert response.headers["Content-Type"].startswith("text/event-stream")
        lines = [line for line in response.iter_lines() if line.startswith("data: ")]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
    assert events[-1]["type"] == "speech.audio.done"
    assert {"input_tokens", "output_tokens", "total_tokens"} <= events[-1]["usage"].keys()
    heard = b"".join(base64.b64decode(event["audio"]) for event in events[:-1])
    assert heard == speak(client, response_format="pcm")


def test_error_classes(access: StackAccess, client: OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError):
        speak(client.with_options(api_key="wrong"))
    with pytest.raises(openai.NotFoundError) as missing:
        speak(client, model="tts-2")
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")
    for changes, param in (({"voice": "nobody"}, "voice"), ({"text": ""}, "input"), ({"speed": 5}, "speed")):
        with pytest.raises(openai.UnprocessableEntityError) as refused:
            speak(client, **changes)
        assert refused.value.param == param
    with pytest.raises(openai.InternalServerError) as away:  # no worker serves it
        speak(client, model="kokoro")
    assert away.value.code == "no_worker" and away.value.status_code == 503


def test_models_and_voices(client: OpenAI) -> None:
    models = {model.id: model for model in client.models.list()}
    assert {"tts-1", "tts-1-hd", "gpt-4o-mini-tts", "piper-joe"} <= models.keys()
    assert client.models.retrieve("tts-1").model_dump()["serving"] == "piper"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("tts-2")
    assert speak(client, voice={"id": "joe"}) == speak(client, voice="alloy") == speak(client, voice="cedar")


def test_fields_without_effect_are_named_and_the_job_is_there(access: StackAccess, client: OpenAI) -> None:
    answer = client.audio.speech.with_raw_response.create(
        model="gpt-4o-mini-tts", voice="alloy", input=SENTENCE, instructions="Speak like a pirate."
    )
    assert answer.headers["Chorus-Ignored"] == "instructions"
    job = access.wait(answer.headers["Chorus-Job"], 30)
    assert (job["state"], job["pipeline"]) == ("succeeded", "piper")


def test_a_whole_file_has_a_length_and_a_link(access: StackAccess) -> None:
    body = {"model": "tts-1", "voice": "joe", "input": SENTENCE, "stream": False, "return_download_link": True}
    for format in ("mp3", "pcm", "aac"):
        answer = access.http.post("/v1/audio/speech", json=body | {"response_format": format, "download_format": "wav"})
        assert int(answer.headers["Content-Length"]) == len(answer.content)
        link = access.http.get(f"/v1{answer.headers['X-Download-Path']}").raise_for_status()
        assert seconds(answer.content, format) == pytest.approx(seconds(link.content), abs=0.15)


def chunks(text: str, longest: int) -> list[str]:
    """A text in pieces that end where words do."""
    found = [""]
    for word in text.split():
        if len(found[-1]) + len(word) + 1 > longest:
            found.append("")
        found[-1] = f"{found[-1]} {word}".strip()
    return found


def test_an_audiobook(client: OpenAI) -> None:
    """As epub_to_audiobook does it: chapters in pieces of 1,800 characters, whose MP3 files are joined."""
    book = data_path("texts/gutenberg_35-0_the-time-machine.txt").read_text(encoding="utf-8-sig")
    start = book.index("The Time Traveller (for so it will be convenient")
    for chapter in (book[start : start + 2_000], book[start + 2_000 : start + 2_300]):
        pieces = chunks(chapter, 1_800)
        audio = [
            speak(client, piece, model="gpt-4o-mini-tts", speed=4.0, response_format="mp3", instructions=None)
            for piece in pieces
        ]
        lengths = [seconds(one, "mp3") for one in audio]
        assert all(30 < len(piece) / length < 100 for length, piece in zip(lengths, pieces, strict=True))
        assert seconds(b"".join(audio), "mp3") == pytest.approx(sum(lengths), abs=0.1 * len(lengths))


def states(access: StackAccess) -> list[str]:
    return [job["state"] for job in access.http.get("/v1/jobs", params={"limit": 100}).json()["data"]]


def test_a_client_that_leaves_cancels_its_job(access: StackAccess) -> None:
    before = states(access).count("canceled")
    long = json.dumps({"input": " ".join(harvard(400)), "seed": 11}).encode()
    head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nX-API-Key: {access.stack.api_key}\r\n".encode()
    head += b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(long)
    address = (httpx.URL(access.stack.url).host, httpx.URL(access.stack.url).port or 80)
    for reads in (0, 4096):  # at once, and in the middle of the audio
        with socket.create_connection(address, 60) as sock:
            sock.sendall(head + long)
            if reads:
                assert sock.recv(reads).startswith(b"HTTP/1.1 200")
            else:
                wait_for(lambda: {"queued", "running"} & set(states(access)), 30, lambda: states(access))
        before += 1
        wait_for(lambda: states(access).count("canceled") >= before, 30, lambda: states(access))  # noqa: B023


def test_a_burst_blocks_nobody(access: StackAccess) -> None:
    url, key = access.stack.url, access.stack.api_key
    limits = httpx.Limits(max_connections=100)
    with httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=120, limits=limits) as http:

        def one(number: int) -> int:
            text = f"{SENTENCE} {number % 10}."
            return http.post("/v1/audio/speech", json={"input": text, "voice": "joe"}).status_code

        with ThreadPoolExecutor(100) as pool:
            answers = [pool.submit(one, number) for number in range(300)]
            while not all(answer.done() for answer in answers):
                assert httpx.get(f"{url}/healthz", timeout=10).status_code == 200
                time.sleep(0.1)
    found = {answer.result() for answer in answers}
    assert 200 in found and found <= {200, 503}, found
    wait_for(lambda: one_more(access), 30, "a place to be free again")


def one_more(access: StackAccess) -> bool:
    return access.http.post("/v1/audio/speech", json={"input": SENTENCE}).status_code == 200

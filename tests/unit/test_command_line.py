"""What the commands print at 80 columns, and what they say to a user who errs."""

from __future__ import annotations

import gc
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pytest
from chorus_client import Job, TextPreview
from click.testing import CliRunner
from rich.console import Console

from cli.commands.jobs import job_rows, step_rows
from cli.commands.say import preview_rows, say
from cli.commands.serve import starting
from cli.commands.submit import submit, times_beside
from cli.commands.up import speaking_pipeline
from cli.commands.weights import weights
from cli.files import OutputFile, read_text, text_of
from cli.main import chorus
from cli.output_options import output_options
from cli.progress import counts, progress
from cli.tables import ago, listing
from core.errors import ConfigurationError
from schemas.requests import Output

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def printed(thing: object) -> list[str]:
    console = Console(width=80, file=io.StringIO())
    console.print(thing)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def job(state: str = "succeeded", done: int = 0, total: int = 0, **more: object) -> Job:
    steps = [
        {"name": "prepare", "state": "done", "started": "2026-05-01T11:58:00.123Z", "ended": "2026-05-01T11:58:01.2Z"},
        {"name": "transcribe", "model": "whisper-tiny.en", "state": "done" if state == "succeeded" else "running",
         "started": "2026-05-01T11:58:01.200Z", "ended": None},
    ]  # fmt: skip
    shape: dict[str, object] = {
        "id": "job_65057fb99efa5e8e7b27f363",
        "state": state,
        "pipeline": "transcribe",
        "steps": steps,
    }
    shape |= {"created": "2026-05-01T11:57:59.985Z", "progress": {"done": done, "total": total, "eta": None}}
    return Job.of({**shape, **more})


# -- tables and bars


def test_a_row_of_a_table_takes_one_line_of_80_columns() -> None:
    wide = job("succeeded", 1000, 1000, pipeline="voice_match")
    assert len(printed(listing(("id", "pipeline", "state", "done", "created"), job_rows([wide], NOW)))) == 2
    assert len(printed(listing(("step", "model", "state", "began", "took"), step_rows(job(), NOW)))) == 3


def test_names_are_shown_as_they_are() -> None:
    assert "[/b]x" in printed(listing(("id", "name"), [("vo_1", "[/b]x")]))[1]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(2, "just now"), (119, "1 min ago"), (7300, "2 h ago"), (3 * 86_400, "3 days ago"), (-125, "in 2 min")],
)
def test_times_are_told_from_now(seconds: float, said: str) -> None:
    assert ago((NOW - timedelta(seconds=seconds)).isoformat(), NOW) == said


def test_no_time_is_nothing_and_an_odd_one_is_itself() -> None:
    assert (ago(None, NOW), ago("yesterday", NOW)) == ("", "yesterday")


def test_a_job_without_utterances_is_counted_in_steps() -> None:
    assert counts(job("running")) == (1, 2)
    assert counts(job("succeeded")) == (2, 2)
    assert counts(job("running", 3, 7)) == (3, 7)


def test_a_bar_ends_full_and_takes_one_line() -> None:
    console = Console(width=80, file=io.StringIO())
    with progress(console) as show:
        show("queued", 0, 0)
        show("running: transcribe", 1, 2)
        show("succeeded", 2, 2)
    out = console.file.getvalue()  # type: ignore[attr-defined]
    assert "2/2" in out and "?" not in out and len(out.strip().splitlines()) == 1


def test_weights_take_a_row_per_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHORUS_CACHE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    listed = CliRunner().invoke(weights, ["list"])
    assert listed.exit_code == 0
    lines = listed.output.splitlines()
    assert [line.split()[0] for line in lines] == [
        "model", "piper-joe", "kokoro", "silero", "campplus", "ge2e", "whisper-tiny.en"
    ]  # fmt: skip
    assert max(map(len, lines)) <= 80 and lines[3].split() == ["silero", "missing", "MIT", "pypi:silero-vad"]
    for arguments in (["list", "silero"], ["list", "--files"]):
        one = CliRunner().invoke(weights, arguments)
        assert "pypi:silero-vad==6.2.3" in one.output and "silero_vad_16k_op15.onnx" in one.output


def test_a_table_that_is_cut_keeps_its_names_whole() -> None:
    rows = [("piper-en_gb-alba-medium", "x" * 60, "y" * 60), ("a", "b", "c")]
    lines = printed(listing(("name", "licence", "from"), rows, cut=("licence", "from")))
    assert len(lines) == 3 and max(map(len, lines)) <= 80
    assert lines[1].split()[0] == rows[0][0] and lines[1].count("…") == 2
    long = printed(listing(("name", "from"), [("n" * 78, "y" * 60)], cut=("from",)))
    assert long[1].split()[0] == "n" * 78, "even if the rest has no place"


# -- texts


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_texts_that_say_what_they_are_are_read(encoding: str) -> None:
    assert text_of("Ein Käfer.".encode(encoding), "a.txt") == "Ein Käfer."


def test_byte_order_decides_between_utf_16s() -> None:
    for mark, encoding in ((b"\xfe\xff", "utf-16-be"), (b"\xff\xfe", "utf-16-le")):
        assert text_of(mark + "Käfer".encode(encoding), "a.txt") == "Käfer"


def test_other_encodings_are_asked_for() -> None:
    content = "“Käfer”".encode("cp1252")
    with pytest.raises(click.ClickException, match=r"a\.txt is not valid UTF-8: byte 0x93 at offset 0.*--encoding"):
        text_of(content, "a.txt")
    assert text_of(content, "a.txt", "cp1252") == "“Käfer”"
    with pytest.raises(click.ClickException, match="not a known encoding"):
        text_of(content, "a.txt", "klingon")
    with pytest.raises(click.ClickException, match="not valid ascii"):
        text_of(content, "a.txt", "ascii")
    with pytest.raises(click.ClickException, match="not a text encoding"):
        text_of(content, "a.txt", "base64")


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Hello.", encoding="utf-16")
    assert read_text(tmp_path / "a.txt") == "Hello."


# -- before anything is sent


def test_options_of_the_audio_are_the_output_of_the_job() -> None:
    @click.command()
    @output_options
    def show(shape: dict[str, Any]) -> None:
        click.echo(json.dumps(shape))

    def shape(*arguments: str) -> Any:
        return json.loads(CliRunner().invoke(show, arguments, catch_exceptions=False).output)

    assert shape() == {}
    given = ["--format", "wav", "--sample-encoding", "float", "--sample-rate", "16000", "--loudness", "-18", "--trim"]
    assert shape(*given, "--tag", "title=a=b", "--tag", "track=3/12") == {
        "format": "wav",
        "encoding": "float",
        "sample_rate": 16_000,
        "loudness": -18,
        "trim": True,
        "tags": {"title": "a=b", "track": "3/12"},
    }
    assert shape("--bit-rate", "64000") == {"bit_rate": 64_000}
    times = {"timestamps": "word", "subtitles": "vtt"}
    assert shape("--timestamps", "word", "--subtitles", "vtt") == times
    beside = [Path("a/x.timestamps.json"), Path("a/x.vtt")]
    assert times_beside(Path("a/x.mp3"), times) == beside and times_beside(Path("a/x.mp3"), {}) == []
    assert shape("--cover", __file__) == {"cover": __file__}, "the client reads it"
    assert Output.model_validate(shape(*given, "--tag", "date=2026")).tags.date == "2026"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--text", "Hi.", "-o", "no/such/x.wav"], "The folder no/such does not exist."),
        (["--text", "Hi.", "-o", "x.wav", "--no-wait"], "--no-wait"),
        (["--text", "caf\udce9"], "is not valid UTF-8"),
        (["--text", "Hi.", "--loudness", "nan"], "loudness"),
        (["--text", "Hi.", "--tag", "title"], "NAME=TEXT"),
        (["--text", "Hi.", "--cover", "no-such.png"], "no-such.png"),
        (["--text", "Hi.", "--tag", "title=caf\udce9"], "not text"),
        (["--text", "Hi.", "--sample-encoding", "alaw"], "--sample-encoding"),
        (["--text", "Hi.", "--option", "speed"], "NAME=VALUE"),
        (["--text", "Hi.", "--lexicon", "le_1:x"], "ID:VERSION"),
    ],
)
def test_mistakes_are_told_before_anything_is_sent(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(submit, [*arguments, "--url", "http://127.0.0.1:1", "--api-key", "k"])
    assert told.exit_code == 2 and isinstance(told.exception, SystemExit), told.exception
    assert said in told.output and "Traceback" not in told.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Hi.", "-o", "no/such/x.wav"], "The folder no/such does not exist."),
        (["Hi.", "-o", "x.ogg"], "use one of the extensions .wav, .flac"),
        (["Hi.", "-o", "x"], "use one of the extensions"),
        (["Hi.", "-o", "here.wav"], "here.wav exists. Use --force"),
        (["Hi.", "-o", "x.wav", "--subtitles", "srt"], "x.srt exists. Use --force"),
        (["Hi.", "-o", "x.wav", "--subtitles", "ass"], "--subtitles"),
        (["Hi.", "--dry-run", "-o", "x.wav"], "--dry-run writes no file."),
        (["Hi.", "--dry-run", "--timestamps", "word"], "--dry-run writes no file."),
        (["Hi.", "--json"], "--json applies only to --dry-run."),
        (["caf\udce9"], "TEXT is not valid UTF-8."),
        (["Hi.", "--encoding", "cp1252"], "standard input"),
        (["Hi.", "--option", "speed", "--dry-run"], "NAME=VALUE"),
        (["Hi.", "--lexicon", "le_1:x", "--dry-run"], "ID:VERSION"),
        (["Hi.", "--markup", "html"], "--markup"),
        ([], "Missing argument 'TEXT'."),
    ],
)
def test_say_tells_mistakes_before_anything_is_sent(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here.wav").write_text("here")
    (tmp_path / "x.srt").touch()
    told = CliRunner().invoke(say, [*arguments, "--url", "http://127.0.0.1:1", "--api-key", "k"])
    assert told.exit_code == 2 and isinstance(told.exception, SystemExit), told.exception
    assert said in " ".join(told.output.split()) and "Traceback" not in told.output
    assert (tmp_path / "here.wav").read_text() == "here"


def test_the_file_that_say_writes_without_a_name_is_not_overwritten(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "speech.wav").touch()
    told = CliRunner().invoke(say, ["Hi.", "--url", "http://127.0.0.1:1", "--api-key", "k"])
    assert told.exit_code == 2 and "speech.wav exists" in told.output


def test_a_preview_is_a_table_of_80_columns() -> None:
    long = "and so it goes on " * 9
    utterances = [
        {"text": "[b]Hi.", "spoken": "[b]Hi.", "phonemes": "hˈaɪ.", "seconds": 0.5, "pause": 0.25},
        {"text": long, "spoken": long, "phonemes": None, "seconds": 9.25},
        {"text": "?", "error": {"code": "invalid_text", "message": "The voice has no sound for '[x]'."}},
    ]
    found = TextPreview.of({"pipeline": "piper", "model": "piper-joe", "utterances": utterances})
    lines = printed(listing(("seconds", "spoken", "phonemes"), preview_rows(found)))
    assert lines[1].split() == ["0.50", "[b]Hi.", "hˈaɪ."]
    assert lines[2].startswith("9.25") and all(len(line) <= 80 for line in lines)
    assert "invalid_text" in lines[-1] + lines[-2]


def test_an_output_lies_in_a_folder_that_is_there(tmp_path: Path) -> None:
    kind = OutputFile()
    assert kind.convert(str(tmp_path / "x.wav"), None, None) == tmp_path / "x.wav"
    (tmp_path / "file").touch()
    for wrong in (tmp_path / "no" / "x.wav", tmp_path / "file" / "x.wav"):
        with pytest.raises(click.BadParameter, match="folder"):
            kind.convert(str(wrong), None, None)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("CHORUS_REDIS_URL", ["keys", "list"]),
        ("CHORUS_URL", ["jobs", "list"]),
        ("CHORUS_LEASE", ["keys", "list"]),
    ],
)
def test_a_setting_that_cannot_be_is_told(name: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "nonsense")
    told = CliRunner().invoke(chorus, arguments)
    assert told.exit_code and isinstance(told.exception, SystemExit | ConfigurationError), told.exception


@pytest.mark.parametrize(
    ("models", "pipeline"), [(["piper-joe"], "piper"), (["silero", "kokoro"], "kokoro"), (["silero"], None)]
)
def test_up_suggests_a_pipeline_that_its_models_can_do(models: list[str], pipeline: str | None) -> None:
    assert speaking_pipeline(models) == pipeline


# -- processes


def test_the_collector_rests_only_while_a_process_starts() -> None:
    try:
        with pytest.raises(ConfigurationError), starting():
            assert not gc.isenabled()
            raise ConfigurationError("It does not start.")
        assert gc.isenabled() and gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()

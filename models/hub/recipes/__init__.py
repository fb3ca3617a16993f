"""How models of each family are found on the hub, and what an entry of a models.yaml says of them: a module each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from core.errors import InvalidRequest
from models.hub.licences import Licence
from models.hub.origin import FileFacts, Origin


class Origins(Protocol):
    """Opens repositories: those of the hub, or what a folder has of them."""

    def open(self, repository: str, revision: str = "main", *, first: bool = True) -> Origin:
        """A repository. ``first``: the one that was asked for, not one that it needs besides."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What is to be added: ``what`` of a family, or the model that a repository has."""

    what: str = ""  #: ``en_GB-alba-medium``, ``deu``; empty where the family has one model, or with ``repository``
    repository: str = ""  #: OWNER/REPO; empty for the family's own
    revision: str = "main"
    file: str = ""  #: which of several in the repository


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """Entries that make one model: their content as in a models.yaml, by name, and the licences of what is in them."""

    entries: Mapping[str, Mapping[str, Any]]
    licences: Sequence[Licence]
    origins: Sequence[str]  #: for people


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The models of one family. ``needs``: the files of a model, for people who fetch them by hand."""

    name: str
    build: Callable[[Wish, Origins], Addition]
    needs: Callable[[Wish], str]
    usage: str  #: what is written after the family's name, in an example
    types: tuple[str, ...] = field(default=())  #: by which ``--type`` knows it, besides its name


def invalid(message: str) -> InvalidRequest:
    """The error of a model that cannot be meant."""
    return InvalidRequest(message, code="unknown_model")


def weights_of(files: Mapping[str, FileFacts]) -> dict[str, Any]:
    """The weights of an entry, by name."""
    return {name: facts.to_entry() for name, facts in files.items()}


def gathered(origin: Origin, paths: Mapping[str, str]) -> dict[str, FileFacts]:
    """The facts of files by the names of their weights; all are asked for at once."""
    found = origin.facts(paths.values())
    return {name: found[path] for name, path in paths.items()}


def load_recipes() -> dict[str, Recipe]:
    """All recipes by name."""
    from models.hub.recipes import kokoro, melo, mms, openvoice, piper, whisper

    modules = (piper, kokoro, openvoice, melo, mms, whisper)
    return {module.RECIPE.name: module.RECIPE for module in modules}

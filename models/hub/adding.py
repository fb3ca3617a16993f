"""Adds a model to the installation's own file: what it is made of, then its weights, then a trial, then its entry.

The entry is written last, so a download that fails or a model that does not run leaves none. What was fetched stays in
the cache, and is not fetched again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import InvalidRequest, WeightsError
from models.base import ModelSpec
from models.catalog import Catalog
from models.hub.folder import Folder
from models.hub.origin import Origin, plain
from models.hub.recipes import Addition, Origins, Recipe, Wish, load_recipes
from models.own_file import OwnFile

if TYPE_CHECKING:
    from models.hub.client import Hub

_PART = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}"
_REPOSITORY = re.compile(rf"hf:(?P<name>{_PART}/{_PART})(?:@(?P<revision>[A-Za-z0-9_./-]{{1,200}}))?")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,49}")


class HubOrigins(Origins):
    """Repositories of the hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def open(self, repository: str, revision: str = "main", *, first: bool = True) -> Origin:
        return self._hub.repository(repository, revision)


class FolderOrigins(Origins):
    """What a folder has of repositories."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self, repository: str, revision: str = "main", *, first: bool = True) -> Origin:
        return Folder(self._root, repository, first=first)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be added, and how."""

    recipe: Recipe
    wish: Wish


def asked(words: Sequence[str], kind: str | None, revision: str | None, file: str | None) -> Asked:
    """The model that the words of a command mean: ``piper en_GB-alba-medium``, ``hf:OWNER/REPO@REVISION``.

    ``kind``: the family of a repository. Raises `core.errors.InvalidRequest` (``unknown_model``)."""
    recipes = load_recipes()
    first, *rest = words
    if first.startswith("hf:"):
        found = _REPOSITORY.fullmatch(first)
        if found is None or rest:
            raise _unclear(
                f"{plain(' '.join(words), 120)!r} is no repository: hf:OWNER/REPO or hf:OWNER/REPO@REVISION."
            )
        if kind is None:
            raise _unclear(f"Say of which family {first} is, with --type: {', '.join(recipes)}.")
        given = revision or found["revision"] or "main"
        wish = Wish(repository=found["name"], revision=given, file=file or "")
        return Asked(recipe=_recipe(recipes, kind), wish=wish)
    if kind is not None or file is not None:
        raise _unclear("--type and --file are for a repository: hf:OWNER/REPO.")
    recipe = _recipe(recipes, first)
    if len(rest) > 1 or (recipe.usage and not rest):
        raise _unclear(f"Name one model: chorus models add {recipe.name} {recipe.usage}".rstrip() + ".")
    return Asked(recipe=recipe, wish=Wish(what=rest[0] if rest else "", revision=revision or "main"))


def described(what: Asked, origins: Origins, name: str | None = None) -> Addition:
    """The entries of a model, from its origin; ``name`` in place of theirs.

    Raises `core.errors.WeightsError`, which names the files that are needed if the hub cannot be reached, and
    `core.errors.InvalidRequest` for a model or a name that cannot be."""
    needs = what.recipe.needs(what.wish)
    try:
        found = what.recipe.build(what.wish, origins)
    except WeightsError as error:
        if error.code != "hub_unreachable":
            raise
        raise WeightsError(
            f"{error.message} Without it, give a folder with {needs}: --from FOLDER.", code=error.code
        ) from error
    if name is None:
        return found
    if not _NAME.fullmatch(name):
        raise InvalidRequest(f"{plain(name, 60)!r} is no name of a model: small letters, digits, '.', '_' and '-'.")
    several = len(found.entries) > 1
    renamed = {f"{name}-{old.rsplit('-', 1)[-1]}" if several else name: entry for old, entry in found.entries.items()}
    return replace(found, entries=renamed)


def specs_of(addition: Addition, own: OwnFile, given: Catalog) -> list[ModelSpec]:
    """The models as they will be served; nothing is written. ``given``: the built-in models.

    Raises `core.errors.InvalidRequest` (``model_exists``) for a name that is taken,
    `core.errors.ConfigurationError` for an entry that is invalid."""
    for name in addition.entries:
        if name in given.models:
            raise InvalidRequest(f"{name} is a built-in model. Choose another name with --name.", code="model_exists")
    models = own.with_entries(addition.entries).models
    return [models[name] for name in addition.entries]


def unused_weights(removed: ModelSpec, others: Iterable[ModelSpec]) -> list[str]:
    """The names of the weights of ``removed`` that none of ``others`` has."""
    kept = {(file.sha256, file.name) for spec in others for file in spec.weights.values()}
    return [key for key, file in removed.weights.items() if (file.sha256, file.name) not in kept]


def _recipe(recipes: dict[str, Recipe], name: str) -> Recipe:
    for recipe in recipes.values():
        if name in (recipe.name, *recipe.types):
            return recipe
    raise _unclear(f"{plain(name, 60)!r} is no family that can be added. There are {', '.join(recipes)}.")


def _unclear(message: str) -> InvalidRequest:
    return InvalidRequest(message, code="unknown_model")

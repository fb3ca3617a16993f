"""Which models can do a step: one answer for planning, for the catalog's views and for the OpenAPI description."""

from __future__ import annotations

from collections.abc import Mapping

from core.names import Role, VadMode
from models.base import ModelSpec
from models.catalog import Catalog
from pipelines.definitions import Pipeline, PipelineStep, family_role


def candidates(
    step: PipelineStep, catalog: Catalog, vad: VadMode | None = None, *, matched: bool = False
) -> list[ModelSpec]:
    """The models that can do a step, in the order of the catalog.

    ``vad`` is the job's mode of voice activity detection; None means any mode, to list everything a pipeline can use.
    ``matched``: a step that any synthesizer can do will speak with a matched voice, so only the models that the
    catalog allows for that.
    """
    if step.role is Role.VAD:
        # A way of finding speech has the name of a family.
        ways = [way.value for way in VadMode] if vad is None else [vad.value]
        return [model for model in catalog.models.values() if model.type in ways]
    found = catalog.of(family_role(step.role), step.type)
    if matched and step.role is Role.SYNTHESIZE and step.type is None:
        return [model for model in found if model.voice_match]
    return found


def available(pipelines: Mapping[str, Pipeline], catalog: Catalog) -> dict[str, Pipeline]:
    """The pipelines whose steps all have a model in the catalog."""
    return {
        name: pipeline
        for name, pipeline in pipelines.items()
        if all(candidates(step, catalog) for step in pipeline.steps)
    }


def models_by_role(pipeline: Pipeline, catalog: Catalog) -> dict[Role, list[ModelSpec]]:
    """The models that a pipeline can use, by the role of their step, each named once for a role."""
    found: dict[Role, dict[str, ModelSpec]] = {}
    for step in pipeline.steps:
        found.setdefault(step.role, {}).update({model.name: model for model in candidates(step, catalog)})
    return {role: list(models.values()) for role, models in found.items()}

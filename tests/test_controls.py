"""Right variants of designs are lawful: no law condemns what is right."""

import importlib
import pkgutil

import pytest

from refmodel.engines.exhaustive import explore
from refmodel.engines.induction import prove
from refmodel.language import Design, outline
from tests import controls

CONTROLS: dict[str, type[Design]] = {
    module.name: importlib.import_module(f"{controls.__name__}.{module.name}").Control
    for module in pkgutil.iter_modules(controls.__path__)
}


@pytest.mark.parametrize("name", CONTROLS)
@pytest.mark.one_in(2)
def test_a_right_variant_is_lawful_in_every_state(name: str) -> None:
    design = outline(CONTROLS[name])
    found = explore(design, CONTROLS[name].geometry, seconds=60)
    assert found.failure is None and found.complete
    assert set(found.applied) >= {op.name for op in design.operations if op.name in vars(CONTROLS[name])}


@pytest.mark.parametrize("name", CONTROLS)
@pytest.mark.one_in(4)
def test_a_right_variant_is_proved(name: str) -> None:
    judged = prove(outline(CONTROLS[name])).judgements()
    assert judged and {judgement.verdict for judgement in judged} == {"proved"}


@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_says_what_it_does_otherwise_and_why_that_is_right(name: str) -> None:
    module = importlib.import_module(CONTROLS[name].__module__)
    assert (module.__doc__ or "").strip().endswith(".") and (CONTROLS[name].__doc__ or "").strip().endswith((".", ")"))

"""What a reset's or an assignment's condition looks at is the state in which it was stated, in every reading."""

from typing import Annotated, Any

import attrs

from refmodel.engines import induction
from refmodel.engines.exhaustive import explore
from refmodel.language import Design, Name, Total, assign, geometry, implies, law, operation, outline, reset

Key = Annotated[int, Name("Key")]


@attrs.frozen
class Held:
    there: bool = False


@law("ISO-1", "What is pointed to is there.")
def pointed_to_is_there(s: Any, key: Key) -> Any:
    return implies(s.pointer[key].there, s.target[key].there)


class Forgets(Design):
    """Pointers go where targets are, and then the targets go: nothing is left pointed to."""

    pointer: Total[Key, Held]
    target: Total[Key, Held]
    laws = (pointed_to_is_there,)
    geometry = geometry(Key=2)

    @operation
    def make(self, key: Key) -> None:
        self.target[key] = Held(True)
        self.pointer[key] = Held(True)

    @operation
    def drop(self) -> None:
        reset(self.pointer, lambda held, key: self.target[key].there)
        reset(self.target, lambda held, key: True)


class ForgetsWrongly(Forgets):
    """The targets go first, so that no pointer goes."""

    @operation
    def drop(self) -> None:
        reset(self.target, lambda held, key: True)
        reset(self.pointer, lambda held, key: self.target[key].there)


class Waits(Forgets):
    """Others run in between; what was stated before still means what it meant."""

    @operation
    def drop(self) -> Any:
        reset(self.pointer, lambda held, key: self.target[key].there)
        reset(self.target, lambda held, key: True)
        yield


class Copies(Forgets):
    """Every pointer becomes what its target is, by a value that depends on the key."""

    @operation
    def drop(self) -> None:
        assign(self.pointer, lambda held, key: True, lambda held, key: self.target[key])


class CopiesLate(Forgets):
    """The same, when the targets are gone already."""

    @operation
    def drop(self) -> None:
        assign(self.target, lambda held, key: True, Held(False))
        assign(self.pointer, lambda held, key: not self.target[key].there, lambda held, key: Held(not self.target[key].there))


def verdict(design: type[Design]) -> bool:
    """Whether the prover says that the law is kept."""
    return all(j.verdict == "proved" for j in induction.prove(outline(design), all_failures=True).judgements())


def test_the_prover_sees_the_state_in_which_a_condition_was_stated() -> None:
    assert verdict(Forgets) and verdict(Copies) and verdict(Waits)
    assert not verdict(ForgetsWrongly) and not verdict(CopiesLate)


def test_exploration_agrees() -> None:
    for design, broken in ((Forgets, False), (Copies, False), (ForgetsWrongly, True), (CopiesLate, True)):
        found = explore(outline(design), design.geometry)
        assert (found.failure is not None) == broken

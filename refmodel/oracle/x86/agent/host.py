"""Whoever runs the agent: memory that both see, and a way to let it carry out a script."""

from __future__ import annotations

from abc import ABC, abstractmethod

from refmodel.oracle.judging import Lost
from refmodel.oracle.x86.agent.image import MAILBOX, MEMORY, SCRIPTS, Image
from refmodel.oracle.x86.agent.script import Results, Script


class AgentHost(ABC):
    """A machine with the agent in it."""

    image: Image

    def perform(self, script: Script) -> Results:
        """Let the agent carry out a script. Raises ``Lost`` if it does not come back."""
        packed = script.packed()
        if len(packed) > MEMORY - SCRIPTS:
            raise ValueError(f"a script of {len(packed)} bytes does not fit into {MEMORY - SCRIPTS}")
        self.image.put(SCRIPTS, packed)
        self.image.word(MAILBOX, 1)
        self.run()
        results = script.results(bytes(self.image.memory[SCRIPTS : SCRIPTS + len(packed)]))
        for number, step in script.settings:
            if results[number][0]:
                raise Lost(f"the machine refuses a setting of registers ({step.name}, exception {results[number][0]})")
        return results

    @abstractmethod
    def run(self) -> None:
        """Return when the agent has set mailbox word 0 to 0."""

    @abstractmethod
    def close(self) -> None:
        """Let the machine go."""

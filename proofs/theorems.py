"""Every theorem that the project claims, with the file that proves it. ``refmodel prove`` and the tests run them all.

What is assumed: the text, the reading of Python that ``refmodel/language`` and ``refmodel/engines/symbolic.py`` make of it, and z3.
Other solvers, and a checker of proofs, can be asked too: ``specs/trust.md``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs

from proofs import bare_machines, designs, noninterference, popek_goldberg, refinement
from proofs.riscv import leaf as riscv_leaf
from proofs.riscv import two_stages
from proofs.riscv import walk as riscv_walk
from proofs.x86 import entries, ept_walk, guest_walk, legacy_walk, nested_walk, references
from refmodel.bare_machines import bare_machine
from refmodel.designs import COMBINED, SHIPPED
from refmodel.engines.proof_cache import ProofCache
from refmodel.language.pending import stated
from refmodel.machine.x86.nested_walk import most_references
from refmodel.points import REFINED_OVER, REFINING


@attrs.frozen
class Theorem:
    """A claim, and the function that proves it or raises AssertionError."""

    says: str
    proof: Callable[..., None]
    of: tuple[Any, ...] = ()
    slow: bool = False
    """Whether the fast tests leave it out: these take longest, a minute or so of two cores between them."""
    apart: Callable[..., dict[str, Callable[[], Any]]] | None = None
    """Gives the proofs that together are this one, by name, where each can be made by itself."""
    certified: bool = False
    """Whether a certificate is asked for that others can check."""

    @property
    def name(self) -> str:
        where = self.proof.__module__.removeprefix("proofs.")
        return f"{where}.{self.proof.__name__}({', '.join(map(str, self.of))})"

    def parts(self) -> dict[str, Callable[[], Any]]:
        """The proofs that together are this one, by name."""
        return {"": partial(self.proof, *self.of)} if self.apart is None else self.apart(*self.of)

    def prove(self, cache: ProofCache | None = None) -> tuple[float, bool]:
        """The seconds that the proof takes, or took when the cache was told of it; and whether it was the cache that knew."""
        known = cache.seconds(self.name, self.proof.__module__) if cache else None
        if known is not None:
            return known, True
        began = time.perf_counter()
        self.proof(*self.of)
        seconds = time.perf_counter() - began
        if cache:
            cache.keep(self.name, self.proof.__module__, seconds)
        return seconds, False


def _of_levels(says: str, proof: Callable[..., None], *levels: int) -> list[Theorem]:
    return [Theorem(f"{says} ({n} levels)", proof, (n,), certified=True) for n in levels]


def _of_schemes(says: str, proof: Callable[..., None], *schemes: str) -> list[Theorem]:
    return [Theorem(f"{says} ({name})", proof, (name,), certified=True) for name in schemes]


VS_STAGE = ("Sv32", "Sv39", "Sv48", "Sv57")
G_STAGE = ("Sv32x4", "Sv39x4", "Sv48x4", "Sv57x4")
EVERY_STAGE = (*VS_STAGE, *G_STAGE)
LEGACY = ("32-bit", "PAE")
WITHOUT_LINEAR_CACHES = ("memory", "memory+", "memory_acknowledged+", "interpreter+", "npt+", "riscv_A_D+", "ept_tagged+",
                         "ept_4K_2M_acknowledged+")
"""Designs in which no processor caches a guest's linear addresses: what it is shown does not depend on what is stale."""
SLOW = set(COMBINED) - {"interpreter+"}


def _more_of(name: str) -> str:
    """What else the theorem about a design says: if its guests believe in a bare machine, and if something is pending in it."""
    cls = designs.DESIGNS[name]
    simulated = " Each step is a step of the bare machine, which has no monitor, or changes nothing that guests see."
    simulates = "" if bare_machine(cls) is None else simulated
    return f"{simulates}{' All pending work, such as a flush or a page-in, can be completed.' if stated(cls) else ''}"


THEOREMS = (
    *_of_levels("The guest's walk does what the manual's tables say.", guest_walk.the_walk_is_as_declared, 4, 5),
    *_of_levels("The guest's walk reads and returns no address beyond MAXPHYADDR.",
                guest_walk.nothing_leads_beyond_maxphyaddr, 4, 5),
    *_of_levels("If the guest's walk allows an access, every entry on its path allows it.", guest_walk.rights_only_shrink, 4, 5),
    *_of_schemes("A walk outside IA-32e mode does what the manual's tables say.", legacy_walk.the_walk_is_as_declared, *LEGACY),
    *_of_schemes("A walk outside IA-32e mode reads and returns no address beyond MAXPHYADDR.",
                 legacy_walk.nothing_leads_beyond_maxphyaddr, *LEGACY),
    *_of_schemes("If a walk outside IA-32e mode allows an access, every entry on its path allows it.",
                 legacy_walk.rights_only_shrink, *LEGACY),
    Theorem("MOV to CR3 with PAE paging loads four PDPTEs, or none if one has a reserved bit set.",
            legacy_walk.pdptes_are_loaded_whole_or_not_at_all, certified=True),
    *_of_levels("The walk of nested page tables gives the same result as a walk of the guest's tables with user privilege.",
                guest_walk.the_nested_page_walk_is_as_declared, 4, 5),
    *_of_levels("The EPT walk does what the manual's tables say.", ept_walk.the_walk_is_as_declared, 4, 5),
    *_of_levels("The EPT walk reads and returns no address beyond MAXPHYADDR.", ept_walk.nothing_leads_beyond_maxphyaddr, 4, 5),
    *_of_levels("If the EPT walk allows an access, every entry on its path allows it.", ept_walk.rights_only_shrink, 4, 5),
    *_of_levels("A walk through EPT gives the same result as the guest's walk over the memory that EPT maps.",
                nested_walk.through_ept_it_is_the_guest_s_walk_of_what_ept_shows, 4, 5),
    *_of_levels("A walk through nested tables gives the same result as the guest's walk over the memory that these tables map.",
                nested_walk.through_npt_it_is_the_guest_s_walk_of_what_the_nested_tables_show, 4, 5),
    *(Theorem(f"A walk reads at most one entry of each level ({n} levels).", references.a_walk_reads_an_entry_of_each_level, (n,))
      for n in (4, 5)),
    *(Theorem(f"A walk in two dimensions takes at most {most_references(n, n)} references ({n} levels each).",
              references.a_walk_in_two_dimensions_takes_so_many_references, (n,)) for n in (4, 5)),
    *(Theorem("Encoding a decoded entry gives the entry back, except for ignored bits.",
              entries.encoding_undoes_decoding, (k,), certified=True)
      for k in ("guest", "EPT")),
    *(Theorem("Decoding an encoded entry gives the entry back.",
              entries.decoding_undoes_encoding, (k,), certified=True) for k in ("guest", "EPT")),
    *(Theorem("The decoded record of an entry has the meaning of the entry's bits.",
              entries.a_record_says_what_the_bits_say, (k,), certified=True)
      for k in ("guest", "EPT")),
    Theorem("A decoded cell has the meaning of the bits of a 4 KiB page's entry.",
            entries.a_cell_says_what_the_bits_say, certified=True),
    *_of_levels("A walk over bits and a walk over decoded cells give the same result.",
                entries.walking_bits_is_walking_cells, 4, 5),
    *_of_schemes("RISC-V's page walk of one stage does what the manual's algorithm says.",
                 riscv_walk.the_walk_is_as_declared, *EVERY_STAGE),
    *_of_schemes("RISC-V's page walk of one stage reads and returns no address beyond the machine's physical address space.",
                 riscv_walk.nothing_leads_beyond_memory, *EVERY_STAGE),
    *_of_schemes("If RISC-V's page walk of one stage allows an access, the leaf allows the access.",
                 riscv_walk.the_leaf_lets_it_through, *EVERY_STAGE),
    Theorem("The decoded record of a leaf has the meaning of the leaf's bits.",
            riscv_leaf.a_leaf_says_what_the_bits_say, certified=True),
    *_of_schemes("A walk over a G-stage's bits and its leaf's decoded record give the same result.",
                 riscv_leaf.walking_bits_is_asking_the_leaf,
                 *G_STAGE),
    *_of_schemes("A two-stage walk gives the same result as the VS-stage walk over the memory that the G-stage maps.",
                 two_stages.two_stages_are_the_vs_stage_over_what_the_second_shows, *VS_STAGE),
    Theorem("Popek and Goldberg 1: if sensitive instructions are privileged, a step under a monitor is a step of the bare machine.",
            popek_goldberg.a_monitor_may_be_constructed, certified=True),
    Theorem("Popek and Goldberg 2: under the same condition, a step under two nested monitors is a step of the bare machine.",
            popek_goldberg.a_machine_is_recursively_virtualizable, certified=True),
    Theorem("Popek and Goldberg 3: a hybrid monitor needs the condition only for instructions that are sensitive in user mode.",
            popek_goldberg.a_hybrid_monitor_may_be_constructed, certified=True),
    Theorem("None of Popek and Goldberg's three theorems holds without its condition.",
            popek_goldberg.without_the_condition_there_is_a_counterexample,
            certified=True),
    *(Theorem(f"Every operation of {name} keeps every law, for any number of VMs, pages and frames: "
              f"if all laws hold before an operation, they hold after it.{_more_of(name)}",
              designs.every_operation_keeps_every_law, (name,), name in SLOW, designs.by_operation)
      for name in COMBINED | SHIPPED),  # those that take longest first, so that no processor waits for one at the end
    *(Theorem(f"On {name}, a machine without a monitor, a VM's instruction reads and changes only this VM's state.",
              bare_machines.an_instruction_of_the_bare_machine_touches_the_vm_s_own, (name,)) for name in bare_machines.MACHINES),
    *(Theorem(f"Over {' and '.join(REFINED_OVER)}, each step of the MMU {mmu} is one that the abstract MMU may take.",
              refinement.every_step_is_one_of_the_abstract_mmu, (mmu,)) for mmu in REFINING),
    *(Theorem(f"In {name}, a VM's outcomes depend only on state that the VM knows (noninterference).",
              noninterference.what_a_vm_is_shown_depends_on_what_it_knows, (name,), name in SLOW)
      for name in WITHOUT_LINEAR_CACHES),
    Theorem("Every operation of ZapToProtect, an example of a user's design, keeps every law.",
            designs.every_operation_keeps_every_law, ("ZapToProtect",), apart=designs.by_operation),
)

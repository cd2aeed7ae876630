"""The claims about staleness can fail: each of these changes to the text is noticed by one of them."""

import inspect
import types
from collections.abc import Callable, Iterator

import pytest

from refmodel.machine.x86 import staleness
from refmodel.machine.x86.guest_walk import Access
from tests import test_staleness as claims

MUTANTS = (
    ("shift = 3 + 9 * level", "shift = 12 + 9 * level"),  # what a chain covers
    ("(chain.tag.vpid, chain.tag.eptp) != (tag.vpid, tag.eptp)", "chain.tag.vpid != tag.vpid"),
    ("(chain.tag.vpid, chain.tag.eptp) != (tag.vpid, tag.eptp)", "chain.tag.eptp != tag.eptp"),
    ("c.tag.eptp == eptp & FRAME", "c.tag.eptp == eptp"),
    ("c.tag.eptp != 0 and (kind == 2", "(kind == 2"),
    ("chain.levels == cpu.levels and ", ""),
    ("c.tag.vpid != 0\n                and (kind == 2", "(kind == 2"),
    ("return self.global_pages and chain.is_global()", "return chain.is_global()"),
    ("return self.leaf and self.entries[-1] & G != 0", "return self.entries[-1] & G != 0"),
    ("not entry & P or not entry & A or", "not entry & P or"),
    ("not entry & P or not entry & A or", "not entry & A or"),
    (" or entry & reserved(cpu, level, maps_a_page(level, entry))", ""),
    ("return (*entries, entry)", "return (*entries, entry | A | D)"),
    ("level < 4 and entry & PS != 0", "entry & PS != 0"),
    ("chain.leaf and access.write and not chain.entries[-1] & D", "False"),
    ("chain.leaf and access.write and not chain.entries[-1] & D", "access.write and not chain.entries[-1] & D"),
    ("                if may_succeed:\n", "                if True:\n"),
    ("yield fresh, fault", "if may_succeed:\n                    yield fresh, fault"),
    ("if self.reads > len(self.entries):", "if self.reads >= len(self.entries):"),
    ("if self.reads > len(self.entries):", "if True:"),
    ("todo.append(())\n", "pass\n"),
    ("(c.tag.pcid == tag.pcid or self._kept(c)))", "c.tag.pcid == tag.pcid)"),
    ("(c.tag.pcid == tag.pcid or self._kept(c)))", "(c.tag.pcid == tag.pcid or c.is_global()))"),
    ("chain.entries if cpu.nxe else tuple(entry & ~NX for entry in chain.entries)", "chain.entries"),
    ("or (not c.leaf and c.tag.pcid == tag.pcid)", "or (not c.leaf and c.covers(gva) and c.tag.pcid == tag.pcid)"),
    ("or (not c.leaf and c.tag.pcid == tag.pcid)", "or not c.leaf"),
    ("and (everything or c.tag.pcid == tag.pcid)", ""),
    ("pcids_off or global_pages != self.global_pages", "global_pages != self.global_pages"),
    ("pcids_off or global_pages != self.global_pages", "True"),
    ("(kind == 2 or not self._kept(c))\n", "not self._kept(c)\n"),
    ("(kind != 0 or c.covers(gva))\n            )", "(kind != 0 or c.covers(gva) or not c.leaf)\n            )"),
    ("(kind != 0 or c.covers(gva))\n                and", "(kind != 0 or c.covers(gva) or not c.leaf)\n                and"),
    ("c.tag.vpid == tag.vpid and c.tag.pcid == tag.pcid and c.covers(gva)", "c.tag.vpid == tag.vpid and c.covers(gva)"),
    ("c.tag == tag and c.covers(gva)", "c.tag == tag"),
    ("if not vpids_enabled:", "if vpids_enabled:"),
    ("\n        if not canonical(gva, levels):\n            return", ""),
    ("if kind == 0 and not canonical(gva, levels):\n            raise NotCanonical", "if False:\n            raise NotCanonical"),
    ("if kind == 0 and not canonical(gva, levels):\n            return", "if False:\n            return"),
)


def all_claims() -> Iterator[Callable[[], None]]:
    """The tests of the envelope, the quick ones first."""
    yield claims.test_what_is_left_out_is_zero_and_four_levels
    yield claims.test_old_upper_entries_mix_with_new_lower_ones
    yield claims.test_nobody_uses_another_s_chains_but_global_ones
    yield claims.test_a_translation_with_a_clear_dirty_flag_is_not_used_for_a_store
    yield claims.test_an_access_through_memory_marks_it_and_one_through_the_cache_does_not
    yield claims.test_a_level_above_3_never_maps_a_page
    yield claims.test_which_addresses_share_an_entry
    yield claims.test_what_is_remembered_with_xd_set_is_used_after_nxe_is_cleared
    yield claims.test_invpcid_of_an_address_that_is_not_canonical_is_a_general_protection_fault
    yield claims.test_what_looks_like_a_table_in_a_page_of_data_is_none
    yield lambda: claims.test_what_is_remembered_is_present_well_formed_and_accessed(True)
    for pge in (True, False):
        yield lambda pge=pge: claims.test_what_must_be_forgotten_is_forgotten_and_nothing_else(pge)
        yield lambda pge=pge: claims.test_a_chain_serves_its_own_addresses_under_its_own_tag_and_a_global_one_every_pcid(pge, 4)
    yield lambda: claims.test_the_ways_of_an_access_are_all_mixtures_of_old_entries_and_new_ones(Access(write=True))


@pytest.fixture
def text(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a changed text in the place of the one that the claims are about."""

    def put(source: str) -> None:
        changed = types.ModuleType("changed_staleness")
        monkeypatch.setitem(__import__("sys").modules, changed.__name__, changed)
        exec(compile(source, "staleness.py", "exec"), changed.__dict__)
        for name in ("Chain", "Remembered", "Tag", "first_address"):
            monkeypatch.setattr(claims, name, getattr(changed, name))
        for name in ("HERE", "OTHER_PCID", "OTHER_VPID"):
            old = getattr(claims, name)
            monkeypatch.setattr(claims, name, changed.Tag(old.vpid, old.pcid, old.eptp))
        monkeypatch.setattr(claims, "TAGS", tuple(changed.Tag(t.vpid, t.pcid, t.eptp) for t in claims.TAGS))
        monkeypatch.setattr(claims, "EVERYTHING", claims.universe())

    return put


def notices(claim: Callable[[], None]) -> bool:
    """Whether a claim about the text that is in place fails."""
    try:
        claim()
    except Exception:
        return True
    except BaseException as failed:  # pytest.raises fails by one of its own
        assert type(failed).__name__ == "Failed"
        return True
    return False


@pytest.mark.parametrize(("old", "new"), MUTANTS, ids=[f"{new.strip()[:40]} for {old.strip()[:40]}" for old, new in MUTANTS])
def test_a_change_to_the_text_breaks_a_claim(old: str, new: str, text: Callable[[str], None]) -> None:
    source = inspect.getsource(staleness)
    assert source.count(old) == 1, f"the text says {old!r} {source.count(old)} times"
    text(source.replace(old, new))
    assert any(map(notices, all_claims())), "no claim notices"


def test_the_text_as_it_stands_breaks_none(text: Callable[[str], None]) -> None:
    """Put in its own place it passes, so what a claim notices is the change, and not that a text was put there."""
    text(inspect.getsource(staleness))
    assert {kind.__module__ for kind in (claims.Chain, claims.Remembered, claims.Tag, type(claims.HERE))} == {"changed_staleness"}
    assert [claim for claim in all_claims() if notices(claim)] == []

"""The judges: who does what the model does is right, planted deviations are found, real ones are rediscovered."""


import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import attrs
import pytest

from refmodel.machine.ept_walk import Ept
from refmodel.machine.guest_walk import RSVD
from refmodel.machine.words import P
from refmodel.oracle import known, nested_campaign, stale_tests, walk_campaign
from refmodel.oracle.agent import code
from refmodel.oracle.implementations import IMPLEMENTATIONS, Absent
from refmodel.oracle.judging import Campaign, Finding, Lost, Verdict, judge, plainer
from refmodel.oracle.kernel_settings import changed
from refmodel.oracle.nested_tests import ROOT
from refmodel.oracle.outcomes import Lawful, Observed, Outcome
from refmodel.oracle.walk_tests import Profile

AGENT = Path(code.__file__).parent

# ---------------------------------------------------------------- the model judged by itself

Spoil = Callable[[Lawful, object], Lawful]


def observed(way: Lawful, before: dict[int, int]) -> Observed:
    return Observed(way.outcome, {a: e | way.must.get(a, 0) for a, e in before.items()})


def plain_walks(spoil: Spoil = lambda way, test: way, which: int = 0, **profile: object) -> Campaign:
    def perform(tests: Sequence[object]) -> list[Observed]:
        return [observed(spoil(walk_campaign.due(t)[which], t), t.entries) for t in tests]  # type: ignore[attr-defined]

    return walk_campaign.WalkCampaign("model 0", Profile(pke=True, **profile), perform)  # type: ignore[arg-type]


def nested_walks(ept: Ept | None, spoil: Spoil = lambda way, test: way, which: int = 0) -> Campaign:
    def perform(tests: Sequence[object]) -> list[Observed]:
        return [observed(spoil(nested_campaign.due(t)[which], t), t.entries) for t in tests]  # type: ignore[attr-defined]

    return nested_campaign.NestedCampaign("model 0", Profile(amd=ept is None), ept, perform)


def stale_walks(choice: Callable[[list[Lawful]], Lawful], careless: bool = False) -> Campaign:
    def perform(tests: Sequence[stale_tests.StaleTest]) -> list[Observed]:
        heeded = [attrs.evolve(t, invalidation=()) if careless else t for t in tests]
        return [observed(choice(stale_tests.due(h)), t.after) for h, t in zip(heeded, tests, strict=True)]

    return stale_tests.StaleCampaign("model 0", Profile(pcid=True, invpcid=True), perform)


EPTS = [Ept(ROOT, accessed_dirty=False, advanced=True), Ept(ROOT, accessed_dirty=True, advanced=True)]


@pytest.mark.parametrize("campaign", [
    plain_walks(), plain_walks(levels=5, amd=True), nested_walks(None), nested_walks(EPTS[0]), nested_walks(EPTS[1]),
    nested_walks(EPTS[0], which=-1), stale_walks(lambda ways: ways[0]), stale_walks(lambda ways: ways[-1]),
], ids=lambda c: c.subject)
def test_the_model_does_not_deviate_from_itself(campaign: Campaign) -> None:
    verdict = judge(campaign, seconds=60, checks=3000)
    assert verdict.checks >= 3000 and verdict.deviations == ()
    assert len(verdict.outcomes) > 1


def without_bit(bit: int, when: int) -> Spoil:
    def spoil(way: Lawful, test: object) -> Lawful:
        outcome = way.outcome
        return attrs.evolve(way, outcome=attrs.evolve(outcome, code=outcome.code & ~bit)) if outcome.code & when else way

    return spoil


def unmarked(way: Lawful, test: object) -> Lawful:
    return attrs.evolve(way, must={a: f & ~(1 << 6) for a, f in way.must.items()})


def astray(way: Lawful, test: object) -> Lawful:
    if way.outcome.kind != "completed":
        return way
    return attrs.evolve(way, outcome=attrs.evolve(way.outcome, address=way.outcome.address ^ 0x1000))


def let_through(way: Lawful, test: object) -> Lawful:
    write = test.access.write and way.outcome.kind == "#PF" and way.outcome.code & 9 == P  # type: ignore[attr-defined]
    return attrs.evolve(way, outcome=Outcome("completed", 0, 0x100000)) if write else way


@pytest.mark.parametrize(("campaign", "said"), [
    (plain_walks(without_bit(RSVD, RSVD)), "not taken as reserved"),
    (plain_walks(without_bit(P, RSVD)), "error code of a #PF for reserved bits lacks P"),
    (plain_walks(unmarked), "dirty flag"),
    (plain_walks(astray), "another physical address"),
    (plain_walks(let_through), "completed where a #PF"),
    (nested_walks(None, without_bit(1 << 33, 1 << 33)), "tells another stage"),
    (nested_walks(EPTS[1], without_bit(1, 2)), "lacks 'read'"),
    (nested_walks(EPTS[0], astray), "no completed"),
    (stale_walks(lambda ways: ways[-1], careless=True), "outside the envelope"),
], ids=lambda x: x if isinstance(x, str) else "")
def test_a_planted_deviation_is_found(campaign: Campaign, said: str) -> None:
    found = judge(campaign, seconds=60, checks=12_000).deviations
    assert any(said in d.finding.title for d in found), [d.finding.title for d in found]


def test_what_deviates_is_shrunk_to_what_makes_it() -> None:
    (deviation,) = [d for d in judge(plain_walks(without_bit(P, RSVD)), seconds=60, checks=6000).deviations]
    lines = "\n".join(deviation.test.lines())
    assert "supervisor load" in lines and "CR0.WP=1 CR4.SMEP=0 CR4.SMAP=0" in lines


def test_plainer_bytes_are_never_the_same_and_come_to_an_end() -> None:
    data = bytes(range(20))
    assert data not in list(plainer(data)) and list(plainer(bytes(20))) == []


def test_a_machine_that_is_lost_ends_the_session() -> None:
    class Gone:
        implementation, subject, size, slow = "gone 0", "nothing", 4, False

        def make(self, data: bytes) -> walk_campaign.WalkTest:
            raise Lost("it ended")

        def run(self, tests: object) -> list[tuple[str, Finding | None]]:
            return []

    with pytest.raises(Lost, match="it ended"):
        judge(Gone(), seconds=30)


def test_every_byte_string_is_a_test() -> None:
    for campaign in (plain_walks(levels=5), nested_walks(None), nested_walks(EPTS[0]), stale_walks(lambda ways: ways[0])):
        for byte in range(256):
            ((outcome, finding),) = campaign.run([campaign.make(bytes([byte]) * campaign.size)])
            assert outcome and finding is None
        assert list(campaign.make(b"").lines())


# ---------------------------------------------------------------- real ones

REDISCOVERED = {"qemu": {"Q1", "Q2", "Q3", "Q4"}, "bochs": {"B1", "B2", "B3"}, "unicorn": {"U1"}, "kvm": set()}
CHECKS = {"qemu": 4000, "bochs": 16_000, "unicorn": 3000, "kvm": 1500}


@pytest.mark.parametrize("name", REDISCOVERED)
def test_real_implementations_show_what_is_known_of_them_and_nothing_new(name: str) -> None:
    verdicts: list[Verdict] = []
    campaigns: Generator[Campaign, None, None] = IMPLEMENTATIONS[name].campaigns()
    try:
        for campaign in campaigns:
            verdicts.append(judge(campaign, seconds=3 if campaign.slow else 300, checks=CHECKS[name]))
    except Absent as why:
        if not verdicts:
            pytest.skip(str(why))
    except Lost as why:
        pytest.skip(f"{name}: {why}")
    finally:
        campaigns.close()
    assert [title for v in verdicts for title in known.new_titles(v)] == []
    met = {known.explanation(v.implementation, d.finding.title) for v in verdicts for d in v.deviations}
    assert {k.name for k in met if k} >= REDISCOVERED[name]


def test_known_deviations_are_of_implementations_that_there_are() -> None:
    assert {k.name for k in known.known_deviations()} == set.union(*REDISCOVERED.values())
    assert all(k.implementation in IMPLEMENTATIONS and k.evidence and k.titles for k in known.known_deviations())
    assert known.explanation("qemu 7.2.22", "accessed flag of a 1 GiB leaf set although the access faults") is not None
    assert known.explanation("qemu 12.0", "accessed flag of a 1 GiB leaf set although the access faults") is None


@pytest.mark.parametrize(("source", "embedded"), [("agent.asm", lambda: code.AGENT), ("rom.asm", code.rom)])
def test_the_embedded_bytes_are_what_the_assembler_makes(source: str, embedded: Callable[[], bytes], tmp_path: Path) -> None:
    try:
        subprocess.run(["nasm", "-f", "bin", AGENT / source, "-o", tmp_path / "out"], check=True, capture_output=True, timeout=60)
    except OSError:
        pytest.skip("nasm is not installed (Debian: apt-get install nasm)")
    assert (tmp_path / "out").read_bytes() == embedded()


def test_settings_are_put_back_whatever_happens(tmp_path: Path) -> None:
    setting = tmp_path / "setting"
    setting.write_text("7\n")
    with pytest.raises(ZeroDivisionError), changed({setting: "1"}):
        assert setting.read_text() == "1"
        raise ZeroDivisionError
    assert setting.read_text() == "7"
    script = f"""
import os, pathlib, signal
from refmodel.oracle.kernel_settings import changed
with changed({{pathlib.Path({str(setting)!r}): "1"}}):
    os.kill(os.getpid(), signal.SIGTERM)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, timeout=60)
    assert done.returncode == 143 and setting.read_text() == "7"



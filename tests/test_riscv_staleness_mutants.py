"""The claims about how stale RISC-V's translations may be can fail: each of these changes to the text is noticed by one."""

import json
import subprocess
import sys
from pathlib import Path

MUTANTS = (
    ("Entry.leaf", "self.level == 1 or ", ""),
    ("Entry.leaf", "self.value & V != 0 and ", ""),
    ("Entry.leaf", "(self.value & V != 0 and self.value & (R | X) != 0)", "True"),
    ("first_address", "address >> shift << shift", "address >> 12 << 12"),
    ("_Reads.read", "if self.level == self.start.level else V", "if True else V"),
    ("_Reads.read", "e.slot == slot and e.level == self.level", "False"),
    ("_Reads.mark", "raise _NoWay  # the walk begins anew, which is another way", "pass"),
    ("Remembered.serving", "entry.space.vmid == space.vmid", "True"),
    ("Remembered.serving", "entry.is_global or ", ""),
    ("Remembered.serving", "(entry.is_global or entry.space.asid == space.asid)", "True"),
    ("Remembered.serving", "entry.space.tables == space.tables and ", ""),
    ("Remembered.may_read", "not stage.guest and ", ""),
    ("Remembered.may_read", "was_global or ", ""),
    ("Remembered._of", "e.space.vmid == vmid", "True"),
    ("Remembered._of", " and not e.is_global", ""),
    ("Remembered._of", "e.leaf and e.covers(address)", "e.covers(address)"),
    ("Remembered._of", "e.leaf and e.covers(address)", "e.leaf"),
    ("Remembered._of", "asid & mask", "asid"),
    ("Remembered.sfence_vma", "Tables.HS if vmid is None else Tables.VS", "Tables.HS"),
    ("Remembered.sfence_vma", "address is None or translatable(stage, address)", "True"),
    ("Remembered.sinval_vma", "address is None or translatable(stage, address)", "True"),
    ("Remembered._of_g", "vmid & mask", "vmid"),
    ("Remembered._of_g", "shifted << 2", "shifted"),
    ("Remembered._of_g", "e.space.tables is Tables.G\n            and ", ""),
    ("Remembered.sfence_inval_ir", "e in before and which(e)", "which(e)"),
    ("Remembered.sfence_inval_ir", "self._pending if self._ordered is not None else ()", "self._pending"),
    ("Remembered.time_passes", "if self.svvptc:", "if True:"),
    ("_ThroughStaleG.mark", "Access(write=True, implicit=True)", "Access(implicit=True)"),
)
NOT_NOTICED = {
    "Remembered.sfence_inval_ir self._pending if self._ordered is not None else ()": (
        "without the snapshot nothing was remembered before, so that nothing is forgotten"
    )
}

RUN = """
import inspect, json, os, sys
from refmodel.language.changing import change
from refmodel.machine.riscv import staleness
from tests import test_riscv_staleness as claims

def calls(name, claim):
    if "address" in inspect.signature(claim).parameters:
        for address in (None, claims.ADDRESS + 0x10):
            for asid in (None, 7, 7 | 1 << 16):
                for svinval in (False, True):
                    yield lambda a=address, b=asid, c=svinval: claim(a, b, c)
    else:
        yield claim

def noticed(name, old, new):
    found = staleness
    for part in name.split("."):
        found = getattr(found, part)
    found = getattr(found, "fget", None) or found
    text, own = inspect.getsource(staleness), inspect.getsource(found)
    assert own.count(old) == 1, f"{name} says {old!r} {own.count(old)} times"
    change(found, text.replace(own, own.replace(old, new)))
    for name, claim in list(vars(claims).items()):
        if name.startswith("test_") and "mutant" not in name:
            for call in calls(name, claim):
                try:
                    call()
                except Exception as why:
                    return name
    return ""

for mutant in json.load(sys.stdin):
    there, here = os.pipe()
    if os.fork() == 0:
        try:
            said = noticed(*mutant)
        except BaseException as why:
            said = f"cannot be judged: {type(why).__name__}: {why}"
        os.write(here, json.dumps(said).encode())
        os._exit(0)
    os.close(here)
    with open(there) as answer:
        print(answer.read(), flush=True)
    os.wait()
"""


def test_each_mutant_is_noticed_by_a_claim() -> None:
    unchanged = ("first_address", "address >> shift << shift", "address >> shift << shift")
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        input=json.dumps([unchanged, *MUTANTS]),
        text=True,
        capture_output=True,
        check=False,
        timeout=300,
        cwd=Path(__file__).parent.parent,
    )
    assert done.returncode == 0, done.stderr
    by = [json.loads(line) for line in done.stdout.splitlines()]
    told = dict(zip(MUTANTS, by[1:], strict=True))
    assert by[0] == "", "the text as it stands breaks a claim"
    assert not [f"{m}: {said}" for m, said in told.items() if said.startswith("cannot")]
    unnoticed = [m for m, said in told.items() if not said and f"{m[0]} {m[1]}" not in NOT_NOTICED]
    assert not unnoticed, "\n".join(map(str, unnoticed))

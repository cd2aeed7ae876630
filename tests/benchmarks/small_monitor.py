"""The small monitor that three engines are asked about: copy-on-write, ballooning, swapping, a stale TLB, dirty frames.

Written as a user would write a design; ``spin_model`` and ``rumur_model`` say the same in Promela and in Murphi.
"""

import enum
from typing import Annotated, Any

import attrs

from refmodel.language import NOTHING, Design, Name, Total, choose, count, geometry, guest, implies, law, operation, require, reset

Vm, Gfn, Mfn = Annotated[int, Name("Vm")], Annotated[int, Name("Gfn")], Annotated[int, Name("Mfn")]
Data = Annotated[int, Name("Data")]  # what a page holds; NOTHING is a page of zeroes


class Where(enum.Enum):
    NOWHERE = "nowhere"
    MAPPED = "mapped"
    SWAPPED = "swapped"


@attrs.frozen
class Entry:
    where: Where = Where.NOWHERE
    mfn: Mfn = NOTHING
    writable: bool = False
    slot: Data = NOTHING


@attrs.frozen
class Cached:
    valid: bool = False
    mfn: Mfn = NOTHING
    writable: bool = False


class SmallMonitor(Design):
    p2m: Total[tuple[Vm, Gfn], Entry]
    tlb: Total[tuple[Vm, Gfn], Cached]
    memory: Total[Mfn, Data]
    wanted: Total[tuple[Vm, Gfn], Data]

    geometry = geometry(Vm=2, Gfn=2, Mfn=3, Data=2)

    def free_frame(self) -> Mfn:
        return choose(Mfn, lambda mfn: mappers(self, mfn) == 0)

    @guest
    def write(self, vm: Vm, gfn: Gfn, data: Data) -> None:
        require(self.tlb[vm, gfn].valid)
        require(self.tlb[vm, gfn].writable)
        self.memory[self.tlb[vm, gfn].mfn] = data
        self.wanted[vm, gfn] = data

    @operation
    def fill(self, vm: Vm, gfn: Gfn) -> None:
        entry = self.p2m[vm, gfn]
        require(entry.where == Where.MAPPED)
        self.tlb[vm, gfn] = Cached(True, entry.mfn, entry.writable)

    @operation
    def flush(self, vm: Vm) -> None:
        reset(self.tlb, lambda cached, owner, gfn: owner == vm)

    @operation
    def share(self, vm: Vm, gfn: Gfn, other_vm: Vm, other_gfn: Gfn) -> None:
        keep, drop = self.p2m[vm, gfn], self.p2m[other_vm, other_gfn]
        require(keep.where == Where.MAPPED)
        require(drop.where == Where.MAPPED)
        require(keep.mfn != drop.mfn)
        require(self.memory[keep.mfn] == self.memory[drop.mfn])
        self.p2m[vm, gfn] = self.p2m[other_vm, other_gfn] = Entry(Where.MAPPED, keep.mfn, False)
        self.tlb[vm, gfn] = self.tlb[other_vm, other_gfn] = Cached()

    @operation
    def break_sharing(self, vm: Vm, gfn: Gfn) -> None:
        entry = self.p2m[vm, gfn]
        require(entry.where == Where.MAPPED)
        require(not entry.writable)
        if mappers(self, entry.mfn) == 1:
            self.p2m[vm, gfn] = attrs.evolve(entry, writable=True)
        else:
            mfn = self.free_frame()
            self.memory[mfn] = self.memory[entry.mfn]
            self.p2m[vm, gfn] = Entry(Where.MAPPED, mfn, True)
        self.tlb[vm, gfn] = Cached()

    @guest
    def inflate(self, vm: Vm, gfn: Gfn) -> None:
        require(self.p2m[vm, gfn].where == Where.MAPPED)
        self.p2m[vm, gfn] = Entry()
        self.tlb[vm, gfn] = Cached()
        self.wanted[vm, gfn] = NOTHING

    @operation
    def deflate(self, vm: Vm, gfn: Gfn) -> None:
        require(self.p2m[vm, gfn].where == Where.NOWHERE)
        mfn = self.free_frame()
        self.memory[mfn] = NOTHING
        self.p2m[vm, gfn] = Entry(Where.MAPPED, mfn, True)

    @operation
    def swap_out(self, vm: Vm, gfn: Gfn) -> None:
        entry = self.p2m[vm, gfn]
        require(entry.where == Where.MAPPED)
        self.p2m[vm, gfn] = Entry(Where.SWAPPED, slot=self.memory[entry.mfn])
        self.tlb[vm, gfn] = Cached()

    @operation
    def swap_in(self, vm: Vm, gfn: Gfn) -> None:
        entry = self.p2m[vm, gfn]
        require(entry.where == Where.SWAPPED)
        mfn = self.free_frame()
        self.memory[mfn] = entry.slot
        self.p2m[vm, gfn] = Entry(Where.MAPPED, mfn, True)

    @law("RES-1", "A frame that a guest may write to stands behind that page only.")
    def a_writable_frame_has_one_mapping(self: Any, vm: Vm, gfn: Gfn) -> Any:
        entry = self.p2m[vm, gfn]
        return implies(entry.where == Where.MAPPED and entry.writable, mappers(self, entry.mfn) == 1)

    @law("EQV-1", "A page holds what its guest wrote.")
    def a_page_holds_what_was_written(self: Any, vm: Vm, gfn: Gfn) -> Any:
        entry, wanted = self.p2m[vm, gfn], self.wanted[vm, gfn]
        return implies(entry.where == Where.MAPPED, self.memory[entry.mfn] == wanted) and implies(
            entry.where == Where.SWAPPED, entry.slot == wanted
        )

    @law("EQV-5", "The TLB agrees with the p2m.")
    def the_tlb_agrees(self: Any, vm: Vm, gfn: Gfn) -> Any:
        entry, cached = self.p2m[vm, gfn], self.tlb[vm, gfn]
        return implies(cached.valid, entry.where == Where.MAPPED and entry.mfn == cached.mfn and entry.writable == cached.writable)


def mappers(s: SmallMonitor, mfn: Mfn) -> int:
    """How many pages a frame stands behind."""
    return count(s.p2m, lambda entry, vm, gfn: entry.where == Where.MAPPED and entry.mfn == mfn)


# ---------------------------------------------------------------- the same for the peers


def rumur_model(vms: int, gfns: int, mfns: int, data: int) -> str:
    """The small monitor in Murphi, as Rumur reads it."""
    return f"""
type Vm: scalarset({vms}); Gfn: scalarset({gfns}); Mfn: scalarset({mfns}); Data: scalarset({data});
  Where: enum {{ nowhere, mapped, swapped }};
  Entry: record at: Where; mfn: Mfn; writable: boolean; slot: Data; end;
  Cached: record valid: boolean; mfn: Mfn; writable: boolean; end;
var p2m: array [Vm] of array [Gfn] of Entry; tlb: array [Vm] of array [Gfn] of Cached;
  memory: array [Mfn] of Data; wanted: array [Vm] of array [Gfn] of Data;

function mappers(m: Mfn): 0..{vms * gfns};
var n: 0..{vms * gfns};
begin
  n := 0;
  for v: Vm do for g: Gfn do
    if p2m[v][g].at = mapped & p2m[v][g].mfn = m then n := n + 1; end;
  end; end;
  return n;
end;

function same(a: Mfn; b: Mfn): boolean;
begin
  if isundefined(memory[a]) then return isundefined(memory[b]); end;
  return !isundefined(memory[b]) & memory[a] = memory[b];
end;

procedure nothing_cached(v: Vm; g: Gfn); begin
  tlb[v][g].valid := false; undefine tlb[v][g].mfn; tlb[v][g].writable := false;
end;
procedure map(v: Vm; g: Gfn; m: Mfn; w: boolean); begin
  p2m[v][g].at := mapped; p2m[v][g].mfn := m; p2m[v][g].writable := w; undefine p2m[v][g].slot;
end;

startstate begin
  for v: Vm do for g: Gfn do
    p2m[v][g].at := nowhere; undefine p2m[v][g].mfn; p2m[v][g].writable := false; undefine p2m[v][g].slot;
    nothing_cached(v, g); undefine wanted[v][g];
  end; end;
  for m: Mfn do undefine memory[m]; end;
end;

ruleset v: Vm; g: Gfn; d: Data do
  rule "write" tlb[v][g].valid & tlb[v][g].writable ==> begin memory[tlb[v][g].mfn] := d; wanted[v][g] := d; end; end;
ruleset v: Vm; g: Gfn do
  rule "fill" p2m[v][g].at = mapped ==> begin
    tlb[v][g].valid := true; tlb[v][g].mfn := p2m[v][g].mfn; tlb[v][g].writable := p2m[v][g].writable; end; end;
ruleset v: Vm do rule "flush" true ==> begin for g: Gfn do nothing_cached(v, g); end; end; end;
ruleset v: Vm; g: Gfn; w: Vm; h: Gfn do
  rule "share" p2m[v][g].at = mapped & p2m[w][h].at = mapped & p2m[v][g].mfn != p2m[w][h].mfn
      & same(p2m[v][g].mfn, p2m[w][h].mfn) ==>
  begin p2m[v][g].writable := false; map(w, h, p2m[v][g].mfn, false);
    nothing_cached(v, g); nothing_cached(w, h); end; end;
ruleset v: Vm; g: Gfn do
  rule "keep" p2m[v][g].at = mapped & !p2m[v][g].writable & mappers(p2m[v][g].mfn) = 1 ==>
    begin p2m[v][g].writable := true; nothing_cached(v, g); end; end;
ruleset v: Vm; g: Gfn; m: Mfn do
  rule "copy" p2m[v][g].at = mapped & !p2m[v][g].writable & mappers(p2m[v][g].mfn) != 1 & mappers(m) = 0 ==> begin
    if isundefined(memory[p2m[v][g].mfn]) then undefine memory[m]; else memory[m] := memory[p2m[v][g].mfn]; end;
    map(v, g, m, true); nothing_cached(v, g); end; end;
ruleset v: Vm; g: Gfn do
  rule "inflate" p2m[v][g].at = mapped ==> begin
    p2m[v][g].at := nowhere; undefine p2m[v][g].mfn; p2m[v][g].writable := false;
    nothing_cached(v, g); undefine wanted[v][g]; end; end;
ruleset v: Vm; g: Gfn; m: Mfn do
  rule "deflate" p2m[v][g].at = nowhere & mappers(m) = 0 ==> begin undefine memory[m]; map(v, g, m, true); end; end;
ruleset v: Vm; g: Gfn do
  rule "swap out" p2m[v][g].at = mapped ==> begin
    if isundefined(memory[p2m[v][g].mfn]) then undefine p2m[v][g].slot; else p2m[v][g].slot := memory[p2m[v][g].mfn]; end;
    p2m[v][g].at := swapped; undefine p2m[v][g].mfn; p2m[v][g].writable := false; nothing_cached(v, g); end; end;
ruleset v: Vm; g: Gfn; m: Mfn do
  rule "swap in" p2m[v][g].at = swapped & mappers(m) = 0 ==> begin
    if isundefined(p2m[v][g].slot) then undefine memory[m]; else memory[m] := p2m[v][g].slot; end; map(v, g, m, true); end; end;

invariant "a writable frame has one mapping"
  forall v: Vm do forall g: Gfn do p2m[v][g].at = mapped & p2m[v][g].writable -> mappers(p2m[v][g].mfn) = 1 end end;
invariant "a page holds what was written"
  forall v: Vm do forall g: Gfn do
    (p2m[v][g].at = mapped -> (isundefined(wanted[v][g]) ? isundefined(memory[p2m[v][g].mfn])
      : !isundefined(memory[p2m[v][g].mfn]) & memory[p2m[v][g].mfn] = wanted[v][g]))
    & (p2m[v][g].at = swapped -> (isundefined(wanted[v][g]) ? isundefined(p2m[v][g].slot)
      : !isundefined(p2m[v][g].slot) & p2m[v][g].slot = wanted[v][g])) end end;
invariant "the tlb agrees"
  forall v: Vm do forall g: Gfn do tlb[v][g].valid ->
    p2m[v][g].at = mapped & p2m[v][g].mfn = tlb[v][g].mfn & p2m[v][g].writable = tlb[v][g].writable end end;
"""


def spin_model(vms: int, gfns: int, mfns: int, data: int) -> str:
    """The small monitor in Promela. Every operation is written out for every page, which spares SPIN its temporaries."""
    pages, frames = range(vms * gfns), range(mfns)
    none = 0  # frames and data count from 1 here

    def mapped(p: int) -> str:
        return f"at[{p}] == 1"

    def mappers(mfn: str) -> str:
        return "(" + " + ".join(f"({mapped(p)} && mfn[{p}] == {mfn})" for p in pages) + ")"

    def forget(p: int) -> str:
        return f"valid[{p}] = 0; tmfn[{p}] = {none}; tw[{p}] = 0"

    steps = []
    for p in pages:
        steps += [f"valid[{p}] && tw[{p}] -> memory[tmfn[{p}]] = {d}; wanted[{p}] = {d}" for d in range(1, data + 1)]
        steps.append(f"{mapped(p)} -> valid[{p}] = 1; tmfn[{p}] = mfn[{p}]; tw[{p}] = w[{p}]")
        steps += [
            f"{mapped(p)} && {mapped(q)} && mfn[{p}] != mfn[{q}] && memory[mfn[{p}]] == memory[mfn[{q}]] -> "
            f"w[{p}] = 0; mfn[{q}] = mfn[{p}]; w[{q}] = 0; {forget(p)}; {forget(q)}"
            for q in pages
            if q != p
        ]
        steps.append(f"{mapped(p)} && !w[{p}] && {mappers(f'mfn[{p}]')} == 1 -> w[{p}] = 1; {forget(p)}")
        steps += [
            f"{mapped(p)} && !w[{p}] && {mappers(f'mfn[{p}]')} != 1 && {mappers(str(m + 1))} == 0 -> "
            f"memory[{m + 1}] = memory[mfn[{p}]]; mfn[{p}] = {m + 1}; w[{p}] = 1; {forget(p)}"
            for m in frames
        ]
        steps.append(f"{mapped(p)} -> at[{p}] = 0; mfn[{p}] = {none}; w[{p}] = 0; {forget(p)}; wanted[{p}] = 0")
        steps += [
            f"at[{p}] == 0 && {mappers(str(m + 1))} == 0 -> memory[{m + 1}] = 0; at[{p}] = 1; mfn[{p}] = {m + 1}; w[{p}] = 1"
            for m in frames
        ]
        steps.append(f"{mapped(p)} -> slot[{p}] = memory[mfn[{p}]]; at[{p}] = 2; mfn[{p}] = {none}; w[{p}] = 0; {forget(p)}")
        steps += [
            f"at[{p}] == 2 && {mappers(str(m + 1))} == 0 -> memory[{m + 1}] = slot[{p}]; slot[{p}] = 0; "
            f"at[{p}] = 1; mfn[{p}] = {m + 1}; w[{p}] = 1"
            for m in frames
        ]
    for v in range(vms):
        steps.append("true -> " + "; ".join(forget(p) for p in pages if p // gfns == v))
    laws = [
        f"(!({mapped(p)} && w[{p}]) || {mappers(f'mfn[{p}]')} == 1) && (!({mapped(p)}) || memory[mfn[{p}]] == wanted[{p}])"
        f" && (at[{p}] != 2 || slot[{p}] == wanted[{p}])"
        f" && (!valid[{p}] || ({mapped(p)} && mfn[{p}] == tmfn[{p}] && w[{p}] == tw[{p}]))"
        for p in pages
    ]
    n = len(pages)
    return (
        f"byte at[{n}]; byte mfn[{n}]; bit w[{n}]; byte slot[{n}]; bit valid[{n}]; byte tmfn[{n}]; bit tw[{n}];\n"
        f"byte memory[{mfns + 1}]; byte wanted[{n}];\n"
        "active proctype monitor() {\n  do\n"
        + "".join(f"  :: d_step {{ {s}; assert({' && '.join(laws)}) }}\n" for s in steps)
        + "  od\n}\n"
    )

"""What to use when, out of what was measured: the table at the head of the chapter on pros and cons, and those of estimators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from refmodel.management.comparison import Score
from refmodel.management.costs import Costs
from refmodel.management.estimating.estimators import Error
from refmodel.management.mechanisms import DEFLATING, OLDEST, UNPLUGGING, even
from refmodel.management.results import Comparison
from refmodel.report.management import Table, percent

MARGIN = 0.01
"""Strategies that are no farther than this from the best are as good."""
NOTHING = 0.0005
"""What is less is shown as 0.0 per cent."""
FAST = Costs(swap_in=20.0, swap_out=2.0)
"""A device that is faster than a SATA SSD: NVMe."""
COMPRESSED = f"compressed memory{OLDEST}"
SWAPPING = f"host swapping{OLDEST}"
BY_THE_MONITOR = (SWAPPING, COMPRESSED)
"""Mechanisms that regain memory without the guest, where both take the oldest page."""


@attrs.frozen
class Choice:
    """What to use in a situation."""

    situation: str
    measured_on: str
    use: tuple[str, ...]
    """The best first; the others are as good."""
    because: str
    rather_not: str


def choices(found: Comparison) -> list[Choice]:
    """Each situation, and the numbers that say what to use."""
    return [*of_strategies(found), *of_mechanisms(found)]


def table(found: Sequence[Choice]) -> Table:
    """The results as a table."""
    return Table(
        "what to use when",
        ("situation", "measured on", "use", "because", "rather not"),
        tuple((each.situation, each.measured_on, ", ".join(each.use), each.because, each.rather_not) for each in found),
    )


# ---------------------------------------------------------------- strategies


def of_strategies(found: Comparison) -> list[Choice]:
    """By the workload that is most like a situation."""
    given = found.strategies
    rows = [
        least_lost("the VMs' needs rise and fall for many periods", "opposed", given["opposed"]),
        least_lost("some VMs have memory that they do not use", "idle_tax", given["idle_tax"]),
        least_lost("different VMs that together touch more pages than memory has", "consolidated", given["consolidated"]),
        least_lost("the VMs' needs change within a few periods, and all VMs lack memory", "alike", given["alike"]),
        attrs.evolve(
            least_lost("some memory is free most of the time", "roomy", given["roomy"]), rather_not=hoarded(given["alike"])
        ),
        most_of_what_is_due("memory must be divided by the VMs' shares", "shares", given["shares"]),
        least_lost("the VMs' needs do not change, and all memory fits", "steady", given["steady"], NOTHING),
    ]
    return rows


def without_bound(scores: Sequence[Score]) -> list[Score]:
    return [score for score in scores if score.strategy != "bound"]


def least_lost(situation: str, workload: str, scores: Sequence[Score], margin: float = MARGIN) -> Choice:
    """Those that lose least against the bound, and the one that loses most."""
    ranked = sorted(without_bound(scores), key=lambda score: score.lost)
    best = [score for score in ranked if score.lost <= ranked[0].lost + margin]
    gain = "; moving memory gains less than 1 %" if any(not score.moved for score in best) and ranked[0].lost > NOTHING else ""
    lost = f"{_loses(best)} {_range([score.lost for score in best])} of the bound's throughput{gain}"
    return Choice(
        situation,
        workload,
        tuple(score.strategy for score in best),
        lost,
        f"{ranked[-1].strategy}: it loses {percent(ranked[-1].lost)}",
    )


def most_of_what_is_due(situation: str, workload: str, scores: Sequence[Score]) -> Choice:
    """Those under which VMs have most of what they are due, and the one under which they have least."""
    ranked = sorted([(score.entitled or 0.0, score.strategy) for score in without_bound(scores)], reverse=True)
    best = [(part, name) for part, name in ranked if part >= ranked[0][0] - MARGIN]
    return Choice(
        situation,
        workload,
        tuple(name for _, name in best),
        f"VMs have {_range([part for part, _ in reversed(best)])} of the memory that is due by their shares",
        f"{ranked[-1][1]}: VMs have {percent(ranked[-1][0])} of it",
    )


def hoarded(alike: Sequence[Score]) -> str:
    """What persistent pools cost where everybody lacks memory."""
    lost = {score.strategy: percent(score.lost) for score in alike}
    return (
        f"self-ballooning-tmem if all VMs lack memory: on the workload alike it loses {lost['self-ballooning-tmem']}, and "
        f"self-ballooning loses {lost['self-ballooning']}"
    )


def _loses(scores: Sequence[Score]) -> str:
    return "loses" if len(scores) == 1 else "lose"


def _range(parts: Sequence[float]) -> str:
    """The first and the last, if they are shown differently."""
    first, last = percent(parts[0]), percent(parts[-1])
    return first if first == last else f"{first.removesuffix(' %')} to {last}"


# ---------------------------------------------------------------- mechanisms


def of_mechanisms(found: Comparison) -> list[Choice]:
    """By the mean over the recorded programs."""
    device = _read_time(found)
    return [
        least_waited(found, "memory must be regained at once, or the guest does not help", BY_THE_MONITOR),
        least_waited(
            found, f"the guest helps, and the swap device reads a page in less than {device}", ("balloon", COMPRESSED), FAST
        ),
        least_waited(
            found, f"the guest helps, and the swap device takes longer than {device} to read a page", ("balloon", COMPRESSED)
        ),
        attrs.evolve(
            least_waited(
                found,
                "the guest helps, and no other VM needs the memory for a while",
                ("tmem, ephemeral pool", "balloon", COMPRESSED),
            ),
            rather_not=kept_back(found),
        ),
        least_waited(
            found, "the guest has a swap device, and less memory than it believes", ("balloon", SWAPPING, f"paging twice{OLDEST}")
        ),
        Choice(
            "the guest has no swap device, and the monitor can do without the memory",
            _programs(found),
            (DEFLATING,),
            out_of_memory(found),
            taken_back(found),
        ),
        Choice("the VMs run the same programs", "fleet", ("sharing, then compressing",), alike(found), unlike(found)),
        Choice(
            "memory must be given to other machines, or in large frames",
            _programs(found),
            (UNPLUGGING,),
            f"{percent(regained(found, UNPLUGGING))} of memory can be unplugged without moving pages",
            f"unplugging instead of a balloon, which regains {percent(regained(found, 'balloon'))}",
        ),
    ]


def least_waited(found: Comparison, situation: str, names: Sequence[str], costs: Costs | None = None) -> Choice:
    """Those of some mechanisms under which VMs wait least, and the one under which they wait longest."""
    ranked = sorted((waited(found, name, costs), name) for name in names)
    best = [(part, name) for part, name in ranked if part <= ranked[0][0] + MARGIN / 10]
    worst, last = ranked[-1]
    reads = f"at {costs.swap_in:.0f} us a read " if costs is not None else ""
    return Choice(
        situation,
        _programs(found),
        tuple(name for _, name in best),
        f"{reads}VMs wait {_range([part for part, _ in best])} of their time; under {last} {percent(worst)}",
        last,
    )


def waited(found: Comparison, name: str, costs: Costs | None = None) -> float:
    """The part of their time that VMs wait under a mechanism, on average."""
    return _mean(each.waited(name, costs or Costs()) for each in found.measured.values())


def regained(found: Comparison, name: str) -> float:
    """The part of memory that a mechanism regains, on average."""
    return _mean(next(each.part for each in some if each.mechanism == name) for some in found.mechanisms.values())


def _read_time(found: Comparison) -> str:
    """The time of a read at which a balloon and compressed memory cost the same."""
    micros = even([*found.measured.values()], "balloon", COMPRESSED)
    assert micros is not None, "the chapter has to say it in another way"
    return f"{micros:.0f} us"


def _programs(found: Comparison) -> str:
    return f"{len(found.measured)} programs"


def kept_back(found: Comparison) -> str:
    """What a persistent pool keeps."""
    return (
        f"a persistent pool: only {percent(regained(found, 'tmem, both pools'))} of memory are regained, not "
        f"{percent(regained(found, 'balloon'))}"
    )


def out_of_memory(found: Comparison) -> str:
    """How often a guest would be out of memory."""
    short = [name for name, each in found.measured.items() if each.tallies[DEFLATING].deflated]
    return (
        f"{len(short)} of {len(found.measured)} programs would run out of memory without deflating ({', '.join(short)}); VMs wait "
        f"{percent(waited(found, DEFLATING))} of their time"
    )


def taken_back(found: Comparison) -> str:
    """What is left to the monitor."""
    left = percent(regained(found, DEFLATING))
    return f"deflate on OOM if the memory must be regained: only {left} are regained, not {percent(regained(found, 'balloon'))}"


def alike(found: Comparison) -> str:
    """What like VMs save."""
    last = found.alike[-1]
    return (
        f"{len(found.alike)} VMs save {percent(last.part(last.shared))} by sharing, {percent(last.part(last.all))} with "
        "patches and compression"
    )


def unlike(found: Comparison) -> str:
    """What VMs save that run different programs."""
    saved = percent(found.unlike.part(found.unlike.shared))
    return f"sharing of unlike VMs: {len(found.comparable)} VMs with one program each save {saved}"


# ---------------------------------------------------------------- estimators


Errors = Mapping[str, Sequence[Error]]
"""How far estimators are off, by program."""


def good(errors: Sequence[Error]) -> list[Error]:
    """Those that are no farther off than the best by more than a margin. What looks at least is first."""
    least = min(each.mean for each in errors)
    return sorted((each for each in errors if each.mean <= least + MARGIN), key=lambda each: (each.faults, each.mean))


def estimators_by_program(found: Errors) -> Table:
    """Which estimator to use for a program, and which are as good and look at more."""
    rows = []
    for program, errors in found.items():
        use, *others = good(errors)
        worst = max(errors, key=lambda each: each.mean)
        rows.append(
            (
                program,
                use.estimator,
                percent(use.mean),
                f"{use.faults:,.1f}",
                ", ".join(map(_looks, others)) or "-",
                f"{worst.estimator}: its mean error is {percent(worst.mean)}",
            )
        )
    return Table(
        "which estimator to use",
        (
            "measured on",
            "use",
            "mean error",
            "exits or accesses looked at, a period",
            "as good, but examines more accesses",
            "rather not",
        ),
        tuple(rows),
    )


def estimators_each(found: Errors) -> Table:
    """Each estimator: how far it is off on average, what it looks at, and where it is the one to use or why nowhere."""
    rows = []
    for name in [each.estimator for each in next(iter(found.values()))]:
        of_it = [_of(name, errors) for errors in found.values()]
        rows.append(
            (
                name,
                percent(_mean(each.mean for each in of_it)),
                f"{_mean(each.faults for each in of_it):,.1f}",
                _advised(name, found),
            )
        )
    return Table("each estimator", ("estimator", "mean error", "exits or accesses looked at, a period", "use it"), tuple(rows))


def _advised(name: str, found: Errors) -> str:
    """The programs for which an estimator is to be used, or why there are none."""
    programs = [program for program, errors in found.items() if good(errors)[0].estimator == name]
    if programs:
        return f"for VMs like {', '.join(programs)}"
    as_good = [program for program, errors in found.items() if _of(name, errors) in good(errors)]
    if as_good:
        others = sorted({good(found[program])[0].estimator for program in as_good})
        look = "examines" if len(others) == 1 else "examine"
        return f"never: as good as the best on {', '.join(as_good)}, where {' and '.join(others)} {look} fewer accesses"
    program = min(found, key=lambda each: _behind(name, found[each]))
    best = min(found[program], key=lambda each: each.mean)
    return (
        f"never: on each program another estimator is better; on {program}, where it is nearest to the best, its mean error is "
        f"{percent(_of(name, found[program]).mean)}, and that of {best.estimator} is {percent(best.mean)}"
    )


def _of(name: str, errors: Sequence[Error]) -> Error:
    return next(each for each in errors if each.estimator == name)


def _behind(name: str, errors: Sequence[Error]) -> float:
    """How much farther off an estimator is than the best."""
    return _of(name, errors).mean - min(each.mean for each in errors)


def _looks(error: Error) -> str:
    return f"{error.estimator} ({error.faults:,.1f})"


def _mean(values: Iterable[float]) -> float:
    some = list(values)
    return sum(some) / len(some)

"""What a proof by induction says of each law of a design, and what is done where it fails."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

import attrs

from refmodel.bare_machines import bare_machine_of
from refmodel.engines import induction, leaning, random
from refmodel.engines.asked import Asked, Notice
from refmodel.engines.audit import Audited
from refmodel.engines.corresponding import NEVER_DONE, never_completed, never_done
from refmodel.engines.counterexamples import counterexample, counterexamples
from refmodel.engines.disagreeing import claims, disagreement
from refmodel.engines.judgements import GAVE_UP
from refmodel.engines.machine import Failure
from refmodel.engines.progress import Progress, prove_progress
from refmodel.engines.restated import restated
from refmodel.engines.runs_that_break import WITH_ONE_MORE, run_that_breaks, run_that_does_not_end
from refmodel.engines.says_little import idle_parts, says_little, says_nothing_of_exits
from refmodel.engines.suggest import suggest
from refmodel.engines.unseen import is_turned_off, never
from refmodel.engines.vacuity import cannot_fail, may_end_so, never_met
from refmodel.engines.verdicts import IDLE, NEVER, SIMULATION, SOUNDNESS, EngineReport, Numbers, ReadingsDisagree, Verdict
from refmodel.language.design import Outline
from refmodel.language.laws import Law
from refmodel.language.plurals import many

EVERY_LAW = "every law"
"""What the row of a table is called that says which laws cut paths off, for every proof alike."""


def check_proof(design: Outline, asked: Asked, notice: Notice) -> EngineReport:
    """Induction, for any number of names. With a clause, the laws of states that its proof assumes are proved too."""
    return _Judged(design, asked, notice).report()


class _Judged:
    """One proof, and what is made of it step by step."""

    def __init__(self, design: Outline, asked: Asked, notice: Notice) -> None:
        self.design, self.asked, self.notice = design, asked, notice
        clause = asked.clause
        self.laws = tuple(law for law in design.laws if law.is_asked(clause))
        """The laws that a verdict is wanted of."""
        self.needed = (
            design
            if clause is None
            else attrs.evolve(design, laws=tuple(law for law in design.laws if law.of_state or law.is_asked(clause)))
        )
        """The design with the laws that have to be proved for it."""
        self.machine = bare_machine_of(design) if clause is None else None
        self.tries_harder = asked.tries_harder
        self.lacking: tuple[induction.Judgement, ...] = ()
        """What is refuted, where further laws may help."""

    def report(self) -> EngineReport:
        began = time.perf_counter()
        reached = random.campaign(self.design, self.design.cls.geometry, seconds=1.0, runs=400)
        self.tries_harder = self.asked.tries_harder and reached.failure is None
        done = self._proved()
        verdicts, unproved, not_needed = self._each_law(done)
        vacuous = self._vacuous(verdicts, reached)
        verdicts.update(dict.fromkeys(vacuous, Verdict.VACUOUS))
        done_with, not_ended, unless = self._ended(done)
        verdicts.update(done_with)
        words, open_steps = "", tuple[str, ...]()
        if self.machine is not None and done.refuted is None:
            words, open_steps = _simulated(self.needed, done, self.machine)
        number = sum(j.verdict == "proved" for j in done.judgements())
        covered = (
            f"{many(number, 'obligation')} proved (operation x law) by induction, for any number of names; "
            f"{many(done.audited.compared, 'step')} compared with the code run by plain Python{words}"
        )
        report = EngineReport(
            "prove",
            verdicts,
            covered,
            0.0,
            None,
            self.design.cls.geometry,
            notes=(*self._notes(done, reached, verdicts, vacuous, unproved, not_needed), *unless, *_left_out(done.audited)),
            unproved=(*unproved, *open_steps, *not_ended, *self._never(done), *self._idle(verdicts)),
            numbers=Numbers(obligations=number, compared=done.audited.compared),
            may_not_end=tuple(law.name for law in done_with if any(each.startswith(f"{law.name}: ") for each in not_ended)),
        )
        if self.asked.why:
            report = attrs.evolve(report, leans_on=self._leaning_table(done))
        report = self._explained(report, done, reached, not_needed)
        report = self._with_stuck_run(report)
        if self.asked.suggests:
            report = self._with_suggestion(attrs.evolve(report, seconds=time.perf_counter() - began))
        return attrs.evolve(report, seconds=time.perf_counter() - began)

    # ------------------------------------------------------------ the proof

    def _proved(self) -> induction.Proved:
        done = self._induction(None)
        clause = self.asked.clause
        if clause is not None and done.refuted and self._refuted(done) is None:
            other = self._induction(clause)  # another law stopped it: what of those that were asked for?
            done = induction.Proved(
                (*done.proofs, *other.proofs),
                tuple(dict.fromkeys((*done.skipped, *other.skipped))),
                done.seconds + other.seconds,
                done.audited,
            )
        return done

    def _induction(self, clause: str | None) -> induction.Proved:
        seen: list[str] = []

        def progress(operation: str) -> None:
            seen.append(operation)
            self.notice("prove", f"{len(seen)} of {many(len(self.needed.operations), 'operation')}; last {operation}")

        self.notice("prove", "")
        whole = clause is None
        done = induction.prove(
            self.needed,
            clause=clause,
            progress=progress,
            asks_why=self.asked.why and whole,
            machine=self.machine if whole else None,
            tries_harder=self.tries_harder,
        )
        if done.audited.disagreements:
            raise ReadingsDisagree(done.audited.disagreements[0])
        return done

    def _refuted(self, done: induction.Proved) -> induction.Judgement | None:
        """The first counterexample to a law that a verdict is wanted of."""
        return next((j for j in done.judgements() if j.verdict == "refuted" and j.law in self.laws), None)

    # ------------------------------------------------------------ each law

    def _each_law(self, done: induction.Proved) -> tuple[dict[Law, Verdict], list[str], frozenset[str]]:
        """What became of each law; what is not proved, and why; and the laws that are not proved and that nothing leans on."""
        every = _of_proof(self.needed, done)
        open_laws = [law for law in self.needed.laws if law.of_state and every[law] != Verdict.PROVED]
        verdicts = {law: every[law] for law in self.laws}
        unproved = _unknown(done.judgements())
        if unproved and not self.tries_harder:
            unproved.append("a run breaks a law, so proofs were not tried as hard as they are otherwise: more may be provable")
        if any(j.law is None and j.verdict != "proved" for j in done.judgements()):
            unproved.append("no law is proved while an operation may go wrong: the state after such a step has no meaning")
        for law in self.laws:  # one law that is not proved puts the others in doubt, since each is assumed for the others
            others = [each.name for each in open_laws if each is not law]
            if verdicts[law] == Verdict.PROVED and others:
                verdicts[law] = Verdict.UNDECIDED
                lean_on = f"{', '.join(others)}, which {_are(others)} not proved"
                unproved.append(f"{law.name}: its proof may lean on {lean_on}; --law {law.name} finds out")
        not_needed = frozenset[str]()
        if self.asked.clause is not None and open_laws and self._refuted(done) is None:  # what is refuted itself leans on nothing
            not_needed = self._narrowed()
        if not_needed:
            return dict.fromkeys(self.laws, Verdict.PROVED), [], not_needed
        return verdicts, unproved, not_needed

    def _narrowed(self) -> frozenset[str]:
        """The laws of states that are not proved, if no proof of a judged law leans on one of them; otherwise none."""
        self.notice("prove", "which laws the proof leans on")
        done = induction.prove(self.needed, all_failures=True, asks_why=True)
        if not all(leaning.is_shown(done, law.name) for law in self.laws):
            return frozenset()
        return frozenset(law.name for law in self.needed.laws) - set(leaning.kept(done))

    def _vacuous(self, verdicts: dict[Law, Verdict], reached: random.Campaign) -> dict[Law, str]:
        """The laws that say nothing: no operation's outcome is of their type, or their premise can never hold."""
        self.notice("prove", "laws whose premise was not met")
        found = {}
        for law in self.laws:
            if verdicts[law] != Verdict.PROVED or law in reached.met:
                continue
            if not law.of_state and not any(may_end_so(law, op) for op in self.needed.operations):
                found[law] = "no operation has an outcome of the type that it is about"
            elif (law.outcome is not None or self.needed.is_conditional(law)) and never_met(self.needed, law):
                if self.needed.is_conditional(law):
                    where = "in no lawful state" if law.of_state else "at no step from a lawful state"
                    found[law] = f"its premise holds {where}; a law which says just that is written without implies: not (premise)"
                else:
                    found[law] = "no step from a lawful state has an outcome of the type that it is about"
        return found

    # ------------------------------------------------------------ what is pending

    def _ended(self, done: induction.Proved) -> tuple[dict[Law, Verdict], tuple[str, ...], tuple[str, ...]]:
        """What became of each condition that an operation is to end, what is not proved, and a note that says which allocations are
        taken not to fail. All of it leans on the laws."""
        judged = self.design if self.asked.clause is None else self.design.restricted(self.asked.clause)
        if not judged.pending:
            return {}, (), ()
        self.notice("prove", "what is pending comes to an end")
        wanted = {each.law for each in judged.pending}
        found = [each for each in prove_progress(self.design) if each.pending.law in wanted]
        doubtful = done.skipped or any(j.verdict != "proved" for j in done.judgements())
        verdicts = {
            each.pending.law: Verdict.VACUOUS
            if each.vacuous
            else Verdict.PROVED
            if each.proved and not doubtful
            else Verdict.UNDECIDED
            for each in found
        }
        failing = tuple(f"{each.pending.name}: {why}" for each in found for why in each.failing)
        if doubtful and not failing:
            failing = (f"{', '.join(each.pending.name for each in found)}: the proof leans on laws that are not all proved",)
        return verdicts, failing, tuple(_unless(found))

    def _with_stuck_run(self, report: EngineReport) -> EngineReport:
        """The report with a run after which something pending is not ended, where that is not proved and there is such a run."""
        open_ = {each.law for each in self.design.pending if report.verdicts.get(each.law) == Verdict.UNDECIDED}
        if not open_ or report.failure is not None:
            return report
        settled = {each.law for each in self.design.pending} - open_
        judged = self.design.judging(lambda law: law not in settled)
        sought = run_that_does_not_end(judged)
        if sought.failure is None or sought.failure.broken.law is None:
            return report
        verdicts = {**report.verdicts, sought.failure.broken.law: Verdict.FAILS}
        return attrs.evolve(report, verdicts=verdicts, failure=sought.failure, geometry=sought.geometry)

    def _notes(
        self,
        done: induction.Proved,
        reached: random.Campaign,
        verdicts: dict[Law, Verdict],
        vacuous: dict[Law, str],
        unproved: Sequence[str],
        not_needed: frozenset[str],
    ) -> tuple[str, ...]:
        clause = self.asked.clause
        notes = never(self.design, reached.applied) if reached.failure is None else ()
        notes += tuple(f"{law.name}: {why}" for law, why in vacuous.items())
        proved = [law for law in self.laws if verdicts[law] == Verdict.PROVED]
        notes += self._unmet(proved, reached) + idle_parts(self.design, self.needed, proved)
        notes += says_little(self.design, self.needed, proved)
        notes += tuple(f"{name} is not proved, and the proof of {clause} does not lean on it" for name in sorted(not_needed))
        assumed = len(set(self.needed.laws) - set(self.laws))
        if clause is not None and not unproved and not done.refuted and assumed:
            notes += (f"the proof leans on {many(assumed, 'other law')} of states, proved here too",)
        waits = [each.name for each in self.design.pending if each.after and verdicts.get(each.law) == Verdict.PROVED]
        if waits:
            names = f"{waits[0]} and {len(waits) - 1} more" if len(waits) > 1 else waits[0]
            notes += (f"{names}: proved to end, unless work that has to end before begins again and again (specs/progress.md)",)
        if clause is None:
            notes += says_nothing_of_exits(self.design)
        if self.design.cls.no_bare_machine:
            notes += (f"nothing is said of a bare machine: {self.design.cls.no_bare_machine}",)
        return notes + restated(self.design)

    def _unmet(self, proved: Sequence[Law], reached: random.Campaign) -> tuple[str, ...]:
        """A note on proved laws of which a few runs met nothing: whether any run does is not proved."""
        names = [
            law.name for law in proved if law not in reached.met and (law.outcome is not None or self.needed.is_conditional(law))
        ]
        if not names or reached.failure is not None:
            return ()
        what = f"what {names[0]} is about" if len(names) == 1 else f"what these {len(names)} laws are about ({', '.join(names)})"
        return (f"{many(reached.runs, 'random run')} did not meet {what}; --engine random and --engine exhaustive look further",)

    def _never(self, done: induction.Proved) -> tuple[str, ...]:
        """The operations that no lawful state lets happen, though they are not plainly turned off: a proof says nothing of them."""
        if self.asked.clause is not None:
            return ()
        return tuple(
            f"{p.operation}{NEVER}; an operation that is to be none says require(False)"
            for p in done.proofs
            if not p.paths and not is_turned_off(self.needed.operation(p.operation))
        )

    def _idle(self, verdicts: dict[Law, Verdict]) -> tuple[str, ...]:
        """The laws that are proved and say nothing: they hold whatever a design does."""
        return tuple(
            f"{law.name}{IDLE}"
            for law, verdict in verdicts.items()
            if verdict == Verdict.PROVED and law in self.laws and cannot_fail(self.needed, law)
        )

    def _leaning_table(self, done: induction.Proved) -> dict[str, tuple[str, ...]]:
        """For each judged law that every operation keeps, the laws that its proof leans on; and those that every proof leans on."""
        whole = induction.prove(self.needed, all_failures=True, asks_why=True) if done.skipped or done.refuted else done
        uses, kept = leaning.table(whole), leaning.kept(whole)
        rows = {law.name: tuple(sorted(uses[law.name])) for law in self.laws if law.name in kept}
        return {**rows, EVERY_LAW: tuple(sorted(leaning.for_every_law(whole)))}

    # ------------------------------------------------------------ where it fails

    def _explained(
        self, report: EngineReport, done: induction.Proved, reached: random.Campaign, not_needed: frozenset[str]
    ) -> EngineReport:
        """The report with what explains a failure: a run, counterexamples to induction, laws that would help."""
        refuted = self._refuted(done) or done.refuted
        if refuted is not None and not not_needed:
            report = self._of_refuted(report, refuted)
        elif reached.failure is None and any(_may_be_explained(j) for j in done.judgements()):
            self.notice("prove", "the text may go wrong; looking for counterexamples")
            wrong = self._with_witness(induction.prove(self.needed, all_failures=True).judgements())
            report, found = self._looked_for(report, wrong[0], ()) if wrong else (report, False)
            if wrong and not found:
                report = self._lacks(self._with_counterexamples(report, wrong[0], wrong), wrong)
        elif reached.failure is not None and claims(report, reached.failure.broken):
            report = attrs.evolve(report, disagreement=disagreement(report, "random", reached.failure))
        report = _with_run(report, reached.failure)
        if refuted is None:
            report = self._of_unknown(report, done)
        return report

    def _of_refuted(self, report: EngineReport, refuted: induction.Judgement) -> EngineReport:
        """A law is not inductive, or the text may go wrong. Whether it does in a run is another question."""
        law = refuted.law
        if law is not None and law not in self.laws:
            return self._lacks(self._with_counterexamples(report, refuted, (refuted,)), (refuted,))
        self.notice("prove", "a law is refuted; looking for a run that breaks it")
        report, found = self._looked_for(report, refuted, () if law is None else (law,))
        if found:
            return report
        self.notice("prove", "a law is not inductive; looking for every obligation that is refuted")
        judgements = induction.prove(self.needed, all_failures=True).judgements()
        every = self._with_witness(judgements)
        wrong = _unknown(j for j in judgements if j.law is None)  # the first proof may have stopped before it
        report = attrs.evolve(report, unproved=tuple(dict.fromkeys((*wrong, *report.unproved))))
        others = tuple(dict.fromkeys(j.law for j in every if j.law is not None and j.law is not law))
        if others:
            report, found = self._looked_for(report, next(j for j in every if j.law in others), others)
            if found:
                return report
        return self._lacks(self._with_counterexamples(report, refuted, every), every or (refuted,))

    def _lacks(self, report: EngineReport, refuted: tuple[induction.Judgement, ...]) -> EngineReport:
        """The report of a proof that lacks laws which exclude these counterexamples."""
        self.lacking = refuted
        return report

    def _with_suggestion(self, report: EngineReport) -> EngineReport:
        """The report with laws that exclude the counterexamples. What was found before is told first, since this may take long."""
        if not self.lacking:
            return attrs.evolve(report, suggestion=(_nothing_to_suggest(report),))
        self.asked.so_far(report)
        found = suggest(self.needed, self.lacking, lambda text: self.notice("suggest", text))
        return attrs.evolve(report, suggestion=(found.checked, found.tried), suggested=found.text)

    def _with_witness(self, judgements: Iterable[induction.Judgement]) -> tuple[induction.Judgement, ...]:
        """Every obligation with a counterexample, of these laws and of the text."""
        return tuple(j for j in judgements if j.witness is not None and (j.law is None or j.law in self.laws))

    def _looked_for(
        self, report: EngineReport, doubt: induction.Judgement, laws: tuple[Law, ...], seconds: float | None = None
    ) -> tuple[EngineReport, bool]:
        """The report with a run that breaks one of these laws, or in which the text goes wrong, if exploration finds one; and
        whether it did. Where it came to the last state and found none, the laws are true and not inductive."""
        sought = run_that_breaks(self.needed, laws, None if doubt.witness is None else doubt.witness.geometry, seconds)
        if sought.failure is not None:
            told = attrs.evolve(report, failure=sought.failure, operation=doubt.operation, geometry=sought.geometry)
            broken = sought.failure.broken.law
            return (told if broken is None else attrs.evolve(told, verdicts={**report.verdicts, broken: Verdict.FAILS})), True
        held = dict.fromkeys(laws, Verdict.NOT_INDUCTIVE) if sought.complete and doubt.verdict == "refuted" else {}
        return attrs.evolve(report, notes=(*report.notes, *sought.notes), verdicts={**report.verdicts, **held}), False

    def _of_unknown(self, report: EngineReport, done: induction.Proved) -> EngineReport:
        """The report with a run that breaks a law which is neither proved nor refuted, if one is found."""
        unknown = [j for j in done.judgements() if j.verdict == "unknown" and j.law in self.laws]
        laws = tuple(dict.fromkeys(j.law for j in unknown if j.law is not None))
        if report.failed or not laws:
            return report
        told, found = self._looked_for(report, unknown[0], laws, WITH_ONE_MORE)
        return told if found else report

    def _with_counterexamples(
        self, report: EngineReport, first: induction.Judgement, every: Sequence[induction.Judgement]
    ) -> EngineReport:
        """The report with each counterexample; the first that was found is shown in any case."""
        told = counterexamples(self.needed, every)
        if not told and first.witness is not None:
            told = (counterexample(self.needed, first.operation, first.witness),)
        if not told:
            return attrs.evolve(report, operation=first.operation)
        return attrs.evolve(report, witness=told[0].witness, operation=told[0].operation, counterexamples=told)


def _may_be_explained(judgement: induction.Judgement) -> bool:
    """Whether the text may go wrong in a step that asking again may show: where the solver gave up, it would give up again."""
    return judgement.law is None and judgement.verdict == "unknown" and not judgement.why.startswith(GAVE_UP)


def _unknown(judgements: Iterable[induction.Judgement]) -> list[str]:
    """The obligations that are neither proved nor refuted, each with the reason."""
    about = ((j, f" / {j.law.name}: " if j.law else SOUNDNESS) for j in judgements if j.verdict == "unknown")
    return [f"{j.operation}{of}{j.why}" for j, of in about]


def _of_proof(design: Outline, done: induction.Proved) -> dict[Law, Verdict]:
    """What became of each law; a law is proved if each operation was looked at with it."""
    verdicts = dict.fromkeys(design.laws, Verdict.UNDECIDED if done.skipped else Verdict.PROVED)
    for j in done.judgements():
        if j.law is not None and j.verdict != "proved":
            verdicts[j.law] = Verdict.UNDECIDED
    if any(j.law is None and j.verdict != "proved" for j in done.judgements()):
        return dict.fromkeys(verdicts, Verdict.UNDECIDED)
    return verdicts


def _simulated(design: Outline, done: induction.Proved, machine: Outline) -> tuple[str, tuple[str, ...]]:
    """That the operations' steps are those of a machine, in words; and what is not proved of that."""
    found = [p.simulated for p in done.proofs if p.simulated is not None]
    wrong = tuple(f"{each.operation}{SIMULATION}{why}" for each in found for why in each.failing[:1])
    uncompleted = never_completed(design, machine, found)
    wrong += tuple(f"{name}{SIMULATION}it always exits, and no operation completes the instruction" for name in uncompleted)
    wrong += tuple(f"{name}{SIMULATION}{NEVER_DONE}" for name in never_done(design, machine, found))
    if wrong:
        names = ", ".join(op.name for op in machine.operations)
        return "", (
            *wrong,
            f"refmodel refine looks for a run with a step that is none of {machine.name}'s ({names}). If a step is "
            'meant to be one of these, the class says which: steps = {"operation": ("gain_page",)}',
        )
    return (
        f"; each step of {many(len(found), 'operation')} is one of {machine.name}'s, the machine that guests believe in, or none",
        (),
    )


def _with_run(report: EngineReport, failure: Failure | None) -> EngineReport:
    """A law that is not proved, and that a run breaks, fails: whatever stood in the way of the proof. So does the text if a run
    aborts, where that was not shown to be impossible."""
    if failure is None or report.failed:
        return report
    law = failure.broken.law
    if law is None and Verdict.UNDECIDED in report.verdicts.values():
        return attrs.evolve(report, failure=failure, operation="")
    if law is None or report.verdicts.get(law) != Verdict.UNDECIDED:
        return report
    return attrs.evolve(report, verdicts={**report.verdicts, law: Verdict.FAILS}, failure=failure, operation="")


def _nothing_to_suggest(report: EngineReport) -> str:
    if report.failure is not None:
        return "nothing to suggest: a run breaks the law, so no further law makes it hold"
    return "nothing to suggest: no obligation is refuted by a counterexample to induction"


def _left_out(audited: Audited) -> Iterator[str]:
    """What could not be held against steps on ints, where that is more than a tenth."""
    if audited.unvalued * 10 > audited.questions:
        yield (
            f"of {audited.questions:,} comparisons with steps on ints {audited.unvalued:,} could not be made, because the terms "
            "have no value that is known"
        )


def _unless(ended: Sequence[Progress]) -> Iterator[str]:
    asked_for = sorted({question for each in ended if each.proved for question in each.unless})
    if asked_for:
        quoted = ", ".join(f'"{question}"' for question in asked_for)
        yield (
            f"that what is pending comes to an end is proved of steps in which none of these fails: {quoted}; a name "
            "that is chosen after one is taken to be there, such as a free frame, though nothing may ever free it"
        )


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"

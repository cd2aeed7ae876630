"""A second opinion on proofs: every question is passed on, its text means what was asked, and whoever disagrees is heard."""

import ast
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import z3
from typer.testing import CliRunner

import refmodel
from refmodel.cli import app
from refmodel.designs import SHIPPED
from refmodel.engines import questions, second_solvers
from refmodel.engines.certificates import Ethos, certify, find_ethos
from refmodel.engines.prover import prove_initial, prove_operation
from refmodel.engines.questions import Question, Solver, about, listening
from refmodel.engines.second_opinion import How, _Recorder
from refmodel.engines.second_solvers import ask
from refmodel.engines.smtlib import Texts
from refmodel.language import outline
from refmodel.language.unsound import BadDesign

ROOT = Path(refmodel.__file__).parent.parent
SMALL = "host_pages"
"""A design that is proved in no time."""
TABLES = "shadow_roles"
"""A design with pages of cells, enums and counts."""


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["prove", "--jobs", "1", *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def asked(name: str, *operations: str) -> list[Question]:
    """The questions of a design's proof."""
    design, found = outline(SHIPPED[name]), list[Question]()
    with listening(found.append):
        prove_initial(design)
        for op in operations or [op.name for op in design.operations]:
            prove_operation(design, op)
    return found


# ---------------------------------------------------------------- every question is passed on

ELSEWHERE = {
    ("engines/questions.py", "check"),
    ("engines/questions.py", "_core"),
    ("engines/second_solvers.py", "_by_z3"),
    ("engines/discharging.py", "_in_scope"),
    ("engines/bounded.py", "search"),
    ("engines/vacuity.py", "_can_be"),
    ("engines/leaning.py", "check"),
    ("engines/leaning.py", "laws_used"),
    ("engines/refused.py", "_model"),
}
"""Where a solver is asked and no proof rests on it: the place itself, the second opinion, counterexamples, bounded search, states
in which an operation is refused, whether a premise can hold (where "no" makes a law vacuous, never proved), and which laws a proof
used (asked for with --why: proofs without it never come here)."""
MAKERS = {"Solver", "SimpleSolver", "SolverFor", "Optimize", "Tactic", "Then", "prove", "solve", "simplify"}
MAY_MAKE = {
    "engines/questions.py",
    "engines/second_solvers.py",
    "engines/scope.py",
    "engines/bounded.py",
    "engines/vacuity.py",
    "engines/leaning.py",
}
"""Who may make a solver of z3's own, or have terms rewritten."""


def functions(tree: ast.AST, inside: str = "") -> Iterator[tuple[str, ast.Call]]:
    """Every call, with the function that it is in."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call):
            yield inside, node
        yield from functions(node, node.name if isinstance(node, ast.FunctionDef) else inside)


def test_no_question_is_asked_elsewhere() -> None:
    for folder, start in ((ROOT / "refmodel" / "engines", "engines"), (ROOT / "proofs", "proofs")):
        for file in folder.rglob("*.py"):
            name = f"{start}/{file.relative_to(folder)}"
            for inside, call in functions(ast.parse(file.read_text())):
                if not isinstance(call.func, ast.Attribute):
                    continue
                if call.func.attr == "check" and ast.unparse(call.func.value) not in ("self", "checking", "ethos", "how.ethos"):
                    states = any(keyword.arg == "says" for keyword in call.keywords)
                    assert states or (name, inside) in ELSEWHERE, f"{name}:{call.lineno} asks a solver past questions.Solver"
                if ast.unparse(call.func.value) == "z3" and call.func.attr in MAKERS:
                    assert name in MAY_MAKE, f"{name}:{call.lineno} makes a solver of its own: {ast.unparse(call)}"


def test_without_a_listener_nothing_is_kept() -> None:
    x = z3.Int("x")
    assert Solver(x > 0).check(x < 0, says="no number is both") == z3.unsat
    questions.simplified(x + 0 > 1)
    assert not questions._Ears.rewritten and questions._Ears.listener is None


def test_the_listener_hears_what_is_assumed_at_that_moment_and_what_was_rewritten() -> None:
    x, found = z3.Int("x"), list[Question]()
    solver = Solver(x > 0)
    with listening(found.append), about("here", "there"):
        solver.push()
        solver.add(x > 5)
        assert solver.check(x < 3, says="first") == z3.unsat
        solver.pop()
        assert solver.check(x < 3, says="second") == z3.sat
        assert solver.check(x < 0, says="third") == z3.unsat
        questions.simplified(x + 0 > 1)
    assert [q.says for q in found] == ["first", "third", "z3 rewrites terms into equal ones (1 terms)"]
    assert all(q.about == ("here", "there") for q in found)
    assert [str(t) for t in found[0].terms] == ["x > 0", "x > 5", "x < 3"]
    assert [str(t) for t in found[1].terms] == ["x > 0", "x < 0"]


def test_paths_that_are_cut_off_are_asked_about_too() -> None:
    said = {q.says for q in asked("ept_flags", "store_physical")}
    assert "no lawful state leads along this path" in said and any(s.startswith("along this path every") for s in said)
    assert any(s.startswith("at first ") for s in said) and any(s.startswith("z3 rewrites") for s in said)


# ---------------------------------------------------------------- what a text means


class Same:
    """Whether terms mean the same but for the names of symbols, which have to correspond one to one.

    One side was made by the engines, the other read from text by z3's own parser.
    """

    def __init__(self) -> None:
        self.there: dict[str, str] = {}
        self.back: dict[str, str] = {}
        self.seen: set[tuple[int, int]] = set()
        self.constant: dict[str, Any] = {}
        """What the text says that an array holds everywhere."""

    def symbols(self, a: Any, b: Any) -> bool:
        one, other = f"{a} {a.arity()} {a.range()}", f"{b} {b.arity()} {b.range()}"
        return self.there.setdefault(one, other) == other and self.back.setdefault(other, one) == one

    def terms(self, a: Any, b: Any) -> bool:
        todo = [(a, b)]
        while todo:
            a, b = (whole(x) for x in todo.pop())
            if (a.get_id(), b.get_id()) in self.seen:
                continue
            self.seen.add((a.get_id(), b.get_id()))
            if z3.is_K(a):
                if str(b) not in self.constant:
                    return False
                b = self.constant[str(b)]
                todo.append((a.arg(0), b))
                continue
            kind = a.decl().kind()
            if z3.is_int_value(a) or z3.is_bv_value(a):
                if not (a.sort() == b.sort() and a.eq(b)):
                    return False
                continue
            mine, theirs = operands(a), operands(b)
            named = kind in (z3.Z3_OP_UNINTERPRETED, z3.Z3_OP_DT_CONSTRUCTOR, z3.Z3_OP_DT_ACCESSOR)
            if kind != b.decl().kind() or len(mine) != len(theirs) or (named and not self.symbols(a.decl(), b.decl())):
                return False
            if kind in (z3.Z3_OP_EXTRACT, z3.Z3_OP_ZERO_EXT) and a.decl().params() != b.decl().params():
                return False
            todo += zip(mine, theirs, strict=True)
        return True


def whole(term: Any, known: dict[int, tuple[Any, Any]] = {}) -> Any:  # noqa: B006
    """A junction of one is that one, and a junction of none a constant."""
    if not (z3.is_and(term) or z3.is_or(term)):
        return term
    if term.get_id() not in known:
        given = operands(term)
        known[term.get_id()] = term, term if len(given) > 1 else given[0] if given else z3.BoolVal(z3.is_and(term))
    return known[term.get_id()][1]


def operands(term: Any) -> list[Any]:
    """What an operator is applied to: without what says nothing, and with what is nested of the same kind laid flat."""
    kind = term.decl().kind()
    given = term.children()
    if kind in (z3.Z3_OP_AND, z3.Z3_OP_OR):
        inner = [d for c in map(whole, given) for d in (operands(c) if c.decl().kind() == kind else [c])]
        return [d for d in inner if not (z3.is_true(d) if kind == z3.Z3_OP_AND else z3.is_false(d))]
    if kind in (z3.Z3_OP_CONCAT, z3.Z3_OP_BADD, z3.Z3_OP_BAND, z3.Z3_OP_BOR, z3.Z3_OP_BXOR, z3.Z3_OP_BMUL):
        return [d for c in given for d in (operands(c) if c.decl().kind() == kind else [c])]
    return list(given)


def means_the_same(question: Question) -> bool:
    read = list(z3.parse_smt2_string(Texts().of(question.terms)))
    same = Same()
    for assertion in read[: len(read) - len(question.terms)]:
        assert z3.is_quantifier(assertion) and assertion.is_forall()
        array, value = assertion.body().children()
        same.constant[str(array.arg(0))] = value
    rest = read[len(read) - len(question.terms) :]
    return all(same.terms(a, b) for a, b in zip(question.terms, rest, strict=True))


@pytest.mark.parametrize("name", [SMALL, pytest.param(TABLES, marks=pytest.mark.slow)])
def test_a_text_says_what_was_asked(name: str) -> None:
    found = asked(name)
    assert len(found) > 10 and all(means_the_same(q) for q in found)


def test_so_does_the_text_of_a_theorem_about_walks() -> None:
    from proofs.x86.ept_walk import rights_only_shrink

    found: list[Question] = []
    with listening(found.append):
        rights_only_shrink(4)
    assert found and all(means_the_same(q) for q in found)


def test_a_text_of_something_else_does_not_pass_for_it() -> None:
    [question] = [q for q in asked(SMALL) if q.says.startswith("along this path every")][:1]
    fewer = Question(question.about, question.says, (*question.terms[:-1], z3.Not(question.terms[-1])))
    read = z3.parse_smt2_string(Texts().of(fewer.terms))
    assert not all(Same().terms(a, b) for a, b in zip(question.terms, read, strict=True))


def test_a_page_of_zeroes_is_one_everywhere() -> None:
    index, cell = z3.DeclareSort("Index"), z3.DeclareSort("Cell.of.pages")
    zero, at, page = z3.Const("zero", cell), z3.Const("at", index), z3.Const("page", z3.ArraySort(index, cell))
    terms = [page == z3.K(index, zero), z3.Select(page, at) != zero]
    assert ask("z3", Texts().of(terms), 10).answer == "unsat"
    assert ask("z3", Texts().of(terms[:1]), 10).answer == "sat"


def test_names_that_need_quoting_are_respelled_and_stay_apart() -> None:
    a, b, c = z3.Int("otherwise failed"), z3.Int("otherwise_failed"), z3.Int("let")
    text = Texts().of([a > b, b > c])
    assert "|" not in text and ask("z3", text, 10).answer == "sat"
    assert len([line for line in text.splitlines() if line.startswith("(declare-fun")]) == 3


def test_no_junction_ends_in_another_of_its_kind() -> None:
    """cvc5 does not always find a proof of what De Morgan says of one that does."""
    a, b, c, d = z3.Bools("a b c d")
    for whole_, nested in ((z3.And, "and"), (z3.Or, "or")):
        text = Texts().of([whole_(a, whole_(b, whole_(c, d)), z3.BoolVal(nested == "and"))])
        assert f"(assert ({nested} a b c d))" in text
    assert "(assert (and (and a b) c))" in Texts().of([z3.And(z3.And(a, b), c)])
    assert "(assert (and a (or b c)))" in Texts().of([z3.And(a, z3.Or(b, c))])
    long = z3.And(z3.Bools(" ".join(letter * 30 for letter in "abcdefgh")))
    assert "(and a aaa" in Texts().of([z3.And(a, long)])  # under a name of its own too


@pytest.mark.parametrize("operator", [lambda a, b: z3.BVMulNoOverflow(a, b, False), lambda a, b: z3.BVMulNoUnderflow(a, b)])
def test_what_only_z3_knows_is_refused(operator: Callable[[Any, Any], Any]) -> None:
    a, b = z3.BitVecs("a b", 8)
    with pytest.raises(BadDesign, match="without a standard spelling"):
        Texts().of([operator(a, b)])


@pytest.mark.parametrize("by", [0, 1, 2, 6, 255])
def test_a_product_by_a_constant_is_exact(by: int) -> None:
    from refmodel.engines.terms import product

    word, wide = z3.BitVec("word", 8), z3.BitVecVal(by, 16)
    result, fits = product(word, z3.BitVecVal(by, 8))
    exact = z3.ZeroExt(8, word) * wide
    s = z3.Solver()
    s.add(z3.Or(fits != z3.ULT(exact, 256), result != z3.Extract(7, 0, exact)))
    assert s.check() == z3.unsat


# ---------------------------------------------------------------- agreeing, disagreeing, giving up

cvc5 = pytest.mark.skipif(not second_solvers.installed(), reason="pip install 'refmodel[second]'")


@cvc5
def test_a_design_and_a_theorem_are_proved_again_and_written(tmp_path: Path) -> None:
    theorem = "popek_goldberg.a_monitor_may_be_constructed"
    status, told = run(SMALL, theorem, "--second", "cvc5", "--smt", str(tmp_path))
    assert status == 0, told
    lines = [json.loads(line) for line in (tmp_path / "index.jsonl").read_text().splitlines()]
    assert {line["theorem"] for line in lines} == {SMALL, f"{theorem}()"}
    assert all(line["cvc5"] == "unsat" for line in lines) and f"{len(lines)} questions, {len(lines)} agreed" in told
    files = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.smt2")}
    assert files == {line["file"] for line in lines}
    assert f"{SMALL}/initial.state/0001.smt2" in files


@cvc5
def test_z3_reads_the_same_texts() -> None:
    status, told = run(SMALL, "--second", "z3")
    assert status == 0 and "agreed" in told


@cvc5
def test_a_solver_that_is_wrong_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = z3.Solver.check

    def wrong(self: Any, *terms: Any) -> Any:  # one answer in twenty
        wrong.count += 1  # type: ignore[attr-defined]
        return z3.unsat if wrong.count % 20 == 0 else honest(self, *terms)  # type: ignore[attr-defined]

    wrong.count = 0  # type: ignore[attr-defined]
    monkeypatch.setattr(z3.Solver, "check", wrong)
    status, told = run(SMALL, "--second", "cvc5")
    assert status == 1 and "DISAGREE" in told and "z3 says unsat, the second solver says sat" in told


@cvc5
def test_a_wrong_question_is_a_disagreement_and_a_timeout_is_no_success() -> None:
    a, b = z3.BitVecs("a b", 64)
    hard = (z3.ZeroExt(64, a) * z3.ZeroExt(64, b) == (2**61 - 1) * (2**59 - 55) + 2, z3.UGT(a, 1), z3.UGT(b, 1))
    recorder = _Recorder(How("cvc5", seconds=0.3))
    recorder.hear(Question(("one",), "wrong", (a == b,)))
    recorder.hear(Question(("one",), "hard", hard))
    wrong, late = recorder.answers
    assert wrong.disagrees and not wrong.agrees
    assert not late.disagrees and not late.agrees and late.reply is not None and late.reply.startswith("no answer")


@cvc5
def test_a_question_without_an_answer_makes_it_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(second_solvers.SOLVERS, "cvc5", lambda text, seconds: "no answer: time")
    status, told = run(SMALL, "--second", "cvc5")
    assert status == 3 and "undecided" in told and f"{SMALL}/initial.state/0001: no answer: time" in told


def test_without_cvc5_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cvc5", None)
    with pytest.raises(BadDesign, match="cvc5 is not installed") as why:
        run(SMALL, "--second", "cvc5")
    assert "\n" not in str(why.value)


def test_an_unknown_solver_is_bad_input() -> None:
    with pytest.raises(BadDesign, match="no such solver"):
        run(SMALL, "--second", "prolog")


# ---------------------------------------------------------------- certificates

DENIED = (z3.Extract(3, 0, z3.BitVec("w", 8)) == 3, z3.Not(z3.Extract(1, 1, z3.BitVec("w", 8)) == 1))


@cvc5
def test_a_certificate_has_no_step_that_is_believed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    certificate, proof = certify(Texts().of(DENIED), 10, find_ethos(None))
    assert certificate.counts and certificate.trust == 0 and certificate.checked is None and len(proof) == certificate.size
    status, told = run("popek_goldberg.a_monitor", "--certificates", str(tmp_path))
    assert status == 0 and "0 trust steps" in told
    assert len(list(tmp_path.rglob("*.cpc"))) == len(list(tmp_path.rglob("*.smt2"))) > 1


@cvc5
def test_what_can_be_satisfied_has_no_certificate() -> None:
    certificate, proof = certify(Texts().of(DENIED[:1]), 10, None)
    assert certificate.answer == "sat" and not certificate.counts and proof == ""


def checker() -> Ethos:
    """Ethos, or the test is skipped."""
    try:
        ethos = find_ethos(None)
    except BadDesign as why:
        pytest.skip(str(why))
    if ethos is None:
        pytest.skip("no ethos on the PATH (specs/trust.md says how to build it)")
    return ethos


@cvc5
def test_ethos_accepts_a_certificate_of_this_text_and_of_no_other() -> None:
    ethos = checker()
    text = Texts().of(DENIED)
    certificate, proof = certify(text, 10, ethos)
    assert certificate.checked == "correct" and certificate.counts
    assert ethos.check(Texts().of(DENIED[:1]), proof) != "correct"
    unfinished = "\n".join(proof.strip().splitlines()[:-1])
    assert ethos.check(text, unfinished) != "correct"


@pytest.mark.slow
@cvc5
@pytest.mark.parametrize(
    "theorem",
    [
        "x86.ept_walk.the_walk_is_as_declared(5)",
        "x86.guest_walk.the_walk_is_as_declared(5)",
        "x86.entries.encoding_undoes_decoding(guest)",
    ],
)
def test_a_theorem_about_walks_is_certified_from_end_to_end(theorem: str, tmp_path: Path) -> None:
    """Proved, written, proved by cvc5, and checked by Ethos, question by question; and no certificate does for another question."""
    ethos = checker()
    status, told = run(theorem, "--certificates", str(tmp_path))
    assert status == 0, told
    lines = [json.loads(line) for line in (tmp_path / "index.jsonl").read_text().splitlines()]
    assert len(lines) > 1 and {line["theorem"] for line in lines} == {theorem}
    for line in lines:
        certificate = line["certificate"]
        assert (certificate["answer"], certificate["trust"], certificate["checked"]) == ("unsat", 0, "correct"), line
        assert (tmp_path / line["file"]).with_suffix(".cpc").stat().st_size == certificate["size"] > 0
    texts = [(tmp_path / line["file"]).read_text() for line in lines]
    assert ethos.check(texts[0], (tmp_path / lines[1]["file"]).with_suffix(".cpc").read_text()) != "correct"


# ---------------------------------------------------------------- everything that ships


@pytest.mark.slow
@cvc5
def test_every_question_about_every_shipped_design_and_theorem_is_answered_the_same() -> None:
    done = CliRunner().invoke(app, ["prove", "--no-slow", "--second", "cvc5", "--jobs", "2"])
    assert done.exit_code == 0, done.output

"""Certificates: proofs that cvc5 writes down step by step, and that Ethos checks.

A certificate is in cvc5's CPC format. Ethos (https://github.com/cvc5/ethos) is a small program that knows no theory. It reads the
rules of inference from cvc5's signatures, and checks that each step is an instance of a rule. It also checks that the certificate
assumes nothing but what the text asserts, and that it ends in ``false``. A step of the rule ``trust`` is believed and not checked,
so a certificate counts only if it has none.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import attrs

from refmodel.engines.second_solvers import Session, plain
from refmodel.language.unsound import BadDesign

SIGNATURES = "CPC_SIGNATURES"
"""The environment variable that names the folder of cvc5's signatures, which holds Cpc.eo."""

BELIEVED = re.compile(r":rule (?:trust\w*|hole)\b")
INDEXED = re.compile(r"\(\(_ ([a-z_]+) ([0-9 ]+)\) ")
"""An operator that carries numbers, as SMT-LIB spells it. Ethos wants the numbers as operands."""

WRITING = {"produce_proofs": "true", "proof_granularity": "dsl-rewrite", "proof_print_reference": "true", "decision": "internal"}
"""How cvc5 is to write a certificate: in steps that Ethos knows, about the text's own symbols. What it decides on by itself takes
longer to answer than its usual choice, and a tenth of the steps."""

PATIENCE = 1800.0
"""Seconds that Ethos may take."""


@attrs.frozen
class Certificate:
    """The certificate of one proof question."""

    answer: str
    """What cvc5 says of the question; there is a certificate if that is ``unsat``."""
    size: int = 0
    """Characters."""
    seconds: float = 0.0
    """To solve the question and to write the certificate."""
    trust: int = 0
    """Steps that are believed and not checked."""
    checked: str | None = None
    """``correct``, or what Ethos says instead; None if nobody checked it."""
    check_seconds: float = 0.0

    @property
    def counts(self) -> bool:
        """Whether it proves the question: every step checked, as far as anybody was there to check."""
        return self.answer == "unsat" and self.trust == 0 and self.checked in (None, "correct")


@attrs.frozen
class Ethos:
    """The checker, and the rules that it goes by."""

    program: str
    signatures: Path

    def check(self, text: str, proof: str) -> str:
        """``correct`` if the certificate proves that what the text asserts is contradictory."""
        with tempfile.TemporaryDirectory() as folder:
            asserted, steps = Path(folder) / "text.smt2", Path(folder) / "proof.cpc"
            asserted.write_text(INDEXED.sub(r"(\1 \2 ", text))
            steps.write_text(f'(reference "{asserted}")\n{proof}')  # as an option, Ethos forgets it when it comes to the proof
            options = [f"--include={self.signatures}", "--require-proof-of-false", "--reference-define-fun"]
            try:
                done = subprocess.run(
                    [self.program, *options, str(steps)], capture_output=True, text=True, timeout=PATIENCE, check=False
                )
            except subprocess.TimeoutExpired:
                return f"not done after {PATIENCE:.0f} s"
        said = (done.stdout + done.stderr).strip()
        return said if done.returncode == 0 and said else f"refused: {' '.join(said.split())[:300]}"


def find_ethos(signatures: Path | None) -> Ethos | None:
    """Ethos, if it is on the PATH; ``BadDesign`` if it is and the signatures are not where they should be."""
    program = shutil.which("ethos")
    if program is None:
        if signatures is not None:
            raise BadDesign("--signatures is for Ethos, and there is no ethos on the PATH")
        return None
    folder = signatures or Path(os.environ.get(SIGNATURES, ""))
    if not (folder / "Cpc.eo").is_file():
        raise BadDesign(
            f"ethos is on the PATH, but no Cpc.eo is in {folder}: give cvc5's folder proofs/eo/cpc by --signatures or {SIGNATURES}"
        )
    return Ethos(program, folder / "Cpc.eo")


def certify(text: str, seconds: float, ethos: Ethos | None) -> tuple[Certificate, str]:
    """A certificate that a text cannot be satisfied, checked if Ethos is there."""
    began = time.perf_counter()
    session = Session(text, seconds, **WRITING)
    answer = session.answer()
    if answer != "unsat":
        return Certificate(answer, seconds=time.perf_counter() - began), ""
    written = plain(session.solver.proofToString(session.solver.getProof()[0], session.cvc5.ProofFormat.CPC)).strip()
    proof = written[1:-1] if written.startswith("(\n") else written  # cvc5 puts all of it in parentheses
    made = time.perf_counter() - began
    said = ethos.check(text, proof) if ethos is not None else None
    return Certificate(answer, len(proof), made, len(BELIEVED.findall(proof)), said, time.perf_counter() - began - made), proof

"""Pages: what they hold, and that a browser shows it, lets one step through it, and prints it."""

from __future__ import annotations

import html.parser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from refmodel.machine.x86.ept_walk import Ept
from refmodel.oracle.trace.telling import lines
from refmodel.oracle.vectors.paths import guest_tests
from refmodel.oracle.vectors.walks import two_dimensional
from refmodel.oracle.x86.nested_tests import ROOT
from refmodel.report.grids import grid
from tests.benchmarks.monitor import Monitor
from tests.benchmarks.monitor import lines as monitor_lines
from tests.commands import refmodel as run

OWN = Path(__file__).parent.parent / "refmodel" / "examples" / "zap.py"
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")


def refmodel(*arguments: str, status: int) -> str:
    done = run(*arguments)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def run_page(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    file = tmp_path_factory.mktemp("pages") / "run.html"
    told = refmodel("check", f"{OWN}:ZapLazily", "--law", "ISO-2", "--engine", "exhaustive", "--html", str(file), status=1)
    return file, next(line.split()[-1] for line in told.splitlines() if line.startswith("refmodel replay"))


@pytest.fixture(scope="module")
def trace_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    told = [
        {"e": "trace", "start": "power-on"},
        {"e": "populate", "gfn": 0, "mfn": 5},
        {"e": "populate", "gfn": 1, "mfn": 6},
        {"e": "map", "gfn": 0, "mfn": 5, "writable": True},
        {"e": "store", "gpa": 8, "value": 7},
        {"e": "map", "gfn": 1, "mfn": 5, "writable": False},
    ]
    (folder / "<odd> & trace.jsonl").write_bytes(lines(told))
    refmodel("judge", str(folder / "<odd> & trace.jsonl"), "--html", str(folder / "trace.html"), status=1)
    return folder / "trace.html"


class Checker(html.parser.HTMLParser):
    """Every element is closed by its own end, ids are unique, nothing is fetched."""

    VOID = {"meta", "path", "rect", "br", "link", "input", "img"}

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert "src" not in given and (given.get("href") or "#").startswith("#"), f"{tag} fetches something"
        self.links |= {given["href"][1:]} if given.get("href") else set()  # type: ignore[index]
        assert given.get("id") not in self.ids
        self.ids |= {given["id"]} if given.get("id") else set()
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Closed at once."""

    def handle_endtag(self, tag: str) -> None:
        assert tag in self.VOID or self.open.pop() == tag


def test_pages_are_well_formed_and_fetch_nothing(run_page: tuple[Path, str], trace_page: Path) -> None:
    for file in (run_page[0], trace_page):
        text = file.read_text()
        checker = Checker()
        checker.feed(text)
        assert checker.open == []
        assert checker.links and checker.links <= checker.ids, "a link leads nowhere"
        assert not re.search(r"https?://|@import|url\((?!#)", text)


def test_a_run_is_told_step_by_step_with_its_clause_and_the_offending_arrow(run_page: tuple[Path, str]) -> None:
    text = run_page[0].read_text()
    assert text.count('<li class="step') == 6 and "breaks ISO-2" in text
    assert re.search(r'<path class="arrow [^"]*broken', text) and re.search(r'class="box [^"]*changed', text)
    assert "monitored machine" in text and "bare machine" in text
    assert 'role="img"' in text and "aria-label" in text and "<caption>what changed" in text
    assert "prefers-color-scheme: dark" in text and "@media print" in text


def test_replay_draws_the_same_run(run_page: tuple[Path, str], tmp_path: Path) -> None:
    refmodel("replay", run_page[1], "--html", str(tmp_path / "again.html"), status=1)
    assert (tmp_path / "again.html").read_text().count('<li class="step') == 6


def test_a_trace_is_drawn_up_to_the_event_that_deviates(trace_page: Path) -> None:
    text = trace_page.read_text()
    assert "line 6 breaks ISO-1" in text and "&lt;odd&gt; &amp; trace" in text and "<odd>" not in text
    assert "lawful instead" in text and "same with mfn 6" in text
    assert re.search(r'class="box [^"]*broken', text)


def test_the_page_of_a_trace_shows_the_history_of_what_is_concerned_and_the_state_after_the_event(trace_page: Path) -> None:
    text = trace_page.read_text()
    assert "The history of vm 0, gfn 1, vm 0, gfn 0; mfn 5, mfn 6:" in text and "for vm 0, gfn 1 (0x1)" in text
    last = text.split('<li class="step')[-1]
    assert "<title>vm0, gfn1: present, mfn mfn5</title>" in last, "the state is not that after the event"
    assert len(re.findall(r'<path class="arrow [^"]*broken', text)) == len(re.findall(r'class="box [^"]*broken', text)) == 1
    assert 'class="legend"' in last and "breaks the law" in last


def test_a_page_is_small_whatever_the_trace_and_no_right_is_cut_off(tmp_path: Path) -> None:
    names = []
    defects = (
        "a lost ring entry",
        "another VM's frame",
        "shared while it is writable",
        "a stale entry in a TLB",
        "data that nobody wrote",
        "ballooned while it is mapped",
    )
    for number, defect in enumerate(defects):
        monitor = Monitor(1, vms=3, pages=2048, defect=defect, after=1500)
        names.append(str(tmp_path / f"{number}.jsonl"))
        Path(names[-1]).write_bytes(b"".join(monitor_lines(monitor, 6000)))
    long = [{"e": "store", "gpa": 0, "value": 1, "at": "x" * 900_000}, {"e": "load", "gpa": 0, "value": 2, "at": "y" * 900_000}]
    names.append(str(tmp_path / "long.jsonl"))
    Path(names[-1]).write_bytes(lines(long))
    refmodel("judge", names[-1], *names[:-1], "--html", str(tmp_path / "page.html"), status=1)
    text = (tmp_path / "page.html").read_text()
    assert len(text) < 1 << 20 and text.count('<section class="story"') == len(names)
    boxes = re.findall(r"<title>([^<]*)</title><rect[^>]*><text[^>]*>([^<]*)<", text)
    assert len(boxes) > 50
    for whole, shown in boxes:
        assert shown.count("writable") == whole.count("writable") and shown.count("present") == whole.count("present")


def test_a_walk_in_two_dimensions_is_a_grid_of_24() -> None:
    walks = [grid(two_dimensional(test, Ept(ROOT, advanced=True))) for test in guest_tests(4, 40) if not test.access.implicit]
    whole = [g for g in walks if sum(cell.number > 0 for _, row in g.rows for cell in row) == 24]
    assert whole
    for each in walks:
        cells = [cell for _, row in each.rows for cell in row]
        assert sum(cell.decides for cell in cells) == (1 if any(cell.number for cell in cells) else 0)
        assert sorted(cell.number for cell in cells if cell.number) == list(range(1, 1 + sum(cell.number > 0 for cell in cells)))


def test_verdicts_and_the_bench_have_pages(tmp_path: Path) -> None:
    refmodel("bench", "xsa-100", "--html", str(tmp_path / "bench.html"), status=0)
    assert "xsa-100" in (tmp_path / "bench.html").read_text()
    refmodel("judge", "unicorn", "--checks", "500", "--html", str(tmp_path / "judge.html"), status=0)
    assert "unicorn" in (tmp_path / "judge.html").read_text()
    done = run("judge", "unicorn", "--checks", "100", "--html", "/no/such/folder/x")
    assert done.returncode == 2 and "/no/such/folder/x: cannot be written" in done.stderr


def browse(file: Path, folder: Path, *more: str) -> str:
    """The page as it stands in the browser, after what is in it has run."""
    assert BROWSER is not None
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=3000"]
    return subprocess.run(
        [BROWSER, *options, *more, file.as_uri()], capture_output=True, text=True, timeout=120, check=False
    ).stdout


@needs_browser
def test_a_browser_shows_one_step_and_goes_through_them_by_keys(run_page: tuple[Path, str], tmp_path: Path) -> None:
    shown = browse(run_page[0], tmp_path, "--dump-dom")
    assert shown.count('class="step fails now"') == 1 and "6 of 6" in shown
    keys = """<script>
const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
press("Home"); press("ArrowRight"); press("ArrowRight");
document.title = document.querySelector("output").textContent + " | " + document.querySelector(".step.now h3").textContent;
</script></body>"""
    pressed = tmp_path / "pressed.html"
    pressed.write_text(run_page[0].read_text().replace("</body>", keys))
    title = re.search(r"<title>(.*?)</title>", browse(pressed, tmp_path, "--dump-dom"))
    assert title is not None and title[1].startswith("3 of 6 | 2. ")


@needs_browser
def test_a_printed_page_holds_every_step(run_page: tuple[Path, str], tmp_path: Path) -> None:
    pdf = tmp_path / "page.pdf"
    browse(run_page[0], tmp_path, f"--print-to-pdf={pdf}")
    data = pdf.read_bytes()
    assert data.startswith(b"%PDF") and len(re.findall(rb"/Type\s*/Page\b", data)) > 1

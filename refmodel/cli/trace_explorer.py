"""A trace stepped through at a terminal, with Textual: its events, what is known of their pages and frames, and expressions."""

from __future__ import annotations

import threading
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import DataTable, Footer, Header, Input, Static, TabbedContent, TabPane
from textual.worker import get_current_worker

from refmodel.language import BadDesign
from refmodel.language.plurals import many
from refmodel.oracle.trace.expressions import evaluate
from refmodel.oracle.trace.following import Followed, Follower, Listing
from refmodel.oracle.trace.knowledge import Knowledge
from refmodel.oracle.trace.known_states import entry_texts
from refmodel.report.traces import deviation_lines


class TraceExplorer(App[None]):
    """The arrow keys go from event to event."""

    CSS = """
    #events { width: 1fr; } #seen { width: 1fr; } #listed { height: 1fr; } #about { height: auto; padding: 0 1; }
    #wrong { color: $error; padding: 0 1; height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "focus('filter')", "filter"),
        Binding("e", "expressions", "expression"),
        Binding("q", "quit", "end"),
    ]

    def __init__(self, name: str, line: int, wanted: str = "", expressions: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.follower, self.line = Follower(name), line
        self.asked = list(expressions)
        """Expressions, each evaluated after every event that is looked at."""
        self.shown: Followed | None = None
        self._wanted = wanted
        self._follows = threading.Lock()

    def compose(self) -> ComposeResult:
        yield Header()
        with Horizontal():
            with Vertical(id="events"):
                yield Input(self._wanted, placeholder="only events about vm 0, gfn 5; mfn 7 - or that contain a text", id="filter")
                listed: DataTable[Text] = DataTable(id="listed", cursor_type="row")
                yield listed
                yield Static(id="about")
            with Vertical(id="seen"), TabbedContent(id="tabs"):
                with TabPane("State", id="state"), VerticalScroll():
                    yield Static(id="wrong")
                    yield Static(id="entries")
                with TabPane("Expressions", id="expressions"), VerticalScroll():
                    yield Input(placeholder="p2m[0, 5].mfn == 7", id="expression")
                    yield Static(id="values")
        yield Footer()

    def on_mount(self) -> None:
        self.title = f"refmodel explore {self.follower.name}"
        self._table().add_columns("line", "event")
        self._list()
        self._table().focus()

    # ------------------------------------------------------------ what keys do

    @on(DataTable.RowHighlighted)
    def look(self, event: DataTable.RowHighlighted) -> None:
        """Show what is known after the event of a row."""
        if event.row_key is not None and event.row_key.value is not None:
            self.line = int(event.row_key.value)
            self._follow(self.line)

    @on(Input.Submitted, "#filter")
    def narrow(self) -> None:
        """List the events that were asked for."""
        self._list()
        self._table().focus()

    @on(Input.Submitted, "#expression")
    def ask(self, event: Input.Submitted) -> None:
        """Evaluate an expression here, and after every event that is looked at from now on."""
        if event.value.strip():
            self.asked.insert(0, event.value.strip())
            event.input.value = ""
            self._follow(self.line)
        self._table().focus()

    def action_expressions(self) -> None:
        """Type an expression."""
        self.query_one(TabbedContent).active = "expressions"
        self.query_one("#expression", Input).focus()

    # ------------------------------------------------------------ what is shown

    def _table(self) -> DataTable[Text]:
        table: DataTable[Text] = self.query_one("#listed", DataTable)
        return table

    @work(thread=True, exclusive=True, group="list")
    def _list(self) -> None:
        worker = get_current_worker()
        try:
            listing = self.follower.list(self.query_one("#filter", Input).value.strip(), self.line)
        except BadDesign as why:
            self.call_from_thread(self.notify, str(why), severity="error", markup=False)
            return
        if not worker.is_cancelled:
            self.call_from_thread(self._show_list, listing)

    def _show_list(self, listing: Listing) -> None:
        table = self._table()
        table.clear()
        for each in listing.events:
            table.add_row(Text(f"{each.line:,}", justify="right"), Text(each.event), key=str(each.line))
        before = f"{many(listing.more_before, 'event')} before these; " if listing.more_before else ""
        after = "the trace goes on" if listing.more_after else "no event after these is judged"
        self.sub_title = before + after
        place = next((row for row, each in enumerate(listing.events) if each.line >= self.line), len(listing.events) - 1)
        table.move_cursor(row=max(place, 0))

    @work(thread=True, exclusive=True, group="follow")
    def _follow(self, line: int) -> None:
        worker = get_current_worker()
        with self._follows:
            if worker.is_cancelled:
                return
            try:
                followed = self.follower.at(line)
                values = self._values(line) if followed is not None else []
            except BadDesign as why:
                self.call_from_thread(self.notify, str(why), severity="error", markup=False)
                return
        if not worker.is_cancelled:
            self.call_from_thread(self._show, followed, values)

    def _values(self, line: int) -> list[tuple[str, str]]:
        knowledge = self.follower.knowledge_at(line) if self.asked else None
        return [] if knowledge is None else [(asked, _value(knowledge, asked)) for asked in self.asked]

    def _show(self, followed: Followed | None, values: list[tuple[str, str]]) -> None:
        self.shown = followed
        found = None if followed is None else followed.deviation
        self.query_one("#wrong", Static).update("" if found is None else Text("\n").join(deviation_lines(found)))
        self.query_one("#about", Static).update("" if followed is None else Text(f"about {followed.about.words() or 'no page'}"))
        self.query_one("#entries", Static).update("" if followed is None else _entries(followed))
        table = Table("expression", "is", expand=True)
        for asked, value in values:
            table.add_row(Text(asked), Text(value))
        self.query_one("#values", Static).update(table)


def _value(k: Knowledge, expression: str) -> str:
    try:
        return evaluate(k, expression)
    except BadDesign as why:
        return str(why)


def _entries(followed: Followed) -> Table:
    """What is known after an event, with what was known before where that is another thing."""
    now, changed = entry_texts(followed.after), {where: was for where, was, _ in followed.changes()}
    table = Table("entry", "was", "is", expand=True)
    for where in sorted({*now, *changed}):
        table.add_row(
            Text(where), Text(changed.get(where, "")), Text(now.get(where, "-")), style="bold yellow" if where in changed else None
        )
    return table

"""A design stepped through at a terminal, with Textual: the steps that apply, the state, the laws, and the run so far."""

from __future__ import annotations

from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import DataTable, Footer, Header, Input, Static, TabbedContent, TabPane

from refmodel.engines.stepping import Near, Offer, Stepping
from refmodel.engines.tokens import encode
from refmodel.engines.words import broken_text, call, change_text
from refmodel.language.plurals import many
from refmodel.report.exploring import comes_of_it, entry_texts, offer_text


class Explorer(App[None]):
    """Enter takes a step, and Backspace takes it back."""

    CSS = """
    #next { width: 1fr; } #seen { width: 1fr; } #offers { height: 1fr; } #preview { height: auto; max-height: 10; padding: 0 1; }
    #broken { color: $error; padding: 0 1; height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("backspace", "back", "back"),
        Binding("slash", "filter", "filter"),
        Binding("n", "near", "find a run that breaks a law"),
        Binding("t", "token", "keep a token"),
        Binding("q", "quit", "end"),
    ]

    def __init__(self, stepping: Stepping, spec: str) -> None:
        super().__init__()
        self.stepping, self.spec = stepping, spec
        self.tokens: list[str] = []
        """What was asked to be kept: printed when the explorer ends."""
        self._offers: list[Offer] = []
        self._before: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        yield Header()
        with Horizontal():
            with Vertical(id="next"):
                yield Input(placeholder="only steps that contain", id="filter")
                offers: DataTable[Text] = DataTable(id="offers", cursor_type="row")
                yield offers
                yield Static(id="preview")
            with Vertical(id="seen"), TabbedContent():
                with TabPane("State", id="state"), VerticalScroll():
                    yield Static(id="broken")
                    yield Static(id="entries")
                with TabPane("Laws", id="laws"), VerticalScroll():
                    yield Static(id="standing")
                with TabPane("Run", id="run"), VerticalScroll():
                    yield Static(id="steps")
        yield Footer()

    def on_mount(self) -> None:
        self.title = f"refmodel explore {self.spec}"
        self._table().add_columns("what comes of it", "step")
        self._show()
        self._table().focus()

    # ------------------------------------------------------------ what keys do

    @on(DataTable.RowSelected)
    def take(self, event: DataTable.RowSelected) -> None:
        """Take the step of a row."""
        self._before = self._entries()
        self.stepping.take(self._offers[int(str(event.row_key.value))].step)
        self.query_one("#filter", Input).value = ""
        self._show()

    @on(DataTable.RowHighlighted)
    def preview(self, event: DataTable.RowHighlighted) -> None:
        """Show what the step of a row would change."""
        number = event.row_key.value if event.row_key is not None else None
        offer = self._offers[int(number)] if number is not None else None
        self.query_one("#preview", Static).update(self._coming(offer) if offer is not None else "")

    @on(Input.Changed)
    def narrow(self) -> None:
        """List the steps that contain what was typed."""
        self._list()

    @on(Input.Submitted)
    def to_the_steps(self) -> None:
        """Go from the filter to the steps."""
        self._table().focus()

    async def action_back(self) -> None:
        """Take the last step back."""
        if self.stepping.told:
            self._before = self._entries()
            self.stepping.back()
            self._show()

    def action_filter(self) -> None:
        """Type what steps are to contain."""
        self.query_one("#filter", Input).focus()

    def action_token(self) -> None:
        """Keep a token of the run so far."""
        self.tokens.append(encode(self.spec, self.stepping.design, self.stepping.geometry, self.stepping.run))
        self.notify("The token is printed when the explorer ends.")

    def action_near(self) -> None:
        """Look ahead for runs that break a law."""
        self.notify("Looking for runs from here that break a law.")
        self._look_ahead(Stepping(self.stepping.design, self.stepping.geometry, self.stepping.run))

    @work(thread=True, exclusive=True)
    def _look_ahead(self, stepping: Stepping) -> None:
        found = stepping.near()
        self.call_from_thread(self.notify, near_text(found), timeout=15)

    # ------------------------------------------------------------ what is shown

    def _table(self) -> DataTable[Text]:
        table: DataTable[Text] = self.query_one("#offers", DataTable)
        return table

    def _entries(self) -> dict[str, str]:
        return entry_texts(self.stepping.design, self.stepping.entries())

    def _show(self) -> None:
        stepping = self.stepping
        self._offers = stepping.offers()
        self.sub_title = f"{many(len(stepping.told), 'step')} taken"
        broken = stepping.broken
        self.query_one("#broken", Static).update("" if broken is None else Text(broken_text(broken)))
        self.query_one("#entries", Static).update(self._state())
        self.query_one("#standing", Static).update(self._laws())
        steps = [f"{n}. {call(stepping.design, told.step, told.begun)}" for n, told in enumerate(stepping.told, 1)]
        self.query_one("#steps", Static).update(Text("\n".join(["power on", *steps])))
        self._list()

    def _list(self) -> None:
        table, wanted = self._table(), self.query_one("#filter", Input).value
        table.clear()
        for number, offer in enumerate(self._offers):
            text = offer_text(self.stepping.design, offer)
            if wanted in text:
                comes = Text(comes_of_it(offer), style="bold red" if offer.broken is not None else "")
                table.add_row(comes, Text(text), key=str(number))

    def _state(self) -> Table:
        now = self._entries()
        table = Table("entry", "is", expand=True)
        for where in sorted({*now, *self._before}):
            changed = now.get(where) != self._before.get(where) and self.stepping.told
            table.add_row(Text(where), Text(now.get(where, "as by default")), style="bold yellow" if changed else None)
        return table

    def _laws(self) -> Table:
        table = Table("clause", "law", "claims something of", "here", expand=True)
        for now in self.stepping.laws():
            table.add_row(
                Text(now.law.clause),
                Text(now.law.sentence),
                f"{now.met} of {now.claimed}",
                Text("holds") if now.holds else Text("broken", style="bold red"),
            )
        return table

    def _coming(self, offer: Offer) -> Text:
        lines = ["{}: {} becomes {}".format(*change_text(self.stepping.design, change)) for change in offer.changes]
        return Text("\n".join(lines or ["This step changes nothing."]))


def near_text(found: Near) -> str:
    """How near laws are to breaking, in a sentence or two."""
    if not found.steps:
        return (
            "No run from here breaks a law."
            if found.every_state
            else f"No run of up to {many(found.depth, 'step')} from here breaks a law."
        )
    told = [f"{clause} in {steps} step{'s' * (steps != 1)}" if steps else f"{clause} now" for clause, steps in found.steps.items()]
    return f"Laws can break: {', '.join(told)}."

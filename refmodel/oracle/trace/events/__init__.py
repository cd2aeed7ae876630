"""The events of a trace: one JSON object a line, told apart by ``e``. The chapter is specs/traces.md.

These classes are the format: they are decoded from lines, the JSON Schema is made of them, and their docstrings and comments say
what each event means. What each does to what is known is in ``refmodel/oracle/trace/table.py``. Each knows how it is judged,
because that is the fastest way from a line to a verdict: loads and stores are judged here, all others by their row of that table.
"""

from refmodel.oracle.trace.events.base import LAST_GFN, LAST_MFN, VERSION, WINDOW, Event, Header, Page, Pages
from refmodel.oracle.trace.events.guest import DmaRead, DmaWrite, Exit, Hole, Invlpg, Invpcid, Linear, Load, Mmio, Registers, Store
from refmodel.oracle.trace.events.hardware import Backed, Cell, Entry, FrameIs, Gap
from refmodel.oracle.trace.events.mechanisms import (
    Balloon,
    Break,
    Cancelled,
    Deflate,
    Inflate,
    Mark,
    Resume,
    Ring,
    RingFull,
    RingHarvest,
    RingPush,
    RingReset,
    Send,
    Share,
    SwapIn,
    SwapOut,
    TakeMark,
    WriteBack,
)
from refmodel.oracle.trace.events.memory import (
    Abort,
    Alias,
    Convert,
    DmaMap,
    DmaUnmap,
    Fill,
    FlushBegin,
    FlushEnd,
    Free,
    Grant,
    Map,
    Move,
    Plug,
    Populate,
    Promise,
    Protect,
    Ram,
    Report,
    Revoke,
    SlotAdd,
    SlotDelete,
    SlotMove,
    Split,
    Table,
    Track,
    Unmap,
    Unplug,
    Unprotect,
    Untrack,
    VmDestroyed,
)

__all__ = [
    "LAST_GFN", "LAST_MFN", "VERSION", "WINDOW", "Abort", "Alias", "Backed", "Balloon", "Break", "Cancelled", "Cell",
    "Convert", "Deflate", "DmaMap", "DmaRead", "DmaUnmap", "DmaWrite", "Entry", "Event", "Exit", "Fill", "FlushBegin",
    "FlushEnd", "FrameIs", "Free", "Gap", "Grant", "Header", "Hole", "Inflate", "Invlpg", "Invpcid", "Linear", "Load", "Map",
    "Mark", "Mmio", "Move", "Page", "Pages", "Plug", "Populate", "Promise", "Protect", "Ram", "Registers", "Report", "Resume",
    "Revoke", "Ring", "RingFull", "RingHarvest", "RingPush", "RingReset", "Send", "Share", "SlotAdd", "SlotDelete",
    "SlotMove", "Split", "Store", "SwapIn", "SwapOut", "Table", "TakeMark", "Track", "Unmap", "Unplug", "Unprotect",
    "Untrack", "VmDestroyed", "WriteBack"]

"""Traces of Linux's KVM: the kvmmmu events of a running kernel, as the ``trace`` file, ``trace-cmd report`` or ``perf script``
prints them.

They report the walks that KVM makes through guests' tables, the shadow pages that it gets for them, and the entries that it
puts in. Each is judged by the text of the walk. A guest's control registers are not reported, nor MAXPHYADDR; so a walk is
lawful if *some* registers explain it. Walks of tables that the text does not know (32-bit, PAE) are counted, not judged.

(Linux arch/x86/kvm/mmu/mmutrace.h says what each event holds; Documentation/trace/ftrace.rst how a line is laid out.)
"""

from refmodel.oracle.kvmmmu.judging import judge_kernel_trace
from refmodel.oracle.kvmmmu.walks import ends

__all__ = ["ends", "judge_kernel_trace"]

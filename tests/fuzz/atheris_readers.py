"""The readers under Atheris, which looks for inputs that reach new code.

    python -m tests.fuzz.atheris_readers READER [libFuzzer's flags]

It ends with a crash if a reader raises anything but a clear error, or comes to what does not fit the bytes.
"""

import sys

import atheris

from refmodel.designs import SHIPPED
from refmodel.language import outline

READING = ["refmodel.oracle.trace", "refmodel.oracle.kvmmmu", "refmodel.oracle.vectors.files"]
for cls in SHIPPED.values():
    outline(cls)  # before anything is instrumented: a law whose code is not its text is refused
LAWS = ["refmodel.oracle.trace.observed"]
"""What states laws itself."""

with atheris.instrument_imports(include=READING, exclude=LAWS):
    from tests.fuzz.readers import READERS


def main() -> None:
    reader = READERS[sys.argv[1]]

    def reads(data: bytes) -> None:
        reader(data)  # and Atheris has no use for what it comes to

    atheris.Setup([sys.argv[0], *sys.argv[2:]], reads)
    atheris.Fuzz()


if __name__ == "__main__":
    main()

from hypothesis import settings
from hypothesis.database import DirectoryBasedExampleDatabase

# Where the variable CI is set, Hypothesis's own profile keeps no database.
settings.register_profile("few", max_examples=7, derandomize=False, database=DirectoryBasedExampleDatabase(".hypothesis/examples"))

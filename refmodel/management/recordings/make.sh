#!/bin/sh
# How the recordings that come along were made. Run it in an empty folder, with refmodel, numpy, sqlite3 and gcc at hand, and
# the sources of lz4 (pip download --no-binary :all: --no-deps lz4==4.4.4, unpacked as ./lz4).
# One secret key for all of them, so that contents can be compared; it was thrown away afterwards. (The idle desktop came later and
# has another key: its contents are compared with themselves alone.)
set -e
here=$(dirname "$(realpath "$0")")
key=${KEY:-$(head -c 24 /dev/urandom | base64)}
python=${PYTHON:-python3}
record() {
    name=$1
    shift
    $python -m refmodel.cli record memory --key "$key" -o "$name.memory.zst" "$@"
}

# A build, without optimization: a C extension of Python is compiled and packed.
export CFLAGS='-O0 -g0'
record build --interval 0.15 --seconds 60 -- sh -c 'cd lz4 && '"$python"' setup.py -q bdist_wheel'

# A database: tables are filled, indexed and queried; some rows often, some seldom.
cat > queries.sql <<'SQL'
pragma cache_size = -24000;
create table item(id integer primary key, kind integer, price integer, note text);
insert into item select value, value % 97, (value * 7919) % 10007, hex(randomblob(24)) from generate_series(1, 200000);
create index by_kind on item(kind);
create index by_price on item(price);
select kind, count(*), avg(price) from item group by kind;
create table sale as select value as id, 1 + (value * value * 31) % 200000 as item, value % 11 as day from generate_series(1, 300000);
select day, sum(price) from sale join item on item.id = sale.item group by day;
select count(*) from generate_series(1, 1000000) s join item on item.id = 1 + (s.value * 127) % 5000;
update item set price = price + 1 where id % 9 = 0;
select count(*) from generate_series(1, 1000000) s join item on item.id = 1 + (s.value * 127) % 5000;
select day, sum(price) from sale join item on item.id = sale.item group by day;
select note from item order by note limit 5;
SQL
for again in 1 2 3 4; do tail -n 5 queries.sql; done > more.sql
record database --interval 0.1 --seconds 60 -- sqlite3 run.db ".read queries.sql" ".read more.sql"

# A web server: bursts of requests for files, and listings of folders, with pauses.
cat > load.py <<'PY'
import time, urllib.request
time.sleep(2.5)
for burst in range(6):
    until = time.time() + 1.5
    number = 0
    while time.time() < until:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:8765/{'queries.sql' if number % 3 else ''}").read()
        except OSError:
            time.sleep(0.05)
        number += 1
    time.sleep(1 + burst % 3)
PY
$python load.py &
record web --interval 0.2 --seconds 25 -- "$python" -m http.server --bind 127.0.0.1 8765
wait

# A data job: arrays are made, sorted, multiplied, and reduced, one stage after the other.
cat > job.py <<'PY'
import numpy as np
draw = np.random.default_rng(1)
for stage in range(3):
    sold = draw.integers(0, 5000, 2_000_000, dtype=np.int32)
    worth = draw.random(2_000_000, dtype=np.float32)
    for _ in range(6):
        totals = np.bincount(sold, worth, 5000)
    order = np.argsort(worth)
    best = sold[order[-100000:]]
    del order
    matrix = draw.random((700, 700))
    for _ in range(12):
        matrix = matrix @ matrix.T
        matrix /= matrix.max()
    np.unique(best)
PY
record data --interval 0.1 --seconds 60 -- "$python" job.py

# An idle desktop, which nobody touches: an X server, a window manager, a panel with a clock, icons, a terminal and a file manager
# (Debian's xvfb, openbox, tint2, pcmanfm, lxterminal and dbus). All stand still while they are looked at, for almost two seconds.
# So in four minutes each runs for half a minute, and what goes by the clock comes some eight times as often as in life.
cat > desktop.sh <<'SH'
export HOME=$PWD/home XDG_RUNTIME_DIR=$PWD/home DISPLAY=:97 NO_AT_BRIDGE=1 GDK_GL=disable
mkdir -p home && chmod 700 home
Xvfb :97 -screen 0 1280x800x24 -nolisten tcp -extension GLX &
until [ -S /tmp/.X11-unix/X97 ]; do sleep 0.1; done
exec dbus-run-session -- sh -c 'openbox & sleep 1; pcmanfm --desktop & tint2 & lxterminal & sleep 1; pcmanfm . & sleep 900'
SH
record idle --interval 0.25 --seconds 240 -- sh desktop.sh

# Like programs side by side, for what they share: three web servers, two databases, and three Python programs that wake
# up now and then.
cat > waking.py <<'PY'
import json, time, email, logging
state = {str(number): list(range(20)) for number in range(3000)}
for beat in range(40):
    time.sleep(0.5)
    if beat % 8 == 0:
        json.dumps(state)
PY
cat > fleet.sh <<'SH'
PYTHON=$1
for port in 8771 8772 8773; do $PYTHON -m http.server --bind 127.0.0.1 $port & done
sqlite3 :memory: ".read small.sql" & sqlite3 :memory: ".read small.sql" &
for number in 1 2 3; do $PYTHON waking.py & done
wait
SH
sed 's/200000/60000/g; s/300000/60000/g; s/1000000/30000000/g' queries.sql > small.sql
record fleet --interval 0.5 --seconds 6 -- sh fleet.sh "$python"

# Address streams, by Valgrind: a small database, and a Python program that looks words up in a dictionary.
addresses() {
    name=$1
    shift
    $python -m refmodel.cli record addresses --most 500000 -o "$name.addresses.zst" "$@"
}
cat > small_queries.sql <<'SQL'
create table item(id integer primary key, kind integer, price integer, note text);
insert into item select value, value % 97, (value * 7919) % 10007, hex(randomblob(24)) from generate_series(1, 10000);
create index by_price on item(price);
select count(*) from generate_series(1, 10000) s join item on item.id = 1 + (s.value * 1277) % 10000;
select count(*) from generate_series(1, 10000) s join item on item.price = (s.value * 1277) % 10007;
SQL
addresses database -- sqlite3 :memory: ".read small_queries.sql"
cat > walk_dict.py <<'PY'
words = {f"w{(n * 7919) % 20011}": n for n in range(20000)}
found = 0
for n in range(20000):
    found += words[f"w{(n * 104729) % 20011}"] if f"w{(n * 104729) % 20011}" in words else 0
PY
addresses python -- "$python" walk_dict.py

mv ./*.memory.zst ./*.addresses.zst "$here/"

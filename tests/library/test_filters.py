"""Filters: what SQL says of every video, what is refused, and that they come before candidates are taken."""

from __future__ import annotations

import operator
import random
import re
import sqlite3
from contextlib import closing

import attrs
import numpy as np
import pytest

from hgrkit.errors import ConfigError, DamagedLibraryError
from hgrkit.library import Entry, Library, QueryEmbeddings, SearchSettings, VideoRecord, verify_library
from hgrkit.library import filters as filters_module
from hgrkit.library.arrays import ClipArrays, clip_type, frame_type
from hgrkit.library.filters import COLUMNS, FUNCTIONS, Filter, filtered_rows, table_of
from hgrkit.library.sqlite_store import SqliteStore
from hgrkit.library.store import StoredVideo
from hgrkit.library.tables import SealedTable
from hgrkit.testing.store_contract import StoreContract, random_clip

NS = 10**9
MARCH = 1_772_366_400 * NS
"""2026-03-01T12:00:00Z."""


@attrs.frozen
class Table:
    """Stands for a view of videos with a clip each."""

    connection: sqlite3.Connection
    arrays: ClipArrays = attrs.field(
        factory=lambda: ClipArrays(np.empty(0, clip_type(8)), np.empty(0, frame_type(8)))
    )

    @classmethod
    def of(cls, records):
        return cls(table_of(StoredVideo(row, row, record) for row, record in enumerate(records)))

    def table(self):
        return self.connection


def record(path: str, **values: object) -> VideoRecord:
    return VideoRecord(path=path, **{"content": "", "size": 1, "mtime_ns": MARCH, "clips": 1, **values})


def chosen(table: Table, text: str) -> list[int]:
    (rows,) = filtered_rows([table], Filter.read(text))
    return rows.tolist()


def question(seed: int = 0) -> QueryEmbeddings:
    rng = np.random.default_rng(seed)
    return QueryEmbeddings(
        event=rng.normal(size=8), action=rng.normal(size=(1, 8)), entity=rng.normal(size=(2, 8))
    )


def paths(library: Library, where: str | None, k: int = 1000, **asked) -> set[str]:
    return {match.video for match in library.search(question(), k, where=where, **asked)}


@pytest.fixture
def folder(tmp_path):
    """Forty videos with two clips each, half of them tagged, and one that failed."""
    with Library.create(tmp_path / "lib", StoreContract.manifest) as library:
        entries = [
            Entry(
                record(
                    f"/v/{number % 4}/{number:02}.mp4",
                    duration_s=float(number),
                    metadata={"camera": ("front", "back")[number // 2 % 2], "n": number} if number % 2 else {},
                ),
                [random_clip(2 * number), random_clip(2 * number + 1)],
            )
            for number in range(40)
        ]
        library.add_all([*entries, Entry(record("/v/bad.mp4", state="failed", reason="empty", clips=0))])
    return tmp_path / "lib"


# what an expression says ---------------------------------------------------------------------------------------


@attrs.frozen
class Expression:
    """SQL, and Python's own evaluation of it."""

    sql: str
    value: object


def ordered(value):
    """SQLite's order: numbers, then texts by their bytes."""
    return (1, value.encode()) if isinstance(value, str) else (0, value)


def known(function):
    """NULL where an operand is NULL."""
    return lambda *values: None if None in values else function(*values)


def number(value: bool | None) -> int | None:
    return None if value is None else int(value)


def divided(left, right):
    if right == 0:
        return None
    if isinstance(left, int) and isinstance(right, int):
        quotient = abs(left) // abs(right)
        return quotient if (left < 0) == (right < 0) else -quotient
    return left / right


def like(text, pattern):
    ascii_lower = "".join(chr(ord(c) + 32 * ("A" <= c <= "Z")) for c in pattern)
    wanted = "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in ascii_lower)
    return re.fullmatch(wanted, "".join(chr(ord(c) + 32 * ("A" <= c <= "Z")) for c in text), re.DOTALL) is not None


def both(left, right):
    if 0 in (number(left), number(right)):
        return False
    return None if None in (left, right) else True


def negated(value):
    return None if value is None else not value


def among(value, values):
    if value is None:
        return None if values else False
    if any(one is not None and ordered(one) == ordered(value) for one in values):
        return True
    return None if None in values else False


COMPARISONS = {
    name: known(lambda left, right, compare=compare: compare(ordered(left), ordered(right)))
    for name, compare in {
        "=": operator.eq, "==": operator.eq, "<>": operator.ne, "!=": operator.ne,
        "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    }.items()
}  # fmt: skip
ARITHMETIC = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": divided}
LITERALS = ("front", "back", "it's", "", "Ä%", "50", "b_ck", "%a%", "FR%", "/v/%", "%.mp4", "2026-03")
UPPER, LOWER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"


class Generator:
    """Random expressions of the columns of one video after the other."""

    def __init__(self, seed: int, row: dict[str, object]) -> None:
        self.random, self.row = random.Random(seed), row

    def one_of(self, *makers, depth):
        return self.random.choice(makers)(depth - 1)

    def number(self, depth: int) -> Expression:
        if depth <= 0:
            return self.one_of(self._number_literal, self._number_column, depth=depth)
        return self.one_of(
            self._number_literal, self._number_column, self._arithmetic, self._number_function, depth=depth
        )

    def _number_literal(self, depth):
        value = self.random.choice([0, 1, 7, 50, 2026, 0.5, 12.25, 1e3])
        return (
            Expression(repr(value), value) if self.random.random() < 0.9 else Expression(f"(-{value!r})", -value)
        )

    def _number_column(self, depth):
        return self._column("duration_s", "n", "score", "indoor")

    def _column(self, *names):
        name = self.random.choice(names)
        spelling = self.random.choice([name, name.upper(), f'"{name}"', f" {name}\n"])
        return Expression(spelling, self.row[name])

    def _arithmetic(self, depth):
        left, right = self.number(depth), self.number(depth)
        sign = self.random.choice(list(ARITHMETIC))
        return Expression(f"({left.sql} {sign} {right.sql})", known(ARITHMETIC[sign])(left.value, right.value))

    def _number_function(self, depth):
        kind = self.random.choice(["length", "abs", "coalesce", "max", "iif", "case"])
        one, other = self.number(depth), self.number(depth)
        if kind == "length":
            text = self.text(depth)
            return Expression(f"length({text.sql})", known(len)(text.value))
        if kind == "abs":
            return Expression(f"ABS({one.sql})", known(abs)(one.value))
        if kind == "coalesce":
            return Expression(
                f"coalesce({one.sql}, {other.sql})", one.value if one.value is not None else other.value
            )
        if kind == "max":
            return Expression(f"max({one.sql},{other.sql})", known(max)(one.value, other.value))
        test = self.truth(depth)
        sql = f"iif({test.sql}, {one.sql}, {other.sql})"
        if kind == "case":
            sql = f"case when {test.sql} then {one.sql} else {other.sql} end"
        return Expression(f"({sql})", one.value if test.value else other.value)

    def text(self, depth: int) -> Expression:
        if depth <= 0:
            return self.one_of(self._text_literal, self._text_column, depth=depth)
        return self.one_of(self._text_literal, self._text_column, self._text_function, depth=depth)

    def _text_literal(self, depth):
        value = self.random.choice(LITERALS)
        return Expression("'" + value.replace("'", "''") + "'", value)

    def _text_column(self, depth):
        return self._column("path", "name", "folder", "modified", "indexed", "camera")

    def _text_function(self, depth):
        one, other = self.text(depth), self.text(depth)
        return self.random.choice([
            Expression(f"lower({one.sql})", known(str.translate)(one.value, str.maketrans(UPPER, LOWER))),
            Expression(f"Upper({one.sql})", known(str.translate)(one.value, str.maketrans(LOWER, UPPER))),
            Expression(f"({one.sql} || {other.sql})", known(operator.add)(one.value, other.value)),
            Expression(f"substr({one.sql}, 2, 5)", known(lambda text: text[1:6])(one.value)),
            Expression(f"coalesce({one.sql}, {other.sql})", one.value if one.value is not None else other.value),
        ])  # fmt: skip

    def any(self, depth: int) -> Expression:
        """A value of either kind; columns and literals only, which have no affinity."""
        literal = self.random.choice([self._text_literal, self._number_literal])(0)
        return self.random.choice([literal, self._column("camera", "n", "mixed", "score")])

    def truth(self, depth: int) -> Expression:
        if depth <= 0:
            return self._comparison(0)
        return self.one_of(
            self._comparison, self._comparison, self._connected, self._connected, self._not, self._like,
            self._in, self._between, self._null, self._is, depth=depth,
        )  # fmt: skip

    def _pair(self, depth):
        make = self.random.choice([self.number, self.text, self.any])
        return make(depth), make(depth)

    def _comparison(self, depth):
        left, right = self._pair(depth)
        sign = self.random.choice(list(COMPARISONS))
        return Expression(f"({left.sql} {sign} {right.sql})", COMPARISONS[sign](left.value, right.value))

    def _connected(self, depth):
        left, right = self.truth(depth), self.truth(depth)
        if self.random.random() < 0.5:
            return Expression(f"({left.sql} AND {right.sql})", both(left.value, right.value))
        either = negated(both(negated(left.value), negated(right.value)))
        return Expression(f"({left.sql} or {right.sql})", either)

    def _not(self, depth):
        one = self.truth(depth)
        return Expression(f"(not {one.sql})", negated(one.value))

    def _maybe_not(self, value):
        return ("NOT ", negated(value)) if self.random.random() < 0.4 else ("", value)

    def _like(self, depth):
        text, pattern = self.text(depth), self._text_literal(0)
        word, value = self._maybe_not(known(like)(text.value, pattern.value))
        return Expression(f"({text.sql} {word}LIKE {pattern.sql})", value)

    def _in(self, depth):
        one = self.any(depth)
        listed = [self.any(0) for _ in range(self.random.randrange(4))]
        listed += [Expression("NULL", None)] if self.random.random() < 0.2 else []
        word, value = self._maybe_not(among(one.value, [other.value for other in listed]))
        return Expression(f"({one.sql} {word}in ({', '.join(other.sql for other in listed)}))", value)

    def _between(self, depth):
        make = self.random.choice([self.number, self.text])
        one, low, high = make(depth), make(0), make(0)
        inside = both(COMPARISONS[">="](one.value, low.value), COMPARISONS["<="](one.value, high.value))
        word, value = self._maybe_not(inside)
        return Expression(f"({one.sql} {word}between {low.sql} and {high.sql})", value)

    def _null(self, depth):
        one = self.random.choice([self.number, self.text])(depth)
        spelling, expected = self.random.choice([("IS NULL", True), ("isnull", True), ("is not null", False)])
        return Expression(f"({one.sql} {spelling})", (one.value is None) == expected)

    def _is(self, depth):
        left, right = self.any(depth), self.any(depth)
        same = None if None in (left.value, right.value) else ordered(left.value) == ordered(right.value)
        value = (left.value is None and right.value is None) if same is None else same
        word, value = ("is not", not value) if self.random.random() < 0.5 else ("is", value)
        return Expression(f"({left.sql} {word} {right.sql})", value)


def random_records(count: int) -> list[VideoRecord]:
    rng = random.Random(0)
    records = []
    for row in range(count):
        tags = {
            "camera": rng.choice(["front", "back", "it's", "Äb", "FRONT", ""]),
            "n": rng.choice([0, 1, 7, 50, -3, 2026]),
            "score": rng.choice([0.5, 12.25, -1.5, 1e3]),
            "indoor": rng.choice([True, False]),
            "mixed": rng.choice([7, "7", 0.5, "front", True]),
        }
        records.append(
            record(
                rng.choice(["/v/", "/V/ä/", "/", "/v/50/"]) + rng.choice(["a", "B", "ü"]) + f"{row}.mp4",
                mtime_ns=MARCH + rng.randrange(-400, 400) * 86_400 * NS,
                duration_s=rng.choice([None, 0.0, 12.25, 50.0, 61.5]),
                indexed_ns=rng.choice([None, MARCH, MARCH + 86_400 * NS]),
                metadata={name: value for name, value in tags.items() if rng.random() < 0.7},
            )
        )
    return records


def columns_of(video: VideoRecord) -> dict[str, object]:
    from datetime import UTC, datetime

    def time(nanoseconds):
        return None if nanoseconds is None else datetime.fromtimestamp(nanoseconds / NS, UTC).strftime("%FT%TZ")

    folder, _, name = video.path.rpartition("/")
    tags = {name: video.metadata.get(name) for name in ("camera", "n", "score", "indoor", "mixed")}
    return {
        "path": video.path,
        "name": name,
        "folder": folder or "/",
        "duration_s": video.duration_s,
        "modified": time(video.mtime_ns),
        "indexed": time(video.indexed_ns),
        **{name: int(value) if isinstance(value, bool) else value for name, value in tags.items()},
    }


@pytest.mark.parametrize("block", range(10))
def test_a_random_expression_is_true_of_what_python_says(block):
    records = random_records(60)
    table, rows = Table.of(records), [columns_of(video) for video in records]
    counts = []
    for seed in range(100 * block, 100 * block + 100):
        expressions = [Generator(seed, row).truth(4) for row in rows]
        (sql,) = {expression.sql for expression in expressions}
        expected = [row for row, expression in enumerate(expressions) if expression.value]
        assert chosen(table, sql) == expected, (seed, sql)
        counts.append(len(expected))
    assert sum(0 < count < 60 for count in counts) > 20, "too few expressions tell videos apart"


def test_the_columns_are_what_is_known_of_a_video():
    table = Table.of([
        record("/a/b/dog.mp4", duration_s=3.5, indexed_ns=MARCH + NS),
        record("/dog.mp4", mtime_ns=-1),
        record("dog\udcff.mp4", metadata={"Camera": "front", "list": [1], "no name": 1, "path": "mine"}),
    ])  # fmt: skip
    for text, expected in {
        "name = 'dog.mp4'": [0, 1],
        "folder = '/a/b'": [0],
        "folder = '/'": [1],
        "folder = ''": [2],
        "path = '/a/b/dog.mp4' and duration_s = 3.5": [0],
        "modified = '2026-03-01T12:00:00Z'": [0, 2],
        "modified >= '2026-03' and modified < '2026-03-02'": [0, 2],
        "date(modified) = '2026-03-01'": [0, 2],
        "indexed = '2026-03-01T12:00:01Z'": [0],
        "indexed is null": [1, 2],
        "cAmErA = 'front'": [2],
        "list = '[1]'": [2],
        "duration_s > 1 or not duration_s > 1": [0],
    }.items():
        assert chosen(table, text) == expected, text


def test_columns_that_are_called_as_sql_or_the_tables_own_are_the_tags():
    tags = {"order": 1, "clips": 2, "first_clip": 3, "id": 4, "select": 5, "state": 6, "metadata": 7, "videos": 8}
    table = Table.of([record("a", metadata=tags), record("b")])
    for name, value in tags.items():
        assert chosen(table, f"{name} = {value}") == [0]
        assert chosen(table, f'"{name}" is null') == [1]


def test_a_tag_in_capitals_of_one_video_and_small_letters_of_another_is_one_column():
    table = Table.of([record("a", metadata={"Camera": 1}), record("b", metadata={"camera": 2}), record("c")])
    assert chosen(table, "camera is not null") == [0, 1]
    assert chosen(table, "CAMERA = 2") == [1]


def test_an_unknown_column_is_named_with_those_that_there_are():
    table = Table.of([record("a", metadata={"camera": 1, "year": 2, "no name": 3})])
    for text in ("camra = 1", '"camra" = 1', "year = 2 and camra = 1"):
        with pytest.raises(ConfigError) as error:
            chosen(table, text)
        known = "path, name, folder, duration_s, modified, indexed, camera, year"
        assert str(error.value) == f"unknown column 'camra'; columns: {known}. Did you mean 'camera'?"
    assert str(error.value).count(", ") == len(COLUMNS) + 1


# what is refused -----------------------------------------------------------------------------------------------

HOSTILE = [
    *"""\
attach database 'evil' as evil
1; attach 'x' as y
pragma writable_schema = 1
pragma_table_info('videos')
1 in pragma_table_info
(select 1)
exists (select * from sqlite_master)
n in (select id from videos)
n in videos
n in (videos)
videos.path = 1
main.videos
rowid = 1
_rowid_
oid
content = ''
1; drop table videos
1); drop table videos --
1) or (1
) or (
1) union select 1, 1 --
1 limit 1
1 group by 1
1 order by 1
1 union select 1, 2
1 --
1 /* x */
1 */
load_extension('evil.so')
readfile('/etc/passwd')
writefile('evil', 'x')
edit('x')
fts3_tokenizer('simple')
zeroblob(1e9)
length(zeroblob(1000000000)) > 1
randomblob(1e9)
random()
printf('%.*c', 1000000000, 'x')
format('%.*c', 1000000000, 'x')
replace(path, 'a', 'aaaaaaaaaa')
hex(hex(path))
quote(path)
char(1)
group_concat(path)
count(*)
sum(n)
min(path)
row_number() over ()
last_insert_rowid()
changes()
sqlite_version()
json_extract(path, '$')
json_each(path)
raise(abort, 'x')
x'00'
?
?1
:a
@a
$a
with recursive c(x) as (select 1 union all select x + 1 from c) select x from c
{n}
[n] = 1
`n` = 1
n -> 'a'
n ->> 'a'
n & 1
~n
n << 99
n match 'a'
n regexp 'a'
#
0x10
1_000
12abc
1.2.3
'open
"open
"front" = n
n = "front"
n =
= 1
and
n n
()
(
)
n collate evil
cast(n as blob)
cast(n as evil)
path like 'a' escape 'bb'
abs(-9223372036854775807 - 1)
coalesce(n)
substr()
""".splitlines(),
    "\\",
    "n = \u2018front\u2019",
    "n\u00a0= 1",
    "",
    " \n",
    "n = 'a\0b'",
    "n = '\udcff'",
    "(" * 3000 + "1" + ")" * 3000,
    "(" * 999 + "1" + ")" * 999,
    "not " * 2400 + "1",
    "- " * 4000 + "1",
    "1 or " * 1900 + "1",
    "1" + " + 1" * 2400,
    "case when 1 then " * 500 + "1" + " end" * 500,
    "abs(" * 1500 + "1" + ")" * 1500,
    "path like '" + "%a" * 600 + "'",
    "path glob '" + "*" * 1200 + "'",
    "n = '" + "x" * 10_000_000 + "'",
    "(" + "||".join(["big"] * 150) + ") = 1",
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_plain_expression_is_refused_in_one_line_and_does_nothing(text):
    table = Table.of([record("/v/a.mp4", metadata={"n": 1, "big": "x" * 9000})] * 1)
    before = "\n".join(table.connection.iterdump())
    with pytest.raises(ConfigError) as error:
        chosen(table, text)
    message = str(error.value)
    assert "\n" not in message
    assert 10 < len(message) < 300
    assert "\n".join(table.connection.iterdump()) == before
    assert chosen(table, "n = 1") == [0], "the next filter must be as free as the first"


def test_no_expression_reaches_past_the_authorizer_either():
    """What is written anew is refused by SQLite itself, if ever the reading of words lets something through."""
    connection = Table.of([record("a", metadata={"n": 1})]).table()
    connection.execute("CREATE TABLE secret (x)")
    for words in (
        "(SELECT 1 FROM sqlite_master)", "(SELECT x FROM secret)", "1 IN secret", "load_extension('x')",
        "random()", "zeroblob(9)", "printf('x')", "1 IN (SELECT * FROM pragma_page_count)", "hex(1)", "json('1')",
        "(WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) SELECT x FROM c)",
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=r"cannot be evaluated: not authorized|prohibited|no such"):
            filters_module._run(connection, Filter((words,), ()).statement({}))


def test_a_filter_may_be_nested_and_not_endlessly():
    table = Table.of([record("/v/a")])
    assert chosen(table, "(" * 50 + "1" + ")" * 50) == [0]
    for text in ("(" * 51 + "1" + ")" * 51, "case when 1 then " * 51 + "1" + " end" * 51):
        with pytest.raises(ConfigError, match="at most 50 deep"):
            chosen(table, text)


def test_patterns_that_backtrack_end_soon():
    table = Table.of([record("/v/a", metadata={"text": "a" * 9000})])
    for text in (
        "text like '" + "%a" * 490 + "b'",
        "text glob '" + "*?" * 490 + "b'",
        "text like '" + "%_a" * 330 + "b'",
    ):
        assert chosen(table, text) == []


def test_a_filter_that_takes_too_many_steps_or_too_long_is_stopped(monkeypatch):
    table = Table.of([record(str(row), metadata={"n": row}) for row in range(500)])
    text = " or ".join(f"n = {row}" for row in range(400, 450))
    assert len(chosen(table, text)) == 50
    for name, value in (("_MOST_STEPS", 10_000), ("_MOST_SECONDS", 0.0)):
        with monkeypatch.context() as patched:
            patched.setattr(filters_module, name, value)
            with pytest.raises(ConfigError, match="it takes too long"):
                chosen(table, text)
    assert len(chosen(table, text)) == 50


def test_texts_that_grow_too_long_are_stopped():
    table = Table.of([record("/v/a", metadata={"text": "a" * 9000})])
    assert chosen(table, "length(text || text || text) = 27000") == [0]
    with pytest.raises(ConfigError, match="string or blob too big"):
        chosen(table, f"length({' || '.join(['text'] * 120)}) > 1")


def test_no_function_that_is_allowed_makes_a_text_much_longer():
    """Each may stand around itself as often as a filter is long; what doubles would fill the memory."""
    connection = sqlite3.connect(":memory:")
    known_functions = {name for (name,) in connection.execute("SELECT DISTINCT name FROM pragma_function_list")}
    assert known_functions >= FUNCTIONS
    for name in FUNCTIONS:
        for count in range(4):
            try:
                ((length,),) = connection.execute(
                    f"SELECT length({name}({', '.join(['?'] * count)}))", ["x" * 1000] * count
                )
            except sqlite3.Error:
                continue
            assert (length or 0) <= 1000, name


# searching -----------------------------------------------------------------------------------------------------


def test_a_search_looks_at_the_chosen_videos_only_and_finds_as_many_as_there_are(folder):
    with Library.open(folder) as library:
        every = dict(zip(library.indexed_paths(), library.scores([question()])[:, 0].tolist(), strict=True))
        found = library.search(question(), 5, where="camera = 'front' AND duration_s > 20")
        right = [path for path in every if (number := int(path[-6:-4])) > 20 and number % 4 == 1]
        assert [match.video for match in found] == sorted(right, key=every.get, reverse=True)[:5]
        assert found.exact
        assert paths(library, "path like '/v/3/%'") == {path for path in every if path.startswith("/v/3/")}
        assert paths(library, "1") == set(every) == paths(library, None)


def test_a_filter_that_is_true_of_nothing_finds_nothing(folder):
    with Library.open(folder) as library:
        found = library.search(question(), where="duration_s > 1000")
    assert (list(found), found.exact) == ([], True)


def test_a_failed_video_is_never_found(folder):
    with Library.open(folder) as library:
        assert paths(library, "name = 'bad.mp4'") == set()


def test_videos_and_where_hold_both(folder):
    with Library.open(folder) as library:
        asked = ["/v/1/01.mp4", "/v/3/03.mp4", "/v/2/02.mp4"]
        assert paths(library, "camera = 'back'", videos=asked) == {"/v/3/03.mp4"}
        assert library.search(question(), where="n", videos=asked).exact


@pytest.mark.parametrize("candidates", ["flat", "hnsw"])
@pytest.mark.parametrize("where", ["n % 10 = 3", "n < 500", "n > 4"])
def test_candidates_are_taken_of_the_chosen_clips_and_are_the_nearest_of_them(tmp_path, candidates, where):
    """As many as in a library of the chosen videos alone, and the same; hits as many as are asked for."""
    entries = [Entry(record(f"{n:04}", metadata={"n": n}), [random_clip(n)]) for n in range(1000)]
    settings = SearchSettings(exhaustive=False, candidates=12)
    with Library.create(tmp_path / "all", StoreContract.manifest, candidates=candidates) as library:
        library.add_all(entries)
        library.update(remove=["0013", "0005"])
        library.refresh_ann_index()
        found = library.search(question(), 10, settings=settings, where=where)
        rows = {int(path) for path in paths(library, where)}
    with Library.create(tmp_path / "some", StoreContract.manifest, candidates="flat") as library:
        library.add_all([entries[row] for row in sorted(rows)])
        alone = library.search(question(), 10, settings=settings)
    assert len(found) == 10
    assert {int(match.video) for match in found} <= rows
    assert [(match.video, match.score) for match in found] == [(match.video, match.score) for match in alone]
    assert not found.exact


def test_a_search_among_few_chosen_clips_is_exact_and_among_many_it_is_not(tmp_path):
    entries = [Entry(record(f"{n:04}", metadata={"n": n}), [random_clip(n)]) for n in range(2600)]
    with Library.create(tmp_path / "lib", StoreContract.manifest) as library:
        library.add_all(entries)
        few, many = (library.search(question(), 10, where=where) for where in ("n >= 700", "n >= 100"))
        exact = library.search(question(), 10, where="n >= 100", settings=SearchSettings(exhaustive=True))
    assert (few.exact, many.exact, exact.exact) == (True, False, True)


def test_several_libraries_have_the_columns_of_all_and_null_where_one_has_none(folder, tmp_path):
    with Library.create(tmp_path / "other", StoreContract.manifest) as other:
        other.add(record("/w/a.mp4", metadata={"site": "north", "CAMERA": "front"}), [random_clip(100)])
        other.add(record("/w/b.mp4"), [random_clip(101)])
    with Library.open([folder, tmp_path / "other"]) as both_:
        assert paths(both_, "site = 'north'") == {"/w/a.mp4"}
        assert "/w/a.mp4" in paths(both_, "camera = 'front'")
        assert len(paths(both_, "site is null")) == 41
        with pytest.raises(ConfigError, match=r"unknown column 'sight'; columns: .*indexed, camera, n, site"):
            paths(both_, "sight = 1")


def test_a_library_without_tags_has_the_columns_of_every_library(tmp_path):
    with Library.create(tmp_path / "lib", StoreContract.manifest) as library:
        library.add(record("a.mp4"), [random_clip(1)])
        assert paths(library, "name = 'a.mp4'") == {"a.mp4"}
        with pytest.raises(ConfigError, match=r"columns: path, name, folder, duration_s, modified, indexed$"):
            paths(library, "camera = 1")


def test_a_filter_sees_what_was_committed_last(folder):
    with Library.open(folder, "w") as library, Library.open(folder) as reader:
        assert paths(reader, "n = 1") == {"/v/1/01.mp4"}
        video = library.video("/v/1/01.mp4")
        with pytest.raises(ConfigError, match="unknown column 'later'"):
            paths(reader, "later = 1")
        library.rename(video.path, attrs.evolve(video, metadata={"n": 100, "later": 1}))
        assert paths(reader, "later = 1") == {"/v/1/01.mp4"}
        assert (paths(reader, "n = 1"), paths(reader, "n = 100")) == (set(), {"/v/1/01.mp4"})


# damage --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        """metadata = '{"camera": "back", "n": 1}' WHERE id = 2""",
        "duration_s = 0 WHERE id = 2",
        "state = 'failed' WHERE id = 2",
    ],
)
def test_a_row_that_was_changed_leaves_no_video_out_in_silence(folder, change):
    where = "camera = 'front' and duration_s = 1"
    with Library.open(folder) as library:
        assert paths(library, where) == {"/v/1/01.mp4"}
    with closing(sqlite3.connect(folder / "library.sqlite")) as connection, connection:
        connection.execute(f"UPDATE videos SET {change}")
    with Library.open(folder) as library, pytest.raises(DamagedLibraryError):
        paths(library, where)
    assert not verify_library(folder).whole


def test_rows_are_checked_once_and_after_a_commit_only_those_under_its_sums(tmp_path, monkeypatch):
    with Library.create(tmp_path / "lib", StoreContract.manifest) as library:
        library.add_all([Entry(record(f"{n:03}"), [random_clip(n)]) for n in range(200)])
    checked = []
    digest = SealedTable._digest
    monkeypatch.setattr(
        SealedTable, "_digest", lambda table, row: checked.append(table.name) or digest(table, row)
    )

    def rows_checked(store):
        checked.clear()
        store.read(lambda view: filtered_rows([view], Filter.read("path > '1'")))
        return checked.count("videos")

    store = SqliteStore(tmp_path / "lib", mode="r")
    assert (rows_checked(store), rows_checked(store)) == (200, 0)
    with Library.open(tmp_path / "lib", "w") as library:
        library.remove("100")
    assert 0 < rows_checked(store) <= 64
    store.close()


def test_every_error_is_of_hgrkit_and_of_one_line_whatever_is_typed():
    """Mangled expressions: a random piece is cut out, doubled or replaced."""
    table = Table.of([record("/v/a", metadata=dict.fromkeys(("n", "score", "indoor", "camera", "mixed"), 1))])
    rng = random.Random(0)
    pieces = [
        *"()'\"%;-/*,.=<>|\0 ",
        "and",
        "select",
        "in",
        "null",
        "1e9",
        "''",
        "path",
        "end",
        "case",
        "as",
        "\n",
    ]
    refused = answered = 0
    for seed in range(2000):
        text = list(Generator(seed, columns_of(record("/v/a"))).truth(3).sql)
        text[rng.randrange(len(text)) : rng.randrange(len(text))] = rng.choices(pieces, k=rng.randrange(1, 4))
        try:
            rows = chosen(table, "".join(text))
        except ConfigError as error:
            refused += "\n" not in str(error)
        else:
            answered += rows in ([], [0])
    assert refused + answered == 2000
    assert min(refused, answered) > 200

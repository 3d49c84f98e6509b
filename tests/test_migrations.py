"""The revisions make exactly the tables of the models, and touch nothing else."""

import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from fab_minicode import migrations
from fab_minicode.models import Base
from tests import databases

# What the database itself says of tables, columns, constraints and indexes: partial indexes and WITHOUT ROWID included.
CATALOGUE = {
    "sqlite": ("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name <> 'minicode_alembic_version'",),
    "postgresql": (
        "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default"
        " FROM information_schema.columns WHERE table_schema = 'public'",
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace",
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
        "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
    ),
}


@pytest.fixture
def empty(database_url):
    """An engine on a database without any table."""
    engine = databases.engine_for(database_url)
    yield engine
    engine.dispose()


def catalogue(engine):
    with engine.connect() as connection:
        found = [row for query in CATALOGUE[engine.dialect.name] for row in connection.execute(text(query))]
    # SQLite keeps the text of a statement: the order of a table's parts and white space mean nothing here.
    plain = (tuple(part(value) if isinstance(value, str) else str(value) for value in row) for row in found)
    return sorted(row for row in plain if "minicode_alembic_version" not in str(row))


def part(value):
    head, _, rest = value.partition("(")
    parts, _, tail = rest.rpartition(")")
    return " ".join(head.split()), *sorted(" ".join(one.split()) for one in parts.split(",")), " ".join(tail.split())


def test_the_revisions_make_what_the_models_say(empty, tmp_path):
    migrations.upgrade(empty)
    with empty.connect() as connection:
        options = {"version_table": migrations.VERSION_TABLE, "compare_type": True}
        difference = compare_metadata(MigrationContext.configure(connection, opts=options), Base.metadata)
    created = databases.engine_for(databases.fresh(empty.dialect.name, tmp_path))
    Base.metadata.create_all(created)
    expected = catalogue(created)
    created.dispose()

    assert [] == difference
    assert expected == catalogue(empty)


def test_other_tables_are_not_touched(empty):
    with empty.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('host')"))
        connection.execute(text("CREATE TABLE ab_user (id INTEGER)"))
    migrations.upgrade(empty)
    migrations.downgrade(empty, "base")

    assert {"alembic_version", "ab_user", migrations.VERSION_TABLE} == set(inspect(empty).get_table_names())
    with empty.connect() as connection:
        assert "host" == connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()


def test_upgrading_twice_is_upgrading_once(empty):
    assert migrations.current(empty) is None

    migrations.upgrade(empty)
    once = catalogue(empty)
    migrations.upgrade(empty)

    assert migrations.head() == migrations.current(empty)
    assert once == catalogue(empty)


def test_up_and_down_and_up_again_is_up(empty):
    migrations.upgrade(empty)
    once = catalogue(empty)
    migrations.downgrade(empty, "base")

    assert migrations.current(empty) is None

    migrations.upgrade(empty)

    assert once == catalogue(empty)


def test_two_upgrades_at_once_do_not_meet(empty, database_url):
    errors = []
    # SQLite's file gets its write-ahead log once, and for a moment nobody else may come then.
    empty.connect().close()

    def run():
        engine = databases.engine_for(database_url)
        try:
            migrations.upgrade(engine)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            errors.append(error)
        engine.dispose()

    threads = [threading.Thread(target=run, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == errors
    assert migrations.head() == migrations.current(empty)


def test_an_upgrade_that_breaks_leaves_nothing_half_done(empty):
    with empty.begin() as connection:
        # In the way of the last table of the first revision.
        connection.execute(text("CREATE TABLE minicode_code_history (id INTEGER)"))
    with pytest.raises(Exception, match="minicode_code_history"):
        migrations.upgrade(empty)

    assert ["minicode_code_history"] == inspect(empty).get_table_names()


def test_an_address_will_do_for_an_engine(database_url):
    migrations.upgrade(database_url)

    assert migrations.head() == migrations.current(database_url)


def test_revisions_stand_in_one_line():
    assert 1 == len(ScriptDirectory.from_config(migrations.config()).get_heads())


def test_events_that_waited_before_the_queue_was_made_wait_in_it(empty):
    columns = "key, authorizer_id, time_ms, received_ms, visitor, state"
    put = text(f"INSERT INTO minicode_events ({columns}) VALUES (:key, :owner, 1, 1, :visitor, :state)")

    def states():
        with empty.connect() as connection:
            found = connection.execute(text("SELECT state FROM minicode_events ORDER BY key")).scalars()
            return list(found)

    migrations.upgrade(empty, "0003")
    with empty.begin() as connection:
        for number, state in enumerate((0, 1, 2, 0)):
            row = {"key": bytes([number]) * 16, "owner": number, "visitor": b"v" * 16, "state": state}
            connection.execute(put, row)
    migrations.upgrade(empty)
    with empty.connect() as connection:
        waiting = connection.execute(text("SELECT key, authorizer_id FROM minicode_pending ORDER BY key")).all()

    assert [(b"\0" * 16, 0), (b"\3" * 16, 3)] == [(bytes(key), owner) for key, owner in waiting]
    assert [1, 1, 2, 1] == states()
    migrations.downgrade(empty, "0003")
    assert [0, 1, 2, 0] == states()


@pytest.mark.parametrize("way", ["up", "down"])
def test_a_process_at_work_is_waited_for(empty, way):
    """What an older roll-up counts, or a collector stores, while the queue is made is neither doubled nor lost."""
    if empty.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    start, end = ("0003", "head") if way == "up" else ("head", "0003")
    row = f"(:key, 1, 1, 1, :visitor, {0 if way == 'up' else 1})"
    put = text(f"INSERT INTO minicode_events (key, authorizer_id, time_ms, received_ms, visitor, state) VALUES {row}")
    migrations.upgrade(empty, start)
    with empty.begin() as connection:
        connection.execute(put, {"key": b"a" * 16, "visitor": b"v" * 16})
    migrate = migrations.upgrade if way == "up" else migrations.downgrade
    with empty.begin() as connection:
        connection.execute(put, {"key": b"b" * 16, "visitor": b"v" * 16})
        if way == "up":
            connection.execute(text("UPDATE minicode_events SET state = 1 WHERE key = :key"), {"key": b"a" * 16})
        else:
            connection.execute(text("INSERT INTO minicode_pending VALUES (:key, 1)"), {"key": b"b" * 16})
        thread = threading.Thread(target=migrate, args=(empty, end), daemon=True)
        thread.start()
        thread.join(1)
        assert thread.is_alive()
    thread.join()
    with empty.connect() as connection:
        if way == "up":
            waiting = connection.execute(text("SELECT key FROM minicode_pending")).scalars()
        else:
            waiting = connection.execute(text("SELECT key FROM minicode_events WHERE state = 0")).scalars()
        assert [b"b" * 16] == [bytes(key) for key in waiting]


def test_the_days_that_have_facts_get_versions_that_differ(empty):
    migrations.upgrade(empty, "0003")
    with empty.begin() as connection:
        series = "INSERT INTO minicode_series (id, authorizer_id, event, route, dimension) VALUES"
        connection.execute(text(f"{series} (1, 1, 'visit', 'own', 'touch'), (2, 2, 'visit', 'own', 'touch')"))
        facts = "INSERT INTO minicode_facts (series_id, day, value_id, tally, again)"
        facts += " VALUES (:series, :day, 1, :none, :none)"
        pages = "INSERT INTO minicode_fact_pages (series_id, day, page, tallies) VALUES (:series, :day, 0, :none)"
        for statement, places in ((facts, ((1, 5), (1, 6), (2, 5))), (pages, ((1, 6), (1, 7)))):
            for one, day in places:
                connection.execute(text(statement), {"series": one, "day": day, "none": b""})
    migrations.upgrade(empty)
    with empty.connect() as connection:
        days = connection.execute(
            text("SELECT authorizer_id, day, version FROM minicode_fact_days ORDER BY 1, 2")
        ).all()

    assert [(1, 5), (1, 6), (1, 7), (2, 5)] == [(owner, day) for owner, day, _version in days]
    assert 4 == len({version for *_, version in days})
    assert all(version > 2**20 for *_, version in days)


def test_visitors_keep_their_numbers_whatever_order_they_stand_in(empty):
    columns = "authorizer_id, head, tail, id, first_ms, first_context_id"
    put = text(f"INSERT INTO minicode_visitors ({columns}) VALUES (:a, :b, :c, :d, :e, :f)")
    every = text(f"SELECT {columns} FROM minicode_visitors ORDER BY 1, 2")
    rows = [(1, -5, 2**62, 2, 17, 3), (1, 7, -1, 1, None, None), (2, 7, -1, 3, 2**41, 9)]

    def stored():
        with empty.connect() as connection:
            return [tuple(row) for row in connection.execute(every)]

    migrations.upgrade(empty, "0003")
    with empty.begin() as connection:
        for row in rows:
            connection.execute(put, dict(zip("abcdef", row, strict=True)))
    migrations.upgrade(empty)

    assert rows == stored()
    migrations.downgrade(empty, "0003")
    assert rows == stored()

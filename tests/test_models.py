"""The tables themselves."""

from sqlalchemy import inspect

from fab_minicode.models import Base


def test_every_table_is_named_minicode_and_has_no_foreign_key_to_the_host(engine):
    names = inspect(engine).get_table_names()

    assert names
    assert all(name.startswith("minicode_") for name in names)
    assert {fk["referred_table"] for name in names for fk in inspect(engine).get_foreign_keys(name)} <= set(names)


def test_every_constraint_and_index_is_named():
    for table in Base.metadata.tables.values():
        assert all(constraint.name for constraint in table.constraints), table
        assert all(index.name for index in table.indexes), table

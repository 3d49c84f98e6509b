"""Commands on a host whose tables are not there yet: one line that says what to do, and the roles all the same."""

import pytest
from sqlalchemy.exc import ProgrammingError

from fab_minicode.cli import minicode, names_a_missing_table
from fab_minicode.permissions import ROLES
from tests import databases, hosts


@pytest.fixture(params=databases.KINDS)
def bare(request, tmp_path, sandbox):
    """A host with its own tables and none of ours."""
    url = databases.fresh(request.param, tmp_path)
    app = hosts.make_host(url, FAB_MINICODE_WECHAT_API_URL=sandbox.url, FAB_UPDATE_PERMS=True)
    yield app
    hosts.close(app)


@pytest.mark.parametrize("command", ["rollup", "rollup --all", "purge", "rotate-keys", "verify"])
def test_a_command_without_tables_says_what_to_run(bare, command):
    done = bare.test_cli_runner().invoke(minicode, command.split())

    assert 1 == done.exit_code
    assert "Error: our tables are missing or old: run `flask minicode upgrade`" == done.output.strip()


def test_roles_are_made_before_our_tables_and_the_order_does_not_matter(bare):
    run = bare.test_cli_runner()
    first = run.invoke(minicode, ["roles"])

    assert (0, [role.name for role in ROLES]) == (first.exit_code, first.stdout.split("\n")[: len(ROLES)])
    assert "flask minicode upgrade" in first.stderr
    assert 0 == run.invoke(minicode, ["upgrade"]).exit_code
    again = run.invoke(minicode, ["roles"])

    assert (0, "") == (again.exit_code, again.stderr)
    with bare.app_context():
        security = bare.extensions["appbuilder"].sm
        assert all(security.find_role(role.name) for role in ROLES)


@pytest.mark.parametrize(
    ("words", "statement", "code", "is_ours"),
    [
        ("no such table: minicode_events", "SELECT 1 FROM minicode_events", None, True),
        ("no such column: c.owner", "SELECT c.owner FROM minicode_codes AS c", None, True),
        ("no such table: ab_user", "SELECT 1 FROM ab_user", None, False),
        ('关系 "minicode_events" 不存在', "SELECT 1 FROM minicode_events", "42P01", True),
        ('relation "ab_user" does not exist', "SELECT 1 FROM ab_user", "42P01", False),
        ("operator does not exist: integer = text", "SELECT 1 FROM minicode_codes", "42883", False),
        ('FATAL:  database "bi" does not exist', None, "3D000", False),
    ],
)
def test_only_our_own_missing_tables_are_said_to_be_missing(words, statement, code, is_ours):
    origin = Exception(words)
    if code:
        origin.pgcode = code

    assert is_ours == names_a_missing_table(ProgrammingError(statement, None, origin))

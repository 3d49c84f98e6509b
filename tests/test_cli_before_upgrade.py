"""Commands on a host whose tables are not there yet: one line that says what to do, and the roles all the same."""

import pytest

from fab_minicode.cli import minicode
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

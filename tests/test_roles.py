"""Our three roles in security managers that name their methods differently."""

from __future__ import annotations

import pytest

from fab_minicode.permissions import ROLES, menus_of
from fab_minicode.roles import grant_roles
from tests import hosts

CATEGORY = "Mini program codes"


class AirflowsNames:
    """The host's own security manager, called by the names that Airflow's has."""

    def __init__(self, security):
        self.add_role = security.add_role
        self.get_permission = security.find_permission_view_menu
        self.create_permission = security.add_permission_view_menu
        self.add_permission_to_role = security.add_permission_role


@pytest.mark.parametrize("named", [lambda security: security, AirflowsNames], ids=["flask_appbuilder", "airflow"])
def test_the_roles_hold_what_they_say_and_a_second_time_changes_nothing(tmp_path, named):
    app = hosts.make_host(hosts.copy_of_template("sqlite", tmp_path))
    with app.app_context():
        security = app.extensions["appbuilder"].sm
        for role in ROLES:
            security.find_role(role.name).permissions = []
        for _ in range(2):
            names = grant_roles(named(security), CATEGORY)
        held = {
            role.name: {(one.permission.name, one.view_menu.name) for one in security.find_role(role.name).permissions}
            for role in ROLES
        }
    hosts.close(app)

    assert tuple(role.name for role in ROLES) == names
    for role in ROLES:
        pages = {(permission, view_menu) for view_menu, granted in role.grants for permission in granted}
        menus = {("menu_access", menu) for menu in (CATEGORY, *menus_of(role))}
        assert pages | menus == held[role.name]

"""Run by Superset's own Python: people as an administrator makes them, with Superset's roles and ours."""

from superset.app import create_app

PEOPLE = (
    ("admin", ("Admin",)),
    ("alpha", ("Alpha",)),
    ("gamma", ("Gamma",)),
    ("viewer", ("Gamma", "Minicode Viewer")),
    ("creator", ("Gamma", "Minicode Creator")),
    ("manager", ("Gamma", "Minicode Manager")),
)

app = create_app()
with app.app_context():
    security = app.appbuilder.sm
    for name, roles in PEOPLE:
        found = [security.find_role(role) for role in roles]
        security.add_user(name, name.capitalize(), "Test", f"{name}@example.org", found, password=name)

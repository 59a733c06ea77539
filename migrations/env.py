"""How Alembic runs our migrations: on a connection that it is handed, in one transaction."""

from __future__ import annotations

from alembic import context

from calrecords.records import migrate
from calrecords.records.models import Base
from calrecords.records.urls import database_url


def run(connection) -> None:  # noqa: ANN001 - SQLAlchemy's, not needed by name here
    """Run the migrations that Alembic asks for on an open connection."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


handed = context.config.attributes.get("connection")
if handed is not None:
    run(handed)
else:
    address = context.get_x_argument(as_dictionary=True).get("db")
    if address is None:
        message = "name the database: alembic -x db=sqlite:///FILE ..."
        raise SystemExit(message)
    with migrate.migrating(database_url(address)) as own:
        run(own)

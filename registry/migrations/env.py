"""What Alembic runs: the migrations, on the connection that it was handed."""

from alembic import context

from registry.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,  # SQLite too can take back a table: a start that is killed leaves the old schema whole
    render_as_batch=True,  # SQLite cannot change a column in place
)
with context.begin_transaction():
    context.run_migrations()

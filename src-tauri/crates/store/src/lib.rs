//! All durable facts of the workspace: schema, migrations, one file per table, one group-committing writer.

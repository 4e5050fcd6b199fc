"""What a person chose: light or dark pages."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Nobody has chosen yet."""
    op.add_column("users", sa.Column("theme", sa.String(5), nullable=True))

"""Of a mail: to whom it has still to go, when the others have it."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """What waits now waits for everybody."""
    op.add_column("alert_messages", sa.Column("whom", sa.Text(), nullable=True))

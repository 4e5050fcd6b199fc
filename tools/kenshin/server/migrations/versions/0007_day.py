"""What the sums of today and of this month begin with, kept with each gateway."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """They are filled when hours are folded; until then they are looked for."""
    for name in ("day_t", "day_normal", "day_reverse", "month_normal", "month_reverse"):
        op.add_column("gateway_state", sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column("gateway_state", sa.Column("month_partial", sa.SmallInteger(), nullable=True))

class UpdateClock:
    """Tracks which batches begin and end an update of the weights.

    With gradient accumulation, several batches make one update. A key encoder
    should then move once per update, when the weights have changed, and a
    queue should receive the keys of all its batches at once.

    Attributes:
        batch (int): Batches since the start of the run.
        per_update (int): Batches per update, ``accumulative_counts``.
    """

    def __init__(self) -> None:
        self.batch = 0
        self.per_update = 1

    def start(self, batch: int, per_update: int) -> None:
        """Set the clock at the start of a run, or when one is resumed.

        Args:
            batch (int): Batches that were trained on before.
            per_update (int): Batches per update.
        """
        self.batch = batch
        self.per_update = per_update

    @property
    def begins_update(self) -> bool:
        """Whether this batch is the first one after an update."""
        return self.batch % self.per_update == 0

    @property
    def ends_update(self) -> bool:
        """Whether the weights are updated after this batch."""
        return (self.batch + 1) % self.per_update == 0

    def tick(self) -> None:
        """Advance to the next batch."""
        self.batch += 1

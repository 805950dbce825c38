"""From batches to a run. Start with `loop.py`; `learner.py` is what a step computes."""

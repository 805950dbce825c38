"""Settings found by validation: `dmn train --tune`.

`space` says what a trial tries, `halving` which trial is trained on, `search` trains it, `gain` says what it is worth.
"""

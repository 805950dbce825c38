"""The paper: four modules, the attention gate, the GRU, the objective. Start with `network.py`."""

"""The network and nothing else. Start with `network.py`; `gated_gru.py` is the one hot loop."""

from dmn_cli.model.network import DynamicMemoryNetwork

__all__ = ["DynamicMemoryNetwork"]

"""The forms that the modules can take, by their names in settings. No torch here: settings are read first.

`settings/presets/` has the two published combinations.
"""

from typing import Literal

Reader = Literal["word-gru", "fusion"]  # input_module.py
Sentence = Literal["position", "gru"]  # input_module.py: how a fusion reader reads a sentence
GateFeatures = Literal["dmn", "dmn-plus"]  # attention_gate.py
Gates = Literal["softmax", "sigmoid"]  # episodic_memory.py
MemoryUpdate = Literal["gru", "relu"]  # episodic_memory.py
Reset = Literal["before", "after"]  # gated_gru.py
Update = Literal["gru", "gate"]  # gated_gru.py
GateSupervision = Literal["any-pass", "ordered"]  # objective.py

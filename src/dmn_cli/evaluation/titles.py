"""What the figures of a task are called, above a column."""

TITLES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "exact": "without mistake",
    "gate_precision": "gate precision",
    "gate_recall": "gate recall",
    "ece": "calibration error",
    "faithfulness": "faithful",
    "right_reason": "right reason",
    "other_reason": "other reason",
    "no_reason": "no reason",
    "coverage": "coverage",
    "selective_accuracy": "accuracy of answered",
    "false_answers": "false answers",
    "false_unknowns": "false unknowns",
}

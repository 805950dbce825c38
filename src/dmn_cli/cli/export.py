"""dmn export: a model as a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dmn_cli.cli.options import Force, Json, Model, Quiet
from dmn_cli.cli.output import Output, plural, progress
from dmn_cli.errors import UsageError


def command(
    model: Model,
    onnx: Annotated[
        Path | None,
        typer.Option(
            "--onnx",
            metavar="FILE",
            help="The ONNX file to write, FILE.onnx; its vocabulary goes beside it, to FILE.json.",
            show_default=False,
        ),
    ] = None,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write a model for programs without dmn: as ONNX, for onnxruntime in Python, JavaScript, C++, Java, …

    The file is written only if onnxruntime answers by it as dmn does. It needs: pip install onnx onnxruntime.
    docs/onnx.md says how to ask it.

    Example: dmn export runs/two --onnx two.onnx
    """
    output = Output(as_json=json, quiet=quiet)
    if onnx is None:
        raise UsageError("what shall it be written as?", hint="For example: dmn export RUN --onnx model.onnx")
    if onnx.suffix.lower() != ".onnx":
        raise UsageError(
            "an ONNX file has the suffix .onnx", where=onnx, hint=f"For example: {onnx.with_suffix('.onnx')}"
        )

    from dmn_cli.artifact import directory
    from dmn_cli.artifact.onnx.export import beside, check_libraries, export
    from dmn_cli.files import check_output
    from dmn_cli.kernels.tune import tune

    check_libraries()
    for path in (onnx, beside(onnx)):
        check_output(path, force=force)
    loaded = directory.load(model)
    with output.warned():
        tune(loaded.settings.hidden)
    with progress(output, "exporting", None):
        written = export(loaded, onnx)
    output.json({"model": str(model), "out": str(onnx), **written.as_json()})
    theirs, ours = (written.milliseconds[name] for name in ("onnxruntime", "dmn"))
    output.prose(
        f"checked in onnxruntime on {plural(written.questions, 'question')}"
        f"{', the golden ones of the model among them' if written.golden else ''}: "
        f"logits and gates differ by {written.difference:.1e} at most\n"
        f"a question takes {theirs:.2f} ms in onnxruntime, {ours:.2f} ms in dmn (the network alone)\n"
        f"{onnx} ({written.size / 1e6:,.1f} MB) and {written.vocabulary} are ready. Next: docs/onnx.md"
    )

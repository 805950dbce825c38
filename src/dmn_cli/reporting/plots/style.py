"""How plots look and how they are written; the one file that imports matplotlib.

Letters are large enough for a slide that is read from the last row. Colours are those of Okabe and Ito (2008), which
all kinds of colour blindness tell apart; what a colour says is also written, or has a form.
"""

from __future__ import annotations

import functools
import io
import logging
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from dmn_cli.errors import UsageError
from dmn_cli.files import atomic_directory, atomic_file, check_directory, check_output

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg")
INK, FAINT, LINES = "#1b1f24", "#57606a", "#d0d7de"
BLUE, ORANGE, GREEN, PURPLE, SKY, RED = "#0072b2", "#b35900", "#009e73", "#a0508a", "#56b4e9", "#d55e00"
SERIES = (BLUE, RED, GREEN, PURPLE, SKY, "#000000")
WIDTH = 12.8  # inches, as a slide has them
_DOTS = 150  # an inch
_FONTS = ("DejaVu Sans", "Noto Sans", "Noto Sans CJK SC", "Microsoft YaHei", "PingFang SC", "Arial Unicode MS")
_LOOK: dict[Any, Any] = {
    "font.size": 15,
    "axes.titlesize": 18,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 14,
    "axes.labelsize": 15,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINES,
    "text.color": INK,
    "text.parse_math": False,  # a $ is a dollar
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 2.5,
    "lines.markersize": 8,
    "figure.dpi": _DOTS,
    "savefig.facecolor": "white",
    "svg.hashsalt": "dmn",  # the same plot is the same bytes
}

P = ParamSpec("P")


def available() -> bool:
    """Whether there is anything to draw with."""
    return find_spec("matplotlib") is not None


def check(path: Path, *, force: bool) -> None:
    """Refuses a plot that can't be drawn or written, before any work is done.

    Raises: UsageError where the suffix is none that plots have, there is no matplotlib, or `files.check_output` refuses
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"a plot is a {' or an '.join(SUFFIXES)} file", where=path, hint=f"For example: {path.with_suffix('.png')}"
        )
    check_library()
    check_output(path, force=force)


def check_all(path: Path, *, force: bool) -> None:
    """As `check`, where several plots may be wanted: a name without a suffix is that of a folder."""
    if not is_folder(path):
        check(path, force=force)
        return
    check_library()
    check_directory(path, force=force, ours=lambda folder: all(file.suffix in SUFFIXES for file in folder.iterdir()))


def is_folder(path: Path) -> bool:
    return path.is_dir() or not path.suffix


def check_library() -> None:
    """Raises: UsageError where there is no matplotlib."""
    if not available():
        raise UsageError(
            "plots are drawn by matplotlib, which isn't installed", hint="Install it: pip install matplotlib"
        )


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """A decorator of what draws a figure: it has our look."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **options: P.kwargs) -> Figure:
        with _look():
            return draw(*args, **options)

    return drawn


def _look() -> Any:
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells on stderr what it caches
    from matplotlib import font_manager, rc_context

    known = {font.name for font in font_manager.fontManager.ttflist}
    return rc_context({**_LOOK, "font.family": [name for name in _FONTS if name in known]})


def new_figure(width: float, height: float) -> Figure:
    """Inches. What is in it makes room for what else is in it."""
    from matplotlib.figure import Figure

    figure = Figure((width, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.2, h_pad=0.2, wspace=0.06, hspace=0.06)  # type: ignore[union-attr]
    return figure


def sheet(width: float, height: float) -> Axes:
    """A figure to draw on in inches, from its top left corner."""
    from matplotlib.figure import Figure

    axes = Figure((width, height)).add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return axes


def width_of(axes: Axes, text: str, **font: Any) -> float:
    """How wide a text is on a sheet, in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    written = axes.text(0, 0, text, **font)
    figure = written.get_figure(root=True)
    width = written.get_window_extent(FigureCanvasAgg(figure).get_renderer()).width / figure.dpi  # type: ignore[union-attr]
    written.remove()
    return width


def save(figure: Figure, path: Path) -> None:
    """Writes a figure as what its suffix says, all of it or nothing. Warns where no font has some of its characters."""
    drawn = io.BytesIO()
    suffix = path.suffix.lower().removeprefix(".")
    with _look(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.savefig(drawn, format=suffix, metadata={"Date": None} if suffix == "svg" else None)
    if any("missing from font" in str(warning.message) for warning in caught):
        warnings.warn(f"{path}: no font at hand has all of its characters; some are boxes", stacklevel=2)
    with atomic_file(path) as file:
        file.write(drawn.getvalue())


def save_all(figures: dict[str, Figure], folder: Path) -> None:
    """Writes a folder of figures as PNG, by their names; all of it or nothing."""
    with atomic_directory(folder) as temporary:
        for name, figure in figures.items():
            save(figure, temporary / f"{name}.png")


def shades() -> Any:
    """From white to a dark blue, evenly in brightness."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("dmn", ["#ffffff", "#c6dff0", "#6aaed6", "#1f77b4", "#08335c"])


def on_shade(value: float) -> str:
    """The colour of letters on a shade, which both can be read on where they meet. value: between 0 and 1"""
    return "white" if value > 0.73 else "black"


def percent_axis(axis: Any) -> None:
    """Fractions of 1 are shown as percent."""
    from matplotlib.ticker import PercentFormatter

    axis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=" %"))


def whole_numbers(axis: Any) -> None:
    """No ticks between whole numbers."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(integer=True))


def bare(axes: Axes) -> None:
    """No grid, no frame and no ticks."""
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)

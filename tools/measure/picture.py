"""The table as a picture: how many times better than Linux each line is, a panel for each group."""

from itertools import groupby

BEHIND, AHEAD, FAR_AHEAD = "#c0504d", "#b9b04a", "#5a9a5a"
LINE_HEIGHT, PANEL_HEIGHT = 0.19, 0.75  # inches
TICKS = (0.2, 0.5, 1, 2, 5, 10, 20)
LEAST, MOST = 0.2, 20  # bars that would be longer end here; their figures say how much


def colour(ratio):
    return BEHIND if ratio < 1 else AHEAD if ratio < 1.5 else FAR_AHEAD


def draw(lines, path):
    """Draws the lines that have a ratio; no picture without any."""
    import matplotlib  # pylint: disable=import-outside-toplevel
    matplotlib.use("svg")
    from matplotlib import pyplot  # pylint: disable=import-outside-toplevel
    drawn = [line for line in lines if line.ratio]
    if not drawn:
        return
    matplotlib.rcParams["svg.fonttype"] = "none"  # text stays text
    groups = [(name, list(group)) for name, group in groupby(drawn, lambda line: line.group)]
    heights = [LINE_HEIGHT * len(group) + PANEL_HEIGHT for _, group in groups]
    figure, panels = pyplot.subplots(
        len(groups), squeeze=False, sharex=True, figsize=(9, sum(heights)),
        gridspec_kw={"height_ratios": heights}, layout="constrained")
    for axes, (name, group) in zip(panels[:, 0], groups):
        draw_panel(axes, name, group)
    panels[0, 0].set_xlim(LEAST, MOST * 1.4)
    panels[-1, 0].set_xlabel("times better than Linux", fontsize=8)
    figure.savefig(path)
    pyplot.close(figure)


def draw_panel(axes, name, group):
    """A bar for each line from 1, where both are alike, to its ratio."""
    for at, line in enumerate(group):
        end = min(max(line.ratio, LEAST), MOST)
        axes.barh(at, end - 1, left=1, height=0.7, color=colour(line.ratio))
        axes.annotate(f"{line.ratio:.2g}" if line.ratio < 10 else f"{line.ratio:.0f}",
                      (max(end, 1), at), xytext=(3, 0), textcoords="offset points", va="center",
                      fontsize=7)
    axes.set_yticks(range(len(group)), [line.name for line in group], fontsize=7)
    axes.set_ylim(len(group) - 0.4, -0.6)
    axes.set_xscale("log")
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.xaxis.set_minor_formatter(lambda value, _: "")
    axes.tick_params(axis="x", labelsize=7, labelbottom=True)
    axes.tick_params(axis="y", length=0)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.axvline(1.5, color="grey", linewidth=0.6, linestyle=":")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.set_title(name, loc="left", fontsize=9, fontweight="bold")

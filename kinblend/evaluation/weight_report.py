"""`kinblend analyze`: pictures, tables and a page of what weight maps show, with controls beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kinblend.evaluation.weight_correlations import Correlations
from kinblend.evaluation.weights import Summary, most_consistent
from kinblend.files import atomic_write
from kinblend.imaging.figures import new_figure, save_figure
from kinblend.storage.tables import write_table

FIGURES = {
    "bias": "overall parent bias: the mean weight",
    "deviation": "mean deviation from 0.5",
    "between": "share of the variance that lies between couples",
    "mirror": "distance of w(f, m) + w(m, f) from 1",
    "smallest_variance": "smallest variance of an element",
    "largest_listed_variance": "variance of the 20th most consistent element",
    "median_variance": "median variance of an element",
}
# What the report that kinblend began as printed, for the reader to hold against the controls.
REPORTED = {
    "bias": 0.4995,
    "deviation": 0.3488,
    "smallest_variance": 1e-4,
    "largest_listed_variance": 2e-3,
}


def figures_of(summary: Summary) -> dict[str, float]:
    """The one-number figures, named as in FIGURES."""
    listed = most_consistent(summary)
    return {
        "bias": summary.bias,
        "deviation": summary.deviation,
        "between": summary.between,
        "mirror": summary.mirror,
        "smallest_variance": listed[0].variance,
        "largest_listed_variance": listed[-1].variance,
        "median_variance": float(summary.variance.nanmedian()),
    }


def write_analysis(
    folder: Path, summaries: Mapping[str, Summary], couples: int, correlations: Mapping[str, Correlations]
) -> list[Path]:
    """Write everything.

    summaries: the trained network first, then the controls, by name. couples: how many each saw. correlations: by
    name as well.
    """
    written = [_layer_picture(folder / "layers.png", summaries)]
    written += [_heatmap(folder / f"heatmap-{_file_name(name)}.png", name, s) for name, s in summaries.items()]
    tables: Mapping[str, tuple[Mapping[str, Any], Iterator[dict[str, Any]]]] = {
        "figures.csv": ({"network": str, "figure": str, "value": float}, _figure_rows(summaries)),
        "layers.csv": (
            {"network": str, "layer": int, "weight": float, "deviation": float},
            _layer_rows(summaries),
        ),
        "consistent.csv": (
            {"network": str, "layer": int, "dimension": int, "variance": float, "mean": float},
            _consistent_rows(summaries),
        ),
        "correlations.csv": (
            {"network": str, "one": str, "other": str, "correlation": float, "bound": float},
            _correlation_rows(correlations),
        ),
    }
    for name, (columns, rows) in tables.items():
        write_table(folder / name, columns, list(rows))
        written.append(folder / name)
    atomic_write(folder / "report.md", _page(summaries, couples, correlations).encode())
    return [folder / "report.md", *written]


def _figure_rows(summaries: Mapping[str, Summary]) -> Iterator[dict[str, Any]]:
    for network, summary in summaries.items():
        for name, value in figures_of(summary).items():
            yield {"network": network, "figure": name, "value": value}


def _layer_rows(summaries: Mapping[str, Summary]) -> Iterator[dict[str, Any]]:
    for network, summary in summaries.items():
        for layer, (weight, away) in enumerate(zip(summary.layers, summary.layer_deviation, strict=True)):
            yield {"network": network, "layer": layer, "weight": weight, "deviation": away}


def _consistent_rows(summaries: Mapping[str, Summary]) -> Iterator[dict[str, Any]]:
    for network, summary in summaries.items():
        for one in most_consistent(summary):
            yield {"network": network, **vars(one)}


def _correlation_rows(correlations: Mapping[str, Correlations]) -> Iterator[dict[str, Any]]:
    for network, found in correlations.items():
        for row, one in enumerate(found.groups):
            for column, other in enumerate(found.groups[:row]):
                value = float(found.matrix[row, column])
                yield {
                    "network": network,
                    "one": other,
                    "other": one,
                    "correlation": value,
                    "bound": found.group_bound,
                }
        for pair in found.pairs:
            ends = {name: f"{layer}:{dim}" for name, (layer, dim) in (("one", pair.one), ("other", pair.other))}
            yield {"network": network, **ends, "correlation": pair.correlation, "bound": found.pair_bound}


def _page(summaries: Mapping[str, Summary], couples: int, correlations: Mapping[str, Correlations]) -> str:
    """One page of Markdown."""
    names = list(summaries)
    found = {name: figures_of(summary) for name, summary in summaries.items()}
    rows = [
        [word, *(f"{found[name][key]:.4g}" for name in names), f"{REPORTED[key]:.4g}" if key in REPORTED else ""]
        for key, word in FIGURES.items()
    ]
    layers = [
        [
            str(layer),
            *(
                f"{summaries[name].layers[layer]:.4f} ± {summaries[name].layer_deviation[layer]:.4f}"
                for name in names
            ),
        ]
        for layer in range(len(summaries[names[0]].layers))
    ]
    listed = [
        [str(one.layer), str(one.dimension), f"{one.variance:.3g}", f"{one.mean:.3f}"]
        for one in most_consistent(summaries[names[0]])
    ]
    overlap = [f"- {_overlap(summaries, names[0], other)}" for other in names[1:]]
    return "\n".join(
        [
            f"# What the weight maps say\n\n{couples} couples. A weight is the father's share. The first column is "
            "the trained network. What a control, which knows of none, shows as well is no inheritance.\n",
            _table(["figure", *names, "the report that kinblend began as"], rows),
            "## Average weight of each layer, ± mean deviation from 0.5\n",
            _table(["layer", *names], layers) + "\n![layers](layers.png)\n",
            "## The most consistent elements\n",
            _table(["layer", "dimension", "variance", "mean"], listed),
            *overlap,
            "",
            *(line for name, found in correlations.items() for line in _together(name, found)),
            *(f"![heatmap of {name}](heatmap-{_file_name(name)}.png)" for name in names),
            "",
        ]
    )


def _together(name: str, found: Correlations) -> list[str]:
    rows = [
        [one, *(f"{float(value):.2f}" for value in line)]
        for one, line in zip(found.groups, found.matrix, strict=True)
    ]
    beyond = sum(abs(pair.correlation) > found.pair_bound for pair in found.pairs)
    return [
        f"## Inherited together: {name}\n\nCorrelation, over the couples, of the mean weights of groups of layers. "
        f"Where nothing goes along, the largest stays below {found.group_bound:.2f} in 95 of 100 draws.\n",
        _table(["", *found.groups], rows),
        f"Of pairs of elements, {beyond} of the {len(found.pairs)} that go along most are above what chance gives "
        f"({found.pair_bound:.2f}); correlations.csv lists them.\n",
    ]


def _overlap(summaries: Mapping[str, Summary], one: str, other: str) -> str:
    ours, theirs = ({(e.layer, e.dimension) for e in most_consistent(summaries[n])} for n in (one, other))
    return f"{len(ours & theirs)} of the {len(ours)} are among the most consistent of {other} as well"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)


def _layer_picture(path: Path, summaries: Mapping[str, Summary]) -> Path:
    figure = new_figure(6, 3)
    axes = figure.subplots()
    width = 0.8 / len(summaries)
    for number, (name, summary) in enumerate(summaries.items()):
        places = [layer + number * width for layer in range(len(summary.layers))]
        axes.bar(places, summary.layers, width, yerr=summary.layer_deviation, capsize=2, label=name)
    axes.axhline(0.5, color="grey", linestyle=":")
    axes.set(xlabel="layer", ylabel="the father's share", ylim=(0, 1))
    axes.legend(fontsize=8)
    return save_figure(figure, path)


def _heatmap(path: Path, name: str, summary: Summary) -> Path:
    figure = new_figure(7, 2.4)
    axes = figure.subplots()
    shown = axes.imshow(summary.mean.numpy(), aspect="auto", cmap="coolwarm", vmin=0, vmax=1, interpolation="nearest")
    axes.set(xlabel="dimension", ylabel="layer", title=name)
    axes.set_yticks(range(len(summary.layers)))
    figure.colorbar(shown, label="the father's share")
    return save_figure(figure, path)

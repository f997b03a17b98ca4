"""The candidates of a search in the order of their scores: table and picture."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mmssl.search.candidate import Candidate
from mmssl.search.space import describe_genes, norm_name


def rank_candidates(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that did not fail, the best first; of equal scores the earlier first."""
    return sorted((one for one in candidates if one.finished), key=lambda one: (-one.fitness, one.number))


def spread_over_ranking(ranked: Sequence[Candidate], count: int) -> list[Candidate]:
    """Choose candidates at equal distances in the ranking, best and worst among them.

    Args:
        ranked: the best first.
        count: to choose, at least 2.

    Returns:
        ``count`` candidates, or all where there are not more.

    Raises:
        ValueError: another count.
    """
    if count < 2:
        raise ValueError(f'--candidates: {count} found, at least 2 expected')
    if count >= len(ranked):
        return list(ranked)
    return [ranked[round(place * (len(ranked) - 1) / (count - 1))] for place in range(count)]


def ranking_table(candidates: Sequence[Candidate], metric: str) -> str:
    """A Markdown table, the best first, and below it the candidates that failed, with their reasons."""
    lines = [
        f'| rank | candidate | depth | widths | dilations | norm | parameters | GFLOPs | {metric} | minutes |',
        '|---' * 10 + '|',
    ]
    for rank, one in enumerate(rank_candidates(candidates), start=1):
        widths, dilations = ('-'.join(map(str, one.genes[name])) for name in ('widths', 'dilations'))
        cells = [rank, one.number, one.genes['depth'], widths, dilations, norm_name(one.genes), f'{one.parameters:,}']
        cells += [f'{one.flops / 1e9:.3f}', f'{one.score:.5g}', f'{one.seconds / 60:.1f}']
        lines.append(f'| {" | ".join(map(str, cells))} |')
    failed = [one for one in candidates if not one.finished]
    drawn = sum(one.over_budget for one in candidates)
    lines += ['', f'{len(candidates)} candidates, {len(failed)} failed; {drawn} more draws were beyond the budget.']
    lines += [f'- candidate {one.number} failed: {describe_genes(one.genes)}: {one.reason}' for one in failed]
    return '\n'.join(lines) + '\n'


def ranking_picture(candidates: Sequence[Candidate], metric: str, path: Path) -> None:
    """Draw scores over parameters, points named by number; failed candidates are counted in the title.

    Args:
        candidates: of the search.
        metric: name of the score.
        path: of the PNG.
    """
    ranked = rank_candidates(candidates)
    figure = Figure(figsize=(7, 5), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    draw_points(axes, [one.parameters / 1e6 for one in ranked], [one.score for one in ranked], ranked)
    failed = len(candidates) - len(ranked)
    axes.set_title(f'{len(ranked)} candidates' + (f', {failed} more failed' if failed else ''))
    axes.set_xlabel('parameters of the segmentation network, millions')
    axes.set_ylabel(f'proxy: {metric}')
    figure.savefig(path, dpi=120)


def draw_points(axes, x: Sequence[float], y: Sequence[float], candidates: Sequence[Candidate]) -> None:
    """Draw a point for each candidate, with its number beside it and a colour for each norm."""
    for norm in sorted({norm_name(one.genes) for one in candidates}):
        chosen = [place for place, one in enumerate(candidates) if norm_name(one.genes) == norm]
        axes.scatter([x[place] for place in chosen], [y[place] for place in chosen], label=norm)
    for place, one in enumerate(candidates):
        axes.annotate(str(one.number), (x[place], y[place]), xytext=(4, 4), textcoords='offset points', fontsize=8)
    axes.legend()
    axes.grid(alpha=0.3)

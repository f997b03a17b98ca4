"""Do the proxy's ranking and that of fine-tuning agree: table and picture."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mmssl.search.candidate import Candidate
from mmssl.search.finetuning import Finetuning
from mmssl.search.rank_correlation import RankCorrelation, rank_correlation
from mmssl.search.ranking import draw_points, rank_candidates
from mmssl.search.space import describe_genes


def pair_up(
    candidates: Sequence[Candidate], finetunings: Sequence[Finetuning]
) -> tuple[list[Candidate], list[Finetuning]]:
    """Candidates with a score and a fine-tuned value, the proxy's best first, and their fine-tunings."""
    finished = {row.number: row for row in finetunings if row.state == 'finished'}
    ranked = [one for one in rank_candidates(candidates) if one.number in finished]
    return ranked, [finished[one.number] for one in ranked]


def correlate(
    ranked: Sequence[Candidate], finetuned: Sequence[Finetuning], proxy: str, higher_is_better: bool
) -> dict[str, RankCorrelation]:
    """Rank correlations with fine-tuning, of the proxy and of the networks' size.

    A proxy is worth its training where it ranks better than parameters and operations, which are known without.

    Args:
        ranked: n candidates.
        finetuned: theirs.
        proxy: name of the proxy's metric.
        higher_is_better: of the segmentation's metric.

    Returns:
        By name: ``proxy``, parameters and FLOPs; positive where more of it (for the proxy: better) goes with better
        segmentation. A measure that is equal for all candidates is left out.

    Raises:
        ValueError: fewer than three candidates, or fine-tuned values or scores that are all equal.
    """
    sign = 1 if higher_is_better else -1
    values = [sign * row.value for row in finetuned]
    found = {f'proxy: {proxy}': rank_correlation([one.fitness for one in ranked], values)}
    for name, measure in (
        ('parameters', [one.parameters for one in ranked]),
        ('FLOPs', [one.flops for one in ranked]),
    ):
        if len(set(measure)) > 1:
            found[name] = rank_correlation(measure, values)
    return found


def correlation_table(
    ranked: Sequence[Candidate],
    finetuned: Sequence[Finetuning],
    correlations: dict[str, RankCorrelation],
    proxy: str,
    metric: str,
) -> str:
    """Two Markdown tables: the candidates with both values, the proxy's best first, and the correlations."""
    lines = [f'| candidate | network | parameters | {proxy} | {metric} | minutes |', '|---' * 6 + '|']
    for one, row in zip(ranked, finetuned, strict=True):
        lines.append(
            f'| {one.number} | {describe_genes(one.genes)} | {one.parameters:,} | {one.score:.5g} | {row.value:.4g} | '
            f'{(one.seconds + row.seconds) / 60:.1f} |'
        )
    lines += ['', f'| ranking by | n | Spearman with {metric} | p | Kendall tau-b | p |', '|---' * 6 + '|']
    for name, found in correlations.items():
        lines.append(
            f'| {name} | {found.n} | {found.spearman:+.2f} | {_chance(found.spearman_p)} | {found.kendall:+.2f} | '
            f'{_chance(found.kendall_p)} |'
        )
    return '\n'.join(lines) + '\n'


def _chance(value: float) -> str:
    return f'{value:.3f}' if value >= 0.001 else '< 0.001'


def correlation_picture(
    ranked: Sequence[Candidate],
    finetuned: Sequence[Finetuning],
    correlation: RankCorrelation,
    proxy: str,
    metric: str,
    path: Path,
) -> None:
    """Draw the fine-tuned value over the proxy's score, points named by number, and save a PNG."""
    figure = Figure(figsize=(7, 5), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    draw_points(axes, [one.score for one in ranked], [row.value for row in finetuned], ranked)
    axes.set_title(
        f'{correlation.n} candidates: Spearman {correlation.spearman:+.2f} (p {correlation.spearman_p:.2g}), '
        f'Kendall {correlation.kendall:+.2f} (p {correlation.kendall_p:.2g})'
    )
    axes.set_xlabel(f'proxy: {proxy}')
    axes.set_ylabel(f'fine-tuned: {metric}')
    figure.savefig(path, dpi=120)

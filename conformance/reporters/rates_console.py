"""Two failure rates and their exact limits as lines of text on one scale."""

from rich.text import Text

from conformance.report_model_failures import RateInterval, Rates

MIN_BAR = 20  # columns; a narrower bar shows nothing
LABEL = 9  # columns of the executor's name
FIGURE = 38  # columns of the figures at the right


def drawing(rates: Rates, *, width: int) -> Text:
    """Return either rate as a bar from its lower to its upper limit, a dot where it was observed."""
    columns = max(MIN_BAR, width - LABEL - FIGURE)
    scale = upper_end(rates)
    text = Text(style="default")
    for interval in rates.intervals:
        text.append(f"{interval.executor:<{LABEL}}")
        text.append(_bar(interval, scale, columns), style="cyan")
        text.append(f"  {figures(interval)}\n")
    axis = f"{'0 %':<{columns - 8}}{scale:>8.2%}"
    text.append(f"{'':<{LABEL}}{axis}\n", style="dim")
    text.append(statement(rates))
    return text


def upper_end(rates: Rates) -> float:
    """Return the right end of the scale: a little more than the highest that is drawn."""
    highest = max(
        *(interval.high for interval in rates.intervals), rates.intervals[0].low + rates.margin
    )
    return min(1.0, highest * 1.05)


def figures(interval: RateInterval) -> str:
    """Return one rate in words: `3/200 = 1.50% (0.31% to 4.32%)`."""
    return (
        f"{interval.failures}/{interval.executions} = {interval.rate:.2%} "
        f"({interval.low:.2%} to {interval.high:.2%})"
    )


def statement(rates: Rates) -> str:
    """Return the statement that is made with confidence, in one line."""
    return (
        f"unified minus legacy: {rates.difference:+.2%}, at most {rates.bound:+.2%} at "
        f"{rates.confidence:.4g} confidence; allowed {rates.margin:+.2%}"
    )


def _bar(interval: RateInterval, scale: float, columns: int) -> str:
    def at(rate: float) -> int:
        return min(columns - 1, round(rate / scale * (columns - 1)))

    bar = [" "] * columns
    low, high = at(interval.low), at(interval.high)
    bar[low : high + 1] = ["─"] * (high + 1 - low)
    bar[low], bar[high] = "├", "┤"
    if interval.executions:
        bar[at(interval.rate)] = "●"
    return "".join(bar)

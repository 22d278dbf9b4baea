"""The option `--cluster dask://...`: other machines that carry out the cases of a campaign."""

import click

from conformance.cluster import FORMS, ClusterAddress, parse_cluster


def _cluster_of(
    _context: click.Context, _parameter: click.Parameter, value: str | None
) -> ClusterAddress | None:
    return None if value is None else parse_cluster(value)


cluster_option = click.option(
    "--cluster",
    metavar="URL",
    callback=_cluster_of,
    help=f"Compute on a Dask cluster: {FORMS}.",
)

"""The badge of a certificate: a small SVG without fonts or scripts from elsewhere."""

from xml.sax.saxutils import escape

from conformance.errors import ExitCode
from conformance.kit.certification import Certificate, Verdict

LABEL = "planproof"
CHARACTER_PX = 6.6  # width of a character of 11 px Verdana, on average
PADDING_PX = 12
GREEN, AMBER, RED = "#2e7d32", "#b26a00", "#c62828"


def badge(certificate: Certificate) -> str:
    """Return the badge: the level, how many clauses it stands on, and the version."""
    passed = certificate.count(Verdict.PASSED)
    level = "no level" if certificate.level is None else str(certificate.level)
    text = f"{level} · {passed} clauses · {certificate.requirements.version}"
    return _drawn(text, _colour(certificate))


def _colour(certificate: Certificate) -> str:
    if certificate.level is None:
        return RED
    return GREEN if certificate.exit_code is ExitCode.PASSED else AMBER


def _drawn(text: str, colour: str) -> str:
    left, right = (round(len(part) * CHARACTER_PX) + PADDING_PX for part in (LABEL, text))
    whole = left + right
    title = escape(f"{LABEL}: {text}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img" '
        f'aria-label="{title}"><title>{title}</title>'
        f'<clipPath id="r"><rect width="{whole}" height="20" rx="3"/></clipPath>'
        f'<g clip-path="url(#r)"><rect width="{left}" height="20" fill="#4d4d4d"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" '
        'text-anchor="middle">'
        f'<text x="{left / 2}" y="14">{LABEL}</text>'
        f'<text x="{left + right / 2}" y="14">{escape(text)}</text></g></svg>\n'
    )

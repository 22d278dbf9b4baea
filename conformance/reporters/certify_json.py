"""A certificate as JSON; `schema_version` is raised when a field changes its meaning."""

import json
from typing import Any

from conformance.kit.certification import Certificate, ClauseResult, Verdict

SCHEMA_VERSION = 1


def render(certificate: Certificate) -> str:
    """Return the certificate as one JSON document, ending in a newline."""
    return json.dumps(_document(certificate), indent=2, ensure_ascii=False) + "\n"


def _document(certificate: Certificate) -> dict[str, Any]:
    level, asked = certificate.level, certificate.asked
    return {
        "schema": "certificate/v1",
        "schema_version": SCHEMA_VERSION,
        "executor": certificate.executor,
        "requirements": {
            "version": certificate.requirements.version,
            "digest": certificate.requirements.digest,
        },
        "level": None if level is None else str(level),
        "asked": None if asked is None else str(asked),
        "declared": sorted(certificate.declared),
        "exit_code": int(certificate.exit_code),
        "executed": certificate.executed,
        "verdicts": {str(verdict): certificate.count(verdict) for verdict in Verdict},
        "clauses": [_clause(result) for result in certificate.results],
    }


def _clause(result: ClauseResult) -> dict[str, Any]:
    return {
        "id": result.clause.id,
        "level": str(result.clause.level),
        "title": result.clause.title,
        "verdict": str(result.verdict),
        "declared": not result.explored and result.verdict is not Verdict.NOT_APPLICABLE,
        "reasons": [{"code": reason.code, "text": reason.text} for reason in result.reasons],
    }

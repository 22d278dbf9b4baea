"""Without these a long campaign would keep something of every case, and grow slower and slower."""

from chaos.fault_id import parse_case
from chaos.running import run_case
from chaos.worlds.fake_server import borrowed_server


def test_a_server_keeps_nothing_of_the_clients_that_a_case_has_killed():
    for fault_id in ("chain3/L1@s2.tool#1:TA", "chain3/L1@begin#1:A/L2@s1.tool#1:TA"):
        assert run_case(parse_case(fault_id)).judgement == "held"
    with borrowed_server() as embedded:
        assert embedded.server.sockets == []
        assert embedded.photograph() == {}

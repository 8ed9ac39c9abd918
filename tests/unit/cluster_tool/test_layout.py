import dataclasses
import socket

import pytest

from tests.cluster.errors import ClusterError
from tests.cluster.local import configs, parts
from tests.cluster.local.layout import (
    FIRST_PORTS,
    RANGES,
    Layout,
    free_ports,
    free_ranges,
    layout_file,
)


def test_ranges_avoid_the_machines_routes() -> None:
    assert free_ranges(["192.0.2.0/24", "198.51.100.4"]) == RANGES[0]
    assert free_ranges(["10.88.7.0/24"]) == RANGES[1]
    assert free_ranges(["10.89.0.0/16", "10.145.1.1"]) == RANGES[2]
    with pytest.raises(ClusterError, match="none of these ranges"):
        free_ranges(["10.0.0.0/8", "172.16.0.0/12"])


def test_a_port_in_use_is_passed_over_and_none_is_given_twice() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        ports = free_ports({"a": port, "b": port})
    assert port not in ports.values()
    assert len(set(ports.values())) == 2


def test_ports_leave_node_ports_and_outgoing_connections_alone() -> None:
    assert all(1024 < port < 30000 for port in FIRST_PORTS.values())


def test_a_layout_survives_a_round_trip(layout: Layout) -> None:
    layout.save()
    assert Layout.load(layout.root) == layout


@pytest.mark.parametrize("damage", ["", "{", '{"format": 1}', '{"format": 0}'])
def test_a_damaged_or_older_layout_is_none(layout: Layout, damage: str) -> None:
    layout.root.mkdir(parents=True)
    layout_file(layout.root).write_text(damage)
    assert Layout.load(layout.root) is None


def test_addresses_of_services(layout: Layout) -> None:
    assert layout.service_ip == "10.89.0.1"
    assert layout.dns_ip == "10.89.0.10"
    assert layout.url == "https://127.0.0.1:26443"


def test_parts_are_those_that_are_looked_for_and_every_port_is_used(layout: Layout) -> None:
    found = parts.all_parts(layout)
    assert {part.name for part in found} == set(parts.NAMES)
    told = " ".join(word for part in found for word in part.argv)
    told += configs.containerd(layout) + str(configs.kubelet(layout)) + str(configs.proxy(layout))
    assert [port for port in layout.ports.values() if str(port) not in told] == []


def test_another_node_address_is_told_to_apiserver_and_kubelet(layout: Layout) -> None:
    moved = dataclasses.replace(layout, node_ip="198.51.100.9")
    told = {part.name: part.argv for part in parts.all_parts(moved)}
    assert "--advertise-address=198.51.100.9" in told["kube-apiserver"]
    assert "--node-ip=198.51.100.9" in told["kubelet"]

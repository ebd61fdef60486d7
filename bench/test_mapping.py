"""Time of mapping one uplink, by pytest-benchmark: `python -m pytest bench/test_mapping.py`."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.shapes import SHAPES, create_mapping


@pytest.mark.parametrize("shape", SHAPES)
def test_mapping_one_uplink(benchmark: BenchmarkFixture, shape: str) -> None:
    assert benchmark(create_mapping(shape)) is not None

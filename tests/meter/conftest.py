"""Fixtures of METER's contract tests."""

from collections.abc import Iterator
from functools import partial

import pytest

from migration import embedded
from tests import installations
from tests.meter.meter_harness import Lab, location

installation = partial(installations.installation, system="meter", lab=Lab)


@pytest.fixture(scope="session")
def meter_template(server: embedded.EmbeddedServer) -> Iterator[str]:
    """A database with METER's empty schema, to copy."""
    with installations.template_of(server, location().SYSTEM.metadata) as name:
        yield name


@pytest.fixture
def meter_lab(
    server: embedded.EmbeddedServer, meter_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """An installation of this test's own."""
    with installation(server, meter_template, tmp_path_factory.mktemp("home")) as made:
        yield made


@pytest.fixture(scope="module")
def module_meter_lab(
    server: embedded.EmbeddedServer, meter_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """An installation that the tests of a module share."""
    with installation(server, meter_template, tmp_path_factory.mktemp("home")) as made:
        yield made

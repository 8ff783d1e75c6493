"""Fixtures of BILLING's contract tests."""

from collections.abc import Iterator
from functools import partial

import pytest

from migration import embedded
from tests import installations
from tests.billing.billing_harness import Lab, location

installation = partial(installations.installation, system="billing", lab=Lab)


@pytest.fixture(scope="session")
def billing_template(server: embedded.EmbeddedServer) -> Iterator[str]:
    """A database with BILLING's empty schema, to copy."""
    with installations.template_of(server, location().SYSTEM.metadata) as name:
        yield name


@pytest.fixture
def billing_lab(
    server: embedded.EmbeddedServer, billing_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """An installation of this test's own."""
    with installation(server, billing_template, tmp_path_factory.mktemp("home")) as made:
        yield made


@pytest.fixture(scope="module")
def module_billing_lab(
    server: embedded.EmbeddedServer, billing_template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """An installation that the tests of a module share."""
    with installation(server, billing_template, tmp_path_factory.mktemp("home")) as made:
        yield made

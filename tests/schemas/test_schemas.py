"""Answers keep to their schemas, always: G045. The words are a real model's, the model itself
is not asked; jsonschema knows nothing of ours."""
import pytest

from schemas import check

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def report_of():
    if not check.MODEL.exists():
        pytest.skip("no model to take words from")
    return lambda path, samples: check.check([path], samples=samples)


def must_hold(report):
    lines = "\n".join(report.lines(True))
    assert not report.wrongly_refused, lines
    assert not report.wrongly_held, lines
    assert not report.not_valid, lines
    assert not report.wrong_error, lines
    assert report.drawn > report.compiled, lines


def test_schemas_of_our_own(report_of):
    (report,), _ = report_of(check.OWN, 10)
    must_hold(report)
    assert not report.refused


def test_schemas_met_in_the_wild(report_of):
    if not check.WILD.exists():
        pytest.skip("no schemas met in the wild at hand")
    (report,), times = report_of(check.WILD, 2)
    must_hold(report)
    assert report.compiled >= 0.95 * report.rows, "\n".join(report.lines(True))
    near = sorted(ms for size, ms, _ in report.ms if 1500 <= size <= 3000)
    assert near[len(near) // 2] < 50, near
    masks = sorted(times["masks"])
    assert masks[len(masks) // 2] < 1000, "half of all masks take more than a millisecond"

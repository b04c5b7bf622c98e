"""Alert rules and runbooks agree with the code: every metric exists, and every alert and every /status message has a section."""

import re
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from clay_push_service import metrics
from clay_push_service.deliveries.invariants import CHECKS
from clay_push_service.ops.enrichment_load import EnrichmentLoad, EnrichmentTotals, enrichment_advice
from clay_push_service.ops.health import CauseCount, StateCount, Vitals, WorkerSeen
from clay_push_service.ops.quota import Quota, QuotaLevels, Quotas, quota_advice
from clay_push_service.ops.readiness import NO_GRANTS, NOT_MIGRATED, READ_ONLY, UNREACHABLE, Readiness
from clay_push_service.ops.ring import RingCheck, SealedWith, ring_advice
from clay_push_service.ops.scrape import render
from clay_push_service.ops.verdict import assess

REPOSITORY = Path(__file__).parents[2]
RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((REPOSITORY / "ops/alerts.yml").read_text())["groups"] for rule in group["rules"]
]
CASES: list[dict[str, Any]] = yaml.safe_load((REPOSITORY / "ops/alerts.test.yml").read_text())["tests"]
RUNBOOKS = (REPOSITORY / "docs/runbooks.md").read_text()
HEADINGS = [line.lstrip("# ").strip('"') for line in RUNBOOKS.splitlines() if line.startswith("##")]
WORKER = WorkerSeen(UUID(int=1), "box", 1, "0", datetime.now(UTC), 1.0)


CLOSED = ("unauthorized", "quota_exhausted", "webhook_gone", "secret_unreadable", "blocked")


def seen(
    *,
    workers: int = 1,
    due: int = 0,
    live_jobs: int = 1,
    idle: float | None = None,
    unhealthy: int = 0,
    failed: int = 0,
) -> Vitals:
    states = [
        StateCount("waiting", "server_error", unhealthy),
        *(StateCount("closed", each, unhealthy) for each in CLOSED),
    ]
    causes = [CauseCount("rejected", "failed", failed), CauseCount("success", "success", 20)]
    return Vitals(
        latency_ms=1, live_jobs=live_jobs, pending=due, due=due, oldest_due_seconds=9.0 if due else None, idle_seconds=idle,
        workers=[WORKER] * workers, states=states if unhealthy else [], unhealthy=[], last_hour=causes,
        quota=QuotaLevels(1, 1, 0.9),
    )  # fmt: skip


@pytest.fixture(scope="module")
def exported() -> set[str]:
    """Returns the names and labels of all samples that a web process or a worker exports."""
    metrics.attempted({("success", None): 1}, [])
    metrics.results_written(0.1)
    metrics.SWEPT.labels(kind="poison").inc(0)
    metrics.SLICES.labels(end="done").inc(0)
    metrics.REQUESTS.labels(method="GET", route="/healthz", status="200").observe(0.1)
    report = generate_latest().decode() + render(seen()).decode()
    return {sample.name for family in text_string_to_metric_families(report) for sample in family.samples}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_is_complete_and_uses_only_existing_metrics(rule: dict[str, Any], exported: set[str]) -> None:
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["runbook_url"] == f"docs/runbooks.md#{rule['alert'].lower()}"
    assert rule["alert"] in HEADINGS
    metrics_used = set(re.findall(r"\bclay_push_\w+", rule["expr"]))
    assert metrics_used or "up{" in rule["expr"]
    assert metrics_used <= exported
    for opening, closing in ("()", "{}", "[]"):
        assert rule["expr"].count(opening) == rule["expr"].count(closing)


def firing(case: dict[str, Any]) -> set[str]:
    """Returns the alerts that a case of alerts.test.yml expects, without labels."""
    samples = [sample["labels"] for expected in case["promql_expr_test"] for sample in expected["exp_samples"]]
    return {name for report in samples for name in re.findall(r'alertname="(\w+)"', report)}


def test_the_promtool_cases_cover_each_alert_firing_and_not_firing(exported: set[str]) -> None:
    """promtool is not a Python package: docs/runbooks.md explains how to run it."""
    assert {name for case in CASES for name in firing(case)} == {rule["alert"] for rule in RULES}
    well, missing = CASES[:2]
    assert firing(well) == set()
    assert well["input_series"]
    assert (missing["input_series"], firing(missing)) == (
        [],
        {rule["alert"] for rule in RULES if "absent(" in rule["expr"]},
    )
    for case in CASES:
        metrics_used = {re.match(r"\w+", each["series"])[0] for each in case["input_series"]}  # type: ignore[index]  # it matches
        assert metrics_used - {"up"} <= exported
        assert all(each["expr"] == 'ALERTS{alertstate="firing"}' for each in case["promql_expr_test"]), (
            "each case must list all firing alerts"
        )


def test_missing_data_fires_the_most_important_alerts() -> None:
    absent = " ".join(rule["expr"] for rule in RULES if "absent(" in rule["expr"])
    for name in ("clay_push_database_up", "clay_push_live_workers", "clay_push_oldest_due_seconds", "clay-push-worker"):
        assert name in absent


def test_every_metric_is_listed_and_every_listed_one_exists(exported: set[str]) -> None:
    _, _, section = RUNBOOKS.partition("# Metrics")
    listed = set(re.findall(r"^\| `(clay_push_\w+)`", section, re.MULTILINE))
    families = {re.sub(r"_(bucket|count|sum|created)$", "", name) for name in exported if name.startswith("clay_push_")}
    families = {name if f"{name}_total" not in listed else f"{name}_total" for name in families}
    assert listed == families


def test_no_label_identifies_an_organization() -> None:
    labels = {
        label
        for family in text_string_to_metric_families(generate_latest().decode() + render(seen()).decode())
        if family.name.startswith("clay_push")
        for sample in family.samples
        for label in sample.labels
    }
    assert labels <= {
        "status",
        "cause",
        "kind",
        "result",
        "end",
        "field",
        "state",
        "reason",
        "over",
        "repeated",
        "change",
        "method",
        "route",
        "le",
    }


def test_every_alert_of_the_runbooks_exists() -> None:
    assert {heading for heading in HEADINGS if heading.startswith("ClayPush")} == {rule["alert"] for rule in RULES}


def test_every_check_of_verify_has_its_row() -> None:
    section = RUNBOOKS.partition("### `clay-push verify` reports BROKEN")[2].partition("\n# ")[0]
    named = set(
        re.findall(r"`(\w+)`", " ".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `")))
    )
    assert named == {check.name for check in CHECKS}


def test_every_message_of_status_has_its_section() -> None:
    fine = Readiness(reachable=True, reason=None, is_migrated=True, database="18", revision="1", host="today")
    unfit = [
        UNREACHABLE,
        Readiness(reachable=True, reason=NOT_MIGRATED),
        Readiness(reachable=True, reason=READ_ONLY, is_migrated=True, writable=False),
        Readiness(reachable=True, reason=NO_GRANTS, may_read=False),
    ]
    sentences = {each.what for ready in unfit for each in assess(ready, None, (), has_keys=False).advice}
    sentences |= {
        each.what
        for off in (-60.0, 7200.0)
        for each in assess(fine, seen(), (), has_keys=True, web_offset_seconds=off).advice
    }
    sentences |= {each.what for each in assess(fine, None, ("plain HTTP",), has_keys=True).advice}
    for workers, due, jobs, idle, unhealthy, failed in product(
        (0, 1), (0, 3), (0, 1, 2), (None, 500.0), (0, 1, 2), (0, 30)
    ):
        vitals = seen(workers=workers, due=due, live_jobs=jobs, idle=idle, unhealthy=unhealthy, failed=failed)
        sentences |= {each.what for each in assess(fine, vitals, (), has_keys=True).advice}
    for number in (1, 2):
        quotas = Quotas([Quota(UUID(int=1), "Leads", 48_000, 50_000)], urgent=number, warning=number)
        sealed = [SealedWith("k1", 2 * number, number), SealedWith("k2", number, 0), SealedWith(None, number, number)]
        check = RingCheck(["k3"], sealed)
        sentences |= {each.what for each in (*quota_advice(quotas, {}), *ring_advice(check))}
        load = EnrichmentLoad(EnrichmentTotals(held_runs=number, oldest_result_seconds=121.0))
        sentences |= {each.what for each in enrichment_advice(load, number)}
    assert len(sentences) >= 41
    patterns = [re.sub(r"\bN\b", r"[\\d,]+", re.escape(heading)) for heading in HEADINGS]
    for sentence in sentences:
        assert any(re.search(each, sentence) for each in patterns), f"docs/runbooks.md has no section for {sentence!r}"

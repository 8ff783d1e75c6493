"""The files of a quality report: JSON for machines, Markdown for people."""

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

PASS, FAIL = "PASS", "FAIL"


@dataclass(frozen=True)
class Finding:
    """What one check or gate has found.

    Attributes:
        name: the check.
        measures: its figures.
        limits: the limits that they are held against, in words.
        level: None = passed, else `WARN` or `ERROR`.
        detail: what else there is to say.
    """

    name: str
    measures: dict[Any, Any]
    limits: str
    level: str | None
    detail: str

    @property
    def metric(self) -> int | float:
        """The figure that stands for the check: its last one, which the limits are about."""
        numbers = [value for value in self.measures.values() if isinstance(value, int | Decimal)]
        return _number(numbers[-1]) if numbers else 0

    @property
    def text(self) -> str:
        """The figures in words."""
        shown = ", ".join(f"{name} {_number(value)}" for name, value in self.measures.items() if value is not None)
        parts = [self.level or "", shown, self.limits, "" if self.measures else self.detail]
        return "; ".join(part for part in parts if part)


@dataclass(frozen=True)
class QualityReport:
    """The quality of a batch.

    Attributes:
        batch_code: the batch.
        started_at: when measuring began, in UTC.
        ended_at: when it ended.
        export_id: the export that was loaded.
        findings: every gate and check.
        drifting: keys of bookings that are done and not paid.
    """

    batch_code: str
    started_at: dt.datetime
    ended_at: dt.datetime
    export_id: str
    findings: Sequence[Finding]
    drifting: Sequence[str]

    @property
    def failed(self) -> list[str]:
        """The checks past an error limit, and the gates that are shut."""
        return [each.name for each in self.findings if each.level == "ERROR"]

    @property
    def result(self) -> str:
        """PASS unless anything has failed; a warning fails nothing."""
        return FAIL if self.failed else PASS

    def document(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {
            "batchCode": self.batch_code,
            "startedAt": self.started_at.isoformat(),
            "endedAt": self.ended_at.isoformat(),
            "exportId": self.export_id,
            "result": self.result,
            "thresholds": {each.name: each.limits for each in self.findings if each.limits},
            "metrics": {each.name: each.metric for each in self.findings},
            "checks": [
                {"name": each.name, "passed": each.level != "ERROR", "detail": each.text} for each in self.findings
            ],
            "exceptions": {"opsStatusDrift": list(self.drifting)},
        }

    def markdown(self) -> str:
        """The report as Markdown."""
        lines = [
            f"# Quality of batch {self.batch_code}: {self.result}",
            "",
            f"- export: {self.export_id}",
            f"- started: {self.started_at.isoformat()}",
            f"- ended: {self.ended_at.isoformat()}",
            f"- bookings done and not paid: {len(self.drifting)}",
            *(f"  - {key}" for key in self.drifting),
            "",
            "| Check | Result | Detail |",
            "|---|---|---|",
            *(f"| {each.name} | {FAIL if each.level == 'ERROR' else PASS} | {each.text} |" for each in self.findings),
            "",
            "```",
            *(f"{each.name}: {each.metric}" for each in self.findings),
            "```",
            "",
        ]
        return "\n".join(lines)


def write_quality_report(report: QualityReport, folder: Path) -> Path:
    """Write both forms of a report; gives the JSON file, named by when it was started."""
    folder.mkdir(parents=True, exist_ok=True)
    name = report.started_at.isoformat().replace("+00:00", "Z").replace(":", "-").replace(".", "-")
    path = folder / f"{name}.json"
    path.write_text(json.dumps(report.document(), indent=1), encoding="utf-8")
    (folder / f"{name}.md").write_text(report.markdown(), encoding="utf-8")
    return path


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value

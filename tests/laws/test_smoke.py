from tests.laws.lab import Lab, next_world, run_job
from tests.laws.conftest import SECOND
def test_a(loaded: Lab) -> None:
    print(loaded.fetch("select asset,partition,source_rows,loaded,merged,rejected,skipped,status from skynet.migration_run_log order by started_at"))
    before=loaded.written()
    r=run_job(); assert r.success
    assert loaded.written()==before
    loaded.export(SECOND,next_world())
    r=run_job(); assert r.success, r.failures
    print({k:(v.passed,v.metadata) for k,v in r.checks.items() if not v.passed})
    assert 0

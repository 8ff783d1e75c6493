import time, cProfile, pstats
from tests.billing.billing_golden import world, EXPORT_ID
from tests.billing.conftest import *
from tests.conftest import *
def test_x(billing_lab):
    billing_lab.put(EXPORT_ID, world())
    billing_lab.migrate(EXPORT_ID)
    t=time.time(); p=cProfile.Profile(); p.enable()
    billing_lab.migrate(EXPORT_ID)
    p.disable(); print('TOOK', time.time()-t)
    pstats.Stats(p).sort_stats('cumulative').print_stats(60)
    assert 0

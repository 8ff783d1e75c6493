import json
from decimal import Decimal
import pytest
from tests.skynet.cases import customer, payment, branch, clean_export
from tests.skynet.harness import Lab, encoded, Written

def show(lab, q):
    print("--", q)
    for r in lab.fetch(q): print("  ", r)

def test_a(lab: Lab) -> None:
    lab.tolerant = True
    big = Decimal("999999999999.99")
    pays = [
        payment("C1", nominal_harus_dibayar=big, nominal_pembayaran=big, waktu_entry="01-02-2026 10:00:00"),
        payment("C1", nominal_harus_dibayar=big, nominal_pembayaran=big, waktu_entry="02-02-2026 10:00:00"),
        payment("C1", nominal_harus_dibayar=Decimal("999999999999.995"), nominal_pembayaran=None),
        payment("C1", periode="Maret 2026", nominal_harus_dibayar=Decimal("0.004"), nominal_pembayaran=None),
        payment("C1", periode="2027-02"), payment("C1", periode="2027-03"), payment("C1", periode="2020-12"), payment("C1", periode="2021-01-99"),
        payment("c1 ", periode="April. 2026", nominal_pembayaran=False),
        payment("C1", periode="April. 2026", nominal_pembayaran="-", status_pembayaran=None, metode="va-bca"),
        payment("C1", periode=202605, nominal_pembayaran=100, status_pembayaran="BELUM  lunas", waktu_entry="0"),
        payment("C1", periode=202605, nominal_pembayaran=100, status_pembayaran="cicil", waktu_entry="1970-01-01", bukti_pembayaran_url="foto/no-image.png"),
        payment("C1", periode=202605, nominal_pembayaran=100, status_pembayaran="cicil", waktu_entry=None, bukti_pembayaran_url="x/y.png"),
        payment("C1", periode=202606, status_pembayaran="batal"),
        payment("X"*51), payment("N/A"), "str", payment("C1", periode=202607, status_pembayaran="apa"), payment("zz"),
    ]
    cust = [
        customer("c1", harga="gratis", paket="paket x 20m", jatuh_tempo=31, kk=True, nik="'3.50701E+15", telepon="-", connection_status="isolir", koordinat=["a"]),
        customer("C2", harga=None, paket="Paket X 20M"), customer("C3", harga="Rp 0", paket="PAKET X 20M"),
        customer("C4", harga=-5, paket="Y 0Mbps"), customer("C5", paket=None, nama_router="-", harga="abc"),
        customer("c1", connection_status="Active", tanggal_registrasi="31-02-2026", pppoe_password=5.50, telepon=True),
        customer("C6", telepon="08123456789012; 0812345678", koordinat="-7.5 112.5", ktp_photo_url="data:image/png;base64,xx", pppoe_password=" a&amp;b "),
        {"id_pelanggan": "C7"}, {"id_pelanggan": None}, [1],
    ]
    lab.put("20260210T030000Z", {"customers": encoded(cust,"jsonl"), "transactions": encoded(pays,"jsonl",packed=True), "branches": [branch(), branch("Total"), branch("SKYNET  SRIGADING", jumlah_pelanggan="1 Plg"), branch(None), "q", branch("B", jumlah_pelanggan="1.234 pelanggan", balance="x", total_estimasi=True), branch("b", jumlah_pelanggan="1234", balance=None)]})
    ran = lab.run(months=("2021-01-01", "2027-11-01"))
    print(ran.failures, ran.findings())
    show(lab, "select asset,partition,status,source_rows,loaded,merged,rejected,skipped,rejected_by,skipped_by,warnings from skynet.migration_run_log where source_rows>0 order by started_at")
    show(lab, "select id,code,period,amount,amount_paid,status,due_date,source_row from skynet.invoices")
    show(lab, "select invoice_id,period,amount,status,payment_method,payment_method_raw,proof_of_payment,paid_at,source_row from skynet.transactions")
    show(lab, "select source_table,source_row,source_pk,target_table,outcome,reason,target_key from skynet.row_ledger order by 1,2,4")
    show(lab, "select source_table,source_row,target_table,reason_code,detail,raw from skynet.rejected_row order by 1,2,3")
    show(lab, "select name,name_key,price,speed_mbps from skynet.packages")
    show(lab, "select * from skynet.customers")
    show(lab, "select * from skynet.customer_merge_log")
    show(lab, "select * from skynet.branch_summaries")
    show(lab, "select * from skynet.identity_card_photos")
    print(ran.metadata["export"])

"""The legacy tables of Skynet: an ISP's customers, payment history and branch dashboard, exported as files."""

from migration.exports.sources import SourceTable

# What the legacy deduplicated lists have besides; there is no use for it.
_OF_LEGACY_LISTS = ("geo_lat", "geo_long")

customers = SourceTable(
    "customers",
    columns=(
        "id_pelanggan",
        "nama_pelanggan",
        "nik",
        "kk",
        "alamat",
        "telepon",
        "paket",
        "harga",
        "tanggal_registrasi",
        "jatuh_tempo",
        "pppoe_username",
        "pppoe_password",
        "nama_lokasi",
        "nama_router",
        "koordinat",
        "ktp_photo_url",
        "connection_status",
        # Only the legacy deduplicated lists have it; there it holds what the raw list calls `koordinat`.
        "koordinat_original",
    ),
    ignored=_OF_LEGACY_LISTS,
    required_keys=("id_pelanggan",),
    fallbacks=("customers_final", "customers_clean"),
    may_be_empty=False,
    malformed_rows="abort",
)

transactions = SourceTable(
    "transactions",
    columns=(
        "id_pelanggan",
        "nominal_harus_dibayar",
        "nominal_pembayaran",
        "status_pembayaran",
        "bukti_pembayaran_url",
        "periode",
        "metode",
        "waktu_entry",
    ),
    ignored=("nama_pelanggan", "alamat"),
    required_keys=("id_pelanggan", "periode", "nominal_harus_dibayar", "status_pembayaran"),
    checked_when="read",
    may_be_empty=False,
    malformed_rows="abort",
)

branches = SourceTable(
    "branches",
    columns=(
        "cabang",
        "jumlah_pelanggan",
        "pelanggan_baru",
        "pelanggan_free",
        "pelanggan_lunas",
        "pelanggan_belum_lunas",
        "total_pemasukan",
        "total_pengeluaran",
        "balance",
        "total_estimasi",
    ),
    required_keys=("cabang",),
    required=False,
    malformed_rows="abort",
)

# The legacy system's own later lists: never loaded, compared with what the raw list gives.
_ONLY_COMPARED = (*(column for column in customers.columns if column != "id_pelanggan"), *_OF_LEGACY_LISTS)
customers_final = SourceTable(
    "customers_final", columns=("id_pelanggan",), ignored=_ONLY_COMPARED, required=False, malformed_rows="abort"
)
customers_clean = SourceTable(
    "customers_clean", columns=("id_pelanggan",), ignored=_ONLY_COMPARED, required=False, malformed_rows="abort"
)

ALL = (customers, transactions, branches, customers_final, customers_clean)

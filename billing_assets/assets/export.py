"""The export itself, verified before anything is read from it."""

from billing_assets.assets import BILLING, SOURCE

export = BILLING.export_asset(group=SOURCE)

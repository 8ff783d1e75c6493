"""The migration of Meter: from customer-centric to meter-centric billing, tenant by tenant."""

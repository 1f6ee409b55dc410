"""Pages of the catalogue: services, plans with their charges, prices, and changes of prices for all customers."""

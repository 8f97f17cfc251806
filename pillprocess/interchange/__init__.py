"""Evidence in the formats of others: metafor's and Metapsy's columns, and Frictionless data packages."""

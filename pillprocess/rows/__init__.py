"""Published numbers to model rows: arm changes, differences, acute scores, associations, counts, terms."""

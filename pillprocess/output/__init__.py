"""What every result shares: tables of estimates, one visual language, pages, a results folder that is whole or absent."""

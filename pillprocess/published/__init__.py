"""Published analyses reproduced from public data, and the data sets they need."""

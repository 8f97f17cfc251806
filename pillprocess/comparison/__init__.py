"""May these fits be compared, and if so how: prediction, Bayes factors."""

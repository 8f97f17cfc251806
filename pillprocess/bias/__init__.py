"""What small, selected and open trials add to an effect: funnel, small-study terms, selection models, their average."""

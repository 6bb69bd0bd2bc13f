"""What stays true whatever citizens, officers, the clock and losses do: driven at random, on real servers."""

"""The executor kit: capability levels, the clauses that they are given for, and certification."""

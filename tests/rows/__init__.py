"""Every row of the rule table, executed in both frameworks from the same weights."""

"""Where cases run: lives of an executor one after another, with nothing left to chance."""

"""Floor 0: the base of all other packages. Imports no other package of Chorus."""

"""A cluster in memory and virtual time, in which the real operator lives through random histories."""

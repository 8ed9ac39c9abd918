"""A cluster in memory and virtual time, where the real operator lives through random histories."""

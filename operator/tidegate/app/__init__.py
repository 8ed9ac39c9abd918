"""The process: start-up and shutdown, where Workflows come from, probes, logs and leadership."""

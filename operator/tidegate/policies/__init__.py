"""The admission policies that the API server enforces for Tidegate: their only source.

One module holds one ValidatingAdmissionPolicy; the chart's template is generated from them, and the
operator compares what stands in the cluster with them. Nothing here asks a cluster.
"""

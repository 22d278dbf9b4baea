"""The documentation: reference pages that are generated from code, and pages whose commands run.

`python -m conformance.documentation` writes the pages of `conformance/docs/reference`; with `--check`
it fails where one of them differs from what the code says.
"""

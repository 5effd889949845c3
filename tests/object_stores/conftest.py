"""A server of S3 for the tests of this folder."""

from s3_server import s3_server  # noqa: F401

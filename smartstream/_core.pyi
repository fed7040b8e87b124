"""The Rust core: decoding, vision and rules. Written by hand, checked against the module by stubtest."""

__version__: str
ERROR_KINDS: list[str]

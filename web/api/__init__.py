"""The same calls as JSON for other programs, and their description in OpenAPI.

Read `operations` (how an operation is written, checked and described), `models` (what is answered), then the operations
themselves in `calls`, `sound`, `house` and `stream`; `routes` gathers them. Rights are those of the pages.
"""

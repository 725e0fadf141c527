"""A protocol of nothing but its views."""


def small(views: str, *, channels: str = "[DAPI, Actin]", size: int = 16) -> str:
    return f"name: small\nchannels: {channels}\ncrop: {{size: {size}}}\nviews: {views}\n"

"""The containers of picture files, parsed as browsers parse them.

Open ``jpeg.py`` first. Each module reads the segments, chunks or boxes of one format, takes out
what says how the picture is shown (colour profile, orientation), and writes a bare file: only what
the pixels need. The decoder gets the bare file, so odd metadata cannot stop it or mislead it.
"""

from pathlib import Path

TEXT = (Path(__file__).parent / "words" / "größe und maß.txt").read_text("utf-8")

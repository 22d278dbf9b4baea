"""The unified engine as the subject of campaigns."""

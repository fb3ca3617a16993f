"""Texts in time: subtitles, and when each word of a text is said."""

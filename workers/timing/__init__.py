"""When the utterances and words of a job are said, and its subtitles."""

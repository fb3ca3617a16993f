"""Speech in one request, as OpenAI's clients ask for it."""

from hypothesis import settings

settings.register_profile("few", max_examples=7)

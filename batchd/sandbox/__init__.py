"""A local vendor that speaks OpenAI's Batch API over real HTTP: for demos, tests and fault drills.

It shares no code with the client side, so that a mistake made there is not repeated here.
"""

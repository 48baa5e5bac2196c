"""What the worlds of the tests plant, and nothing but the database, the spool and the vendor may ever hold.

``tests/leaks.py`` searches all that is printed, logged or shown for it.
"""

# The key of a vendor account. Ours to lose: no vendor knows it.
KEY = "sk-planted-4vQ7mZx1TtR9kLw2"
# A sentence of a row's text.
RESUME = "Zephyrine Quillfeather kept bees in Lower Hollow."

# What is looked for: a part of each, since what is cut off or masked halfway is out as well.
NEEDLES = {"the planted key": "planted-4vQ7mZ", "the planted résumé": "Quillfeather"}

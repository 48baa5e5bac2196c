"""The stages under everything at once: a state machine that plays people, vendor, crashes and clock against them."""

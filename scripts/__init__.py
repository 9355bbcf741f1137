"""The commands, and the packages behind two of them; nothing here is part of the server."""

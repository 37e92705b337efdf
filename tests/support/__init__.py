"""Servers and fakes that tests share; import the fixtures that a conftest offers from here."""

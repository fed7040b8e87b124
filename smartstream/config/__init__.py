"""Configuration: the site file (``site``) and process settings from the environment (``settings``)."""

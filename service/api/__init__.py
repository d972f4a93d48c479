"""The endpoints, one file per noun: views with their scopes, models and descriptions.

May import every other package of the service.
"""

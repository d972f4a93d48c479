"""The endpoints, one file for each noun: views with their scope, models and description.

Imports every other package of the service.
"""

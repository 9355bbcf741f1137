"""CSV and JSON exchange for rules and known images.

Open ``csv_json.py`` first: reading and writing rows, with the guard against spreadsheet formulas.
``import_plan.py`` computes what an import would add, change and leave unchanged.
"""

"""Legal categories: those of the EU's transparency database of statements of reasons.

Source: the API documentation of https://transparency.dsa.ec.europa.eu, the values of ``category``
(without their prefix ``STATEMENT_CATEGORY_``) of its version of July 2025.
"""

from __future__ import annotations

CATEGORIES = {
    "ANIMAL_WELFARE": "Animal welfare",
    "CONSUMER_INFORMATION": "Consumer information",
    "CYBER_VIOLENCE": "Cyber violence",
    "CYBER_VIOLENCE_AGAINST_WOMEN": "Cyber violence against women",
    "DATA_PROTECTION_AND_PRIVACY_VIOLATIONS": "Data protection and privacy",
    "ILLEGAL_OR_HARMFUL_SPEECH": "Illegal or harmful speech",
    "INTELLECTUAL_PROPERTY_INFRINGEMENTS": "Intellectual property",
    "NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS": "Civic discourse or elections",
    "NOT_SPECIFIED_NOTICE": "Not specified",
    "OTHER_VIOLATION_TC": "Other violation of the terms",
    "PROTECTION_OF_MINORS": "Protection of minors",
    "RISK_FOR_PUBLIC_SECURITY": "Risk for public security",
    "SCAMS_AND_FRAUD": "Scams and fraud",
    "SELF_HARM": "Self-harm",
    "UNSAFE_AND_PROHIBITED_PRODUCTS": "Unsafe or prohibited products",
    "VIOLENCE": "Violence",
}
OTHER = "OTHER_VIOLATION_TC"  # of a label without a more exact category

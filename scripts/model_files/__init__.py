"""Makes the detectors' model files from public packages; see ``scripts/vendor detectors``."""

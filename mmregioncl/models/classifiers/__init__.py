from .feature_classifier import FeatureClassifier

__all__ = ['FeatureClassifier']

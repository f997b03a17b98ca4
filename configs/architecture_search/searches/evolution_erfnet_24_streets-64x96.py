# Regularised evolution (Real et al., 2019) over the same space: 8 networks are drawn, 16 are their offspring.
_base_ = 'random_erfnet_12_streets-64x96.py'
algorithm = dict(type='regularized_evolution', population_size=8, sample_size=3)
num_candidates = 24

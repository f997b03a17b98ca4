# S2, table 5.2: IntraMix with distribution alignment towards the target's class distribution, which the thesis takes
# from the labels of the target (section 5.2.2):
#   python tools/analysis_tools/class_frequencies.py configs/_base_/datasets/cityscapes_plain_512x1024.py \
#       --json data/cityscapes/class_shares.json
_base_ = './intramix_deeplabv2-r101_1xb2-250k_gta5-512x512_cityscapes.py'
model = dict(distribution_alignment=dict(target='data/cityscapes/class_shares.json', momentum=0.99))

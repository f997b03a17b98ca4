# Small sibling of S1, table 4.1, "Random Erasing Black".
_base_ = 'pixpro_erfnet_1xb16-1500i_camvid-96x96.py'
model = dict(erasing=dict(type='mmssl.BatchRandomErasing', fill='black'))

"""mmssl: label-efficient dense prediction on OpenMMLab 2.x.

Importing it reads the metadata of the host packages and imports none of them; whatever is missing or of
the wrong version is said in one line, with the command that installs it.
"""

from mmssl.host_versions import check_hosts, require_host
from mmssl.version import __version__

check_hosts()

__all__ = ['__version__', 'require_host']
